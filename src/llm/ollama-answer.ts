/**
 * Answers of Ollama's own API to chat and to generate: one JSON text, or one a line.
 * https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-chat-completion
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import type { Answer } from './answer.ts';
import { createDeltaTemplate } from './delta-template.ts';
import { createGrowingText } from './growing-text.ts';
import { asCount, asName, asObject, type JsonObject } from './json-access.ts';
import type { Usage } from './model-call.ts';
import { OLLAMA_MESSAGE_PLAN, readOllamaMessage } from './ollama-message.ts';
import { asText } from './openai-message.ts';
import { type RecordPlan, readRecord } from './record-json.ts';
import type { AnswerReader, CallContext } from './wire-api.ts';
import type { WireItem } from './wire-message.ts';

const ALL: JsonPlan = { keep: 'all' };
const TEXT: JsonPlan = { keep: 'text' };
const COUNT: JsonPlan = { keep: 'all', fields: new Map() };

const ANSWER_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['model', ALL],
    ['message', OLLAMA_MESSAGE_PLAN],
    ['response', TEXT],
    ['thinking', TEXT],
    ['done', ALL],
    ['done_reason', ALL],
    ['prompt_eval_count', COUNT],
    ['eval_count', COUNT],
    ['error', ALL],
  ]),
};

/** A line with tool calls: all of it, with their arguments as they are. */
const RECORD: RecordPlan = {
  mark: '"tool_calls"',
  plan: {
    keep: 'all',
    other: ALL,
    fields: new Map<string, JsonPlan>([
      [
        'message',
        {
          keep: 'all',
          other: ALL,
          fields: new Map([['tool_calls', OLLAMA_MESSAGE_PLAN.fields!.get('tool_calls')!]]),
        },
      ],
    ]),
  },
};

export function readOllamaAnswer(context: CallContext, answer: Answer): AnswerReader {
  const { call, limits } = context;
  const text = createGrowingText();
  const template = createDeltaTemplate(['created_at']);
  /** What the template's pieces are of. */
  let templateKind: 'text' | 'reasoning' | undefined;
  let isDone = false;

  function readError(root: unknown): boolean {
    return answer.failBy(root, (call.httpStatus ?? 0) >= 400);
  }

  function readHead(root: JsonObject): void {
    answer.setModel(root.model);
    const usage: Usage = {};
    // A prompt that was in the cache is not counted: absent, not zero.
    const input = asCount(root.prompt_eval_count);
    const output = asCount(root.eval_count);
    if (input !== undefined) {
      usage.inputTokens = input;
    }
    if (output !== undefined) {
      usage.outputTokens = output;
    }
    if (input !== undefined || output !== undefined) {
      answer.response.usage = usage;
    }
    const reason = asName(root.done_reason);
    const choice = reason === undefined ? undefined : answer.choice(0);
    if (choice !== undefined) {
      choice.finishReason = reason;
    }
  }

  /** What a line or a whole answer says, whichever of the two methods it answers. */
  function itemsOf(root: JsonObject): WireItem[] {
    const message = asObject(root.message);
    if (message !== undefined) {
      return readOllamaMessage(message).items;
    }
    const items: WireItem[] = [];
    const thinking = asText(root.thinking);
    if (thinking !== undefined) {
      items.push({ kind: 'reasoning', text: thinking });
    }
    const said = asText(root.response);
    if (said !== undefined) {
      items.push({ kind: 'text', text: said });
    }
    return items;
  }

  function readLine(root: JsonObject, data: string, timeNs: bigint): void {
    const choice = answer.choice(0);
    const items = choice === undefined ? [] : itemsOf(root);
    for (const item of items) {
      const isText = item.kind === 'text' || item.kind === 'reasoning';
      if (isText && typeof item.text === 'string') {
        text.append(choice!, item.kind, item.text, timeNs);
      } else {
        text.close();
        choice!.addItem(item, timeNs);
      }
    }
    readHead(root);
    isDone = root.done === true;
    if (items.length === 1 && !isDone) {
      learn(root, items[0]!, data);
    }
  }

  /** The line said nothing new but one piece of text. */
  function learn(root: JsonObject, item: WireItem, data: string): void {
    if (item.kind !== 'text' && item.kind !== 'reasoning') {
      return;
    }
    const said = root.message === undefined ? 'response' : 'content';
    const member = item.kind === 'text' ? said : 'thinking';
    const place = (value: unknown): unknown => {
      const line = asObject(value);
      return (asObject(line?.message) ?? line)?.[member];
    };
    if (place(root) === item.text && template.learn(data, member, place)) {
      templateKind = item.kind;
    }
  }

  return {
    plan: ANSWER_PLAN,
    formatOf(seen) {
      if (seen !== 'json' && seen !== 'ndjson') {
        return 'other';
      }
      const isWhole = call.request.stream === false || (call.httpStatus ?? 0) >= 400;
      return seen === 'json' && isWhole ? 'json' : 'ndjson';
    },
    body(root, isWhole, timeNs) {
      const body = asObject(root);
      if (readError(root) || body === undefined) {
        return;
      }
      const hasMessage = body.message !== undefined || body.response !== undefined;
      const choice = hasMessage ? answer.choice(0) : undefined;
      const items = itemsOf(body);
      items.forEach((item, position) => {
        const isTorn = !isWhole && position === items.length - 1;
        choice?.addItem(item, timeNs, isTorn);
      });
      readHead(body);
    },
    event(_name, data, timeNs) {
      const choice = templateKind === undefined ? undefined : answer.choice(0);
      const piece = choice === undefined ? undefined : template.match(data);
      if (piece !== undefined) {
        text.append(choice!, templateKind!, piece, timeNs);
        return true;
      }
      const root = readRecord(data, RECORD, limits);
      if (root === undefined) {
        return false;
      }
      if (!readError(root)) {
        readLine(root, data, timeNs);
      }
      return true;
    },
    gap() {
      text.close();
    },
    get isDone() {
      return isDone;
    },
  };
}
