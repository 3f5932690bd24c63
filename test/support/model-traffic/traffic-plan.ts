/**
 * Exchanges with model APIs, drawn at random by a server that keeps the truth of each: what of an answer was sent, told
 * apart from how it was put on the wire.
 */
import type { Usage, WireApi } from '../../../src/llm/model-call.ts';
import type { Random } from '../model-server/random.ts';

export interface ToolTruth {
  id?: string;
  name: string;
  /** All that was sent of it. */
  argumentsText: string;
}

export interface ChoiceTruth {
  text: string;
  tools: ToolTruth[];
  finishReason?: string;
}

/** What the server has said so far. */
export interface AnswerTruth {
  id?: string;
  model?: string;
  usage: Usage;
  choices: ChoiceTruth[];
  /** In the order in which they were over. */
  endedTools: ToolTruth[];
  errorCode?: string;
  isComplete: boolean;
}

export interface Piece {
  bytes: Buffer;
  /** What is true once the piece was sent whole. */
  tell(truth: AnswerTruth): void;
}

export interface PlannedExchange {
  /** Undefined: no call, whatever it looks like. */
  api: WireApi | undefined;
  requestModel: string | undefined;
  method: 'GET' | 'POST';
  host: string;
  /** Of that host. */
  provider: string;
  target: string;
  requestHeaders: [string, string][];
  request: Buffer;
  status: number;
  responseHeaders: [string, string][];
  pieces: Piece[];
  /** Its pieces are events, so that it may break off between two of them. */
  isStream: boolean;
  /** Asked once this one is over, of the same server. */
  next?: PlannedExchange;
}

/** What a model might say. */
export interface Reply {
  id: string;
  model: string;
  /** Pieces of its text. */
  texts: string[];
  tools: { id: string; name: string; pieces: string[] }[];
  isCutByLimit: boolean;
  input: number;
  output: number;
  cacheRead: number;
  cacheWrite: number;
  reasoning: number;
}

export function isOneIn(random: Random, times: number): boolean {
  return random.int(1, times) === 1;
}

export function pick<T>(random: Random, ...options: T[]): T {
  return options[random.int(0, options.length - 1)] as T;
}

export function drawReply(random: Random): Reply {
  const hasTools = isOneIn(random, 3);
  return {
    id: `id_${random.token(12)}`,
    model: `model-${random.token(4)}`,
    texts: Array.from({ length: random.int(hasTools ? 0 : 1, 6) }, () =>
      random.text(random.int(1, 60)),
    ),
    tools: Array.from({ length: hasTools ? random.int(1, 3) : 0 }, () => ({
      id: `call_${random.token(8)}`,
      name: pick(random, 'sh', 'get_weather', 'mcp__db__query'),
      pieces: argumentPieces(random),
    })),
    isCutByLimit: isOneIn(random, 6),
    input: random.int(40, 200_000),
    output: random.int(20, 9000),
    cacheRead: random.int(0, 20),
    cacheWrite: random.int(0, 20),
    reasoning: random.int(0, 20),
  };
}

/** The text of an object, cut anywhere but inside a character. */
function argumentPieces(random: Random): string[] {
  const members = Array.from({ length: random.int(0, 3) }, (_, index) => [
    `${index}${random.token(3)}`,
    pick<unknown>(random, random.text(12), random.int(0, 1e9), null, { deep: [random.token(2)] }),
  ]);
  const characters = [...JSON.stringify(Object.fromEntries(members))];
  const pieces: string[] = [];
  while (characters.length > 0) {
    pieces.push(characters.splice(0, random.int(1, 24)).join(''));
  }
  return pieces;
}

export function choiceOf(truth: AnswerTruth, index: number): ChoiceTruth {
  while (truth.choices.length <= index) {
    truth.choices.push({ text: '', tools: [] });
  }
  return truth.choices[index]!;
}

/** Everything at once, as an answer that is one text tells it. */
export function tellReply(truth: AnswerTruth, reply: Reply, finishReason: string, index = 0): void {
  const choice = choiceOf(truth, index);
  choice.text = reply.texts.join('');
  choice.tools = reply.tools.map(({ id, name, pieces }) => ({
    id,
    name,
    argumentsText: pieces.join(''),
  }));
  truth.endedTools.push(...choice.tools);
  choice.finishReason = finishReason;
}

/** A tool that is over leaves those that are still open. */
export function endTools(truth: AnswerTruth, tools: readonly ToolTruth[]): void {
  truth.endedTools.push(...tools.filter((tool) => !truth.endedTools.includes(tool)));
}

/** What an observer of the whole must say: tools that are over first, then those that broke off. */
export function toolsOf(truth: AnswerTruth): ToolTruth[] {
  const open = truth.choices.flatMap(({ tools }) => tools);
  return [...truth.endedTools, ...open.filter((tool) => !truth.endedTools.includes(tool))];
}

export const NOTHING = (): void => {};

/** A server-sent event with what it tells. */
export function sse(
  data: object | string,
  tell: Piece['tell'] = NOTHING,
  name?: string,
  newline = '\n',
): Piece {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  const head = name === undefined ? '' : `event: ${name}${newline}`;
  return { bytes: Buffer.from(`${head}data: ${text}${newline}${newline}`), tell };
}

/** A line of JSON with what it tells. */
export function line(data: object, tell: Piece['tell'] = NOTHING): Piece {
  return { bytes: Buffer.from(`${JSON.stringify(data)}\n`), tell };
}

export const JSON_TYPE: [string, string] = ['content-type', 'application/json'];
export const SSE_TYPE: [string, string] = ['content-type', 'text/event-stream'];

/** An exchange whose bodies are JSON texts; the caller says what is different. */
export function exchangeOf(
  common: Pick<PlannedExchange, 'api' | 'host' | 'provider' | 'target'>,
  request: object,
  answer: Piece[] | { body: object; tell?: Piece['tell'] },
  more: Partial<PlannedExchange> = {},
): PlannedExchange {
  const isStream = Array.isArray(answer);
  const model = (request as { model?: unknown }).model;
  return {
    requestModel: typeof model === 'string' ? model : undefined,
    method: 'POST',
    requestHeaders: [JSON_TYPE],
    request: Buffer.from(JSON.stringify(request)),
    status: 200,
    responseHeaders: [isStream ? SSE_TYPE : JSON_TYPE],
    pieces: isStream
      ? answer
      : [
          {
            bytes: Buffer.from(JSON.stringify(answer.body)),
            tell(truth) {
              answer.tell?.(truth);
              truth.isComplete = true;
            },
          },
        ],
    isStream,
    ...common,
    ...more,
  };
}

/** The usage without the counts that are not there. */
export function given(usage: Record<string, number | undefined>): Usage {
  return Object.fromEntries(
    Object.entries(usage).filter(([, count]) => count !== undefined),
  ) as Usage;
}
