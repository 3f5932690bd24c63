/** Calls one hook and reads what it answers, in the thread that the plugin runs in. */
import type { ExtraAttributes } from '../session/story.ts';
import { messageOf } from '../util/errors.ts';
import {
  checkList,
  checkMessages,
  checkText,
  type FieldCheck,
  type ReadAnswer,
  readAnswer,
  redactTexts,
  WrongAnswer,
} from './answer.ts';
import type { HookName } from './plugin.ts';

/** Called with a view; what it answers is anything at all. */
export type HookFunction = (view: object) => unknown;

/** Why a plugin is switched off: bounded values of the counter's attribute. */
export type FailureReason = 'threw' | 'wrong-answer' | 'promise' | 'slow' | 'ended';

/** What an answer says, as plain data that can be sent from thread to thread. */
export interface TakenAnswer {
  isDropped: boolean;
  attributes: ExtraAttributes;
  /** The content as the plugin wants it, its fields checked; undefined when it leaves it as it is. */
  content: object | undefined;
}

export interface HookFailure {
  reason: FailureReason;
  /** Completes "its hook failed: …". */
  why: string;
}

/** What became of asking a hook, and how long the plugin's code took, nanoseconds. */
export type Asked =
  | { kind: 'answered'; tookNs: number; answer: TakenAnswer }
  | { kind: 'failed'; tookNs: number; failure: HookFailure };

type Fields = Readonly<Record<string, FieldCheck>>;

/** The content that each hook may replace. */
const FIELDS: Readonly<Record<HookName, Fields>> = {
  exchange: {},
  call: {
    systemInstructions: checkList('type'),
    inputMessages: checkMessages(),
    outputMessages: checkMessages('finish_reason'),
    toolDefinitions: checkList('type', 'name'),
    errorMessage: checkText,
  },
  toolCall: { arguments: checkText, result: checkText },
  turn: { inputMessages: checkMessages(), outputMessages: checkMessages() },
};

/** Never throws. `now` is monotonic, in nanoseconds. */
export function callHook(
  fn: HookFunction,
  hook: HookName,
  view: object,
  now: () => bigint = () => process.hrtime.bigint(),
): Asked {
  const startNs = now();
  const tookNs = (): number => Number(now() - startNs);
  try {
    const read = readAnswer(refusePromise(fn(view)), FIELDS[hook]);
    const given = 'content' in view ? (view.content as object) : {};
    const { isDropped, attributes } = read;
    const answer = { isDropped, attributes, content: changedContent(read, given) };
    return { kind: 'answered', tookNs: tookNs(), answer };
  } catch (error) {
    return { kind: 'failed', tookNs: tookNs(), failure: failureOf(error) };
  }
}

function failureOf(error: unknown): HookFailure {
  if (error instanceof PromiseAnswer) {
    return { reason: 'promise', why: 'it answered a promise, but hooks are synchronous' };
  }
  if (error instanceof WrongAnswer) {
    return { reason: 'wrong-answer', why: `it answered ${error.message}` };
  }
  return { reason: 'threw', why: `it threw ${safeMessage(error)}` };
}

/** The content that an answer makes of the given one; undefined when it leaves it as it is. */
function changedContent(answer: ReadAnswer, given: object): object | undefined {
  const { content, redact } = answer;
  if (content.size === 0 && redact === undefined) {
    return undefined;
  }
  const fields = new Map<string, unknown>(Object.entries(given));
  for (const [name, value] of content) {
    if (value === undefined) {
      fields.delete(name);
    } else {
      fields.set(name, value);
    }
  }
  const entries = [...fields].map(([name, value]): [string, unknown] => [
    name,
    redact === undefined ? value : redactTexts(value, redact),
  ]);
  return Object.fromEntries(entries);
}

class PromiseAnswer extends Error {}

/** A promise's rejection would otherwise be nobody's and end the program. */
function refusePromise(answer: unknown): unknown {
  if (answer instanceof Promise) {
    answer.catch(() => {});
    throw new PromiseAnswer();
  }
  if (typeof answer === 'object' && answer !== null && 'then' in answer) {
    throw new PromiseAnswer();
  }
  return answer;
}

/** Anything can be thrown, also what throws when it is looked at. */
function safeMessage(error: unknown): string {
  try {
    return messageOf(error).slice(0, MAX_MESSAGE_CHARS);
  } catch {
    return 'something that cannot be shown';
  }
}

const MAX_MESSAGE_CHARS = 200;
