/**
 * What the server shall answer, chosen by the request itself: a header `x-scenario: {json}`, a marker
 * `[[scenario {json}]]` in the last user message (for clients that set no headers), or a script set on the server.
 */
import { isRecord } from './json-value.ts';

/** Where a streamed answer carries its token counts. See `openai-chat.ts` and `anthropic-messages.ts`. */
export type UsagePosition =
  /** As the real service: with OpenAI only when `stream_options.include_usage` asks. */
  | 'auto'
  | 'none'
  /** OpenAI: a last chunk with empty `choices`, whether asked for or not. */
  | 'empty-choices'
  /** OpenAI: the last chunk that has choices. */
  | 'last-choice'
  /** OpenAI: every chunk, growing. */
  | 'every'
  /** OpenAI: a chunk before the last one. */
  | 'before-last'
  /** OpenAI: only under `x_groq.usage` of the last chunk. */
  | 'vendor'
  /** Anthropic: input side in `message_start`, output side in `message_delta`. */
  | 'split'
  /** Anthropic: `message_delta` repeats everything. */
  | 'repeated'
  /** Anthropic: `message_delta` repeats everything and corrects `input_tokens`. */
  | 'corrected';

export interface ToolCallScenario {
  /** Drawn from the seed when absent. */
  id?: string;
  name: string;
  /** An object, or the arguments as text ('' for none). */
  arguments: unknown;
  /** A custom tool of the responses API, which takes text. */
  isCustom?: true;
}

/** Counts as the wire API has them: Anthropic's `input` is without the cached tokens. Null leaves a field out. */
export interface TokenScenario {
  input?: number;
  output?: number;
  cacheRead?: number | null;
  cacheCreation?: number | null;
  reasoning?: number | null;
}

export interface FailureScenario {
  /** Events (or, without streaming, pieces of the body) sent before it. */
  afterEvents: number;
  /**
   * `error-event`: the API's own error event, then a clean end. `fin`, `reset`: the connection goes. `hang`: nothing
   * more is sent, the connection stays.
   */
  how: 'error-event' | 'fin' | 'reset' | 'hang';
  /** Send the first half of the next event before failing. */
  midEvent?: boolean;
}

/** Rounds of shell commands the model asks for, one answer a round, several commands in one are parallel calls. */
export interface AgentScenario {
  rounds: { command: string; id?: string }[][];
  /** The final answer; made from the tools' results when absent. */
  final?: string;
  /** The tool to call; otherwise the first one of the request that takes a `command`. */
  tool?: string;
}

export type ContentEncoding =
  | 'identity'
  | 'gzip'
  | 'deflate'
  /** Said to be `deflate` but without the zlib wrapper, as some servers send it. */
  | 'deflate-raw'
  | 'br'
  /** The first one the request accepts, of br, gzip, deflate. */
  | 'negotiate';

export interface Scenario {
  /** Copied into the truth, to find the exchange again. */
  label?: string;
  /** Draws everything that is not given; the server's seed and the exchange's number when absent. */
  seed?: number;
  text?: string;
  /** Length of drawn text. */
  textBytes?: number;
  /** Into how many deltas text, reasoning and each tool call's arguments are cut. */
  deltas?: number;
  reasoning?: string;
  toolCalls?: ToolCallScenario[];
  /** `joined`: all calls in one delta. `interleaved`: pieces of parallel calls take turns. */
  toolDeltas?: 'split' | 'whole' | 'joined' | 'interleaved';
  toolShape?: ('no-index' | 'no-id' | 'split-name' | 'object-arguments')[];
  /** Null: the last chunk has null. */
  finishReason?: string | null;
  /** OpenAI's n; the request's own when absent. */
  choices?: number;
  model?: string;
  responseId?: string;
  /** `late`: the first chunk has neither id nor model. `changing`: another id in each chunk. */
  idShape?: 'stable' | 'late' | 'changing';
  tokens?: TokenScenario;
  usageAt?: UsagePosition;
  /** Anthropic: `cache_creation` by lifetime, `server_tool_use`, `service_tier`. */
  extendedUsage?: boolean;
  /** An error instead of an answer. */
  status?: number;
  error?: { type?: string; code?: string; message?: string };
  fail?: FailureScenario;
  /** Stream or not, whatever the request asks for. */
  stream?: boolean;
  encoding?: ContentEncoding;
  /** When the content encoder lets go of what it has: after each event, or only at the end. */
  flush?: 'event' | 'end';
  newline?: 'lf' | 'crlf' | 'cr';
  /** SSE comment lines before the first event and between the events. */
  comments?: number;
  /** The last event is followed by its blank line. */
  finalBlankLine?: boolean;
  /** OpenAI's `[DONE]` at the end. */
  done?: boolean;
  /** A space after `data:`. */
  dataSpace?: boolean;
  /** Each event's JSON indented, one `data:` line for each of its lines. */
  multilineData?: boolean;
  byteOrderMark?: boolean;
  /** Characters outside ASCII as `\uXXXX`. */
  asciiJson?: boolean;
  /** White space around a JSON body, as gateways send it to keep a connection alive. */
  paddingBefore?: string;
  paddingAfter?: string;
  contentType?: string;
  transfer?: 'chunked' | 'length' | 'close';
  /** Body bytes in an HTTP chunk: of one event, of everything, a number, or drawn. */
  chunkBytes?: 'event' | 'whole' | 'random' | number;
  /** Bytes in a write to the socket (a TLS record or more), cutting across head, chunk framing and events. */
  writeBytes?: 'event' | 'whole' | 'random' | number;
  /** Before the first byte of the answer. */
  delayMs?: number;
  /** Between events. */
  intervalMs?: number;
  /** Status codes of interim answers before the final one. */
  interim?: number[];
  headers?: [string, string][];
  trailers?: [string, string][];
  /** `Connection: close` after this answer. */
  close?: boolean;
  agent?: AgentScenario;
}

/** One checker a key, so that a misspelt scenario is refused instead of doing something else quietly. */
type Check = (value: unknown) => boolean;

const isString: Check = (value) => typeof value === 'string';
const isBoolean: Check = (value) => typeof value === 'boolean';
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isNullableCount: Check = (value) => value === null || isCount(value);
const oneOf =
  (...allowed: readonly string[]): Check =>
  (value) =>
    allowed.includes(value as string);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const either =
  (...checks: readonly Check[]): Check =>
  (value) =>
    checks.some((check) => check(value));
const recordOf =
  (checks: Readonly<Record<string, Check>>, required: readonly string[] = []): Check =>
  (value) =>
    isRecord(value) &&
    required.every((key) => key in value) &&
    Object.entries(value).every(([key, entry]) => checks[key]?.(entry) === true);
const isField = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && value.every(isString);
const isPiece = either(
  oneOf('event', 'whole', 'random'),
  (value) => isCount(value) && (value as number) > 0,
);

const CHECKS: Record<keyof Scenario, Check> = {
  label: isString,
  seed: isCount,
  text: isString,
  textBytes: isCount,
  deltas: (value) => isCount(value) && (value as number) > 0,
  reasoning: isString,
  toolCalls: listOf(
    recordOf(
      {
        id: isString,
        name: isString,
        arguments: () => true,
        isCustom: (value) => value === true,
      },
      ['name', 'arguments'],
    ),
  ),
  toolDeltas: oneOf('split', 'whole', 'joined', 'interleaved'),
  toolShape: listOf(oneOf('no-index', 'no-id', 'split-name', 'object-arguments')),
  finishReason: either(isString, (value) => value === null),
  choices: (value) => isCount(value) && (value as number) > 0,
  model: isString,
  responseId: isString,
  idShape: oneOf('stable', 'late', 'changing'),
  tokens: recordOf({
    input: isCount,
    output: isCount,
    cacheRead: isNullableCount,
    cacheCreation: isNullableCount,
    reasoning: isNullableCount,
  }),
  usageAt: oneOf(
    ...['auto', 'none', 'empty-choices', 'last-choice', 'every', 'before-last', 'vendor'],
    ...['split', 'repeated', 'corrected'],
  ),
  extendedUsage: isBoolean,
  status: (value) => isCount(value) && (value as number) >= 200 && (value as number) < 600,
  error: recordOf({ type: isString, code: isString, message: isString }),
  fail: recordOf(
    {
      afterEvents: isCount,
      how: oneOf('error-event', 'fin', 'reset', 'hang'),
      midEvent: isBoolean,
    },
    ['afterEvents', 'how'],
  ),
  stream: isBoolean,
  encoding: oneOf('identity', 'gzip', 'deflate', 'deflate-raw', 'br', 'negotiate'),
  flush: oneOf('event', 'end'),
  newline: oneOf('lf', 'crlf', 'cr'),
  comments: isCount,
  finalBlankLine: isBoolean,
  done: isBoolean,
  dataSpace: isBoolean,
  multilineData: isBoolean,
  byteOrderMark: isBoolean,
  asciiJson: isBoolean,
  paddingBefore: isString,
  paddingAfter: isString,
  contentType: isString,
  transfer: oneOf('chunked', 'length', 'close'),
  chunkBytes: isPiece,
  writeBytes: isPiece,
  delayMs: isCount,
  intervalMs: isCount,
  interim: listOf((value) => isCount(value) && (value as number) >= 100 && (value as number) < 200),
  headers: listOf(isField),
  trailers: listOf(isField),
  close: isBoolean,
  agent: recordOf(
    {
      rounds: listOf(listOf(recordOf({ command: isString, id: isString }, ['command']))),
      final: isString,
      tool: isString,
    },
    ['rounds'],
  ),
};

export class ScenarioError extends Error {
  override readonly name = 'ScenarioError';
}

/** Checks a scenario that came from outside. Throws a `ScenarioError` that names the wrong key. */
export function checkScenario(value: unknown): Scenario {
  if (!isRecord(value)) {
    throw new ScenarioError('a scenario is a JSON object');
  }
  for (const [key, entry] of Object.entries(value)) {
    const check = CHECKS[key as keyof Scenario];
    if (check === undefined) {
      throw new ScenarioError(`a scenario has no key "${key}"`);
    }
    if (!check(entry)) {
      throw new ScenarioError(`a scenario's "${key}" cannot be ${JSON.stringify(entry)}`);
    }
  }
  return value as Scenario;
}

const MARKER_START = '[[scenario ';
const MARKER_END = ']]';

/** The text a client puts into its last user message to choose the scenario. */
export function scenarioMarker(scenario: Scenario): string {
  return `${MARKER_START}${JSON.stringify(scenario)}${MARKER_END}`;
}

function parse(text: string, where: string): Scenario {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ScenarioError(`${where} is not JSON: ${text.slice(0, 80)}`);
  }
  return checkScenario(value);
}

/** The scenario in a marker inside `text`; undefined without one. Throws a `ScenarioError` when it is malformed. */
export function scenarioInText(text: string): Scenario | undefined {
  const start = text.lastIndexOf(MARKER_START);
  if (start < 0) {
    return undefined;
  }
  // The JSON may itself contain "]]": the marker ends at the first one that leaves valid JSON before it.
  const from = start + MARKER_START.length;
  for (
    let end = text.indexOf(MARKER_END, from);
    end >= 0;
    end = text.indexOf(MARKER_END, end + 1)
  ) {
    const candidate = text.slice(from, end);
    try {
      JSON.parse(candidate);
    } catch {
      continue;
    }
    return parse(candidate, 'the scenario marker');
  }
  throw new ScenarioError('the scenario marker holds no JSON or has no end');
}

/** The scenario in the value of an `x-scenario` header (latin1, so non-ASCII as `\uXXXX`). */
export function scenarioInHeader(value: string): Scenario {
  return parse(value, 'the x-scenario header');
}
