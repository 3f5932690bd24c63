/** One call of a vendor's SDK: what the service answers, and how the SDK is asked and its result put into one shape. */
import { awsEvent } from '../aws-event-stream.ts';

/** What a service answers to one request. */
export interface SdkAnswer {
  status?: number;
  /** Default: JSON, or events where there are several pieces. */
  contentType?: string;
  headers?: Readonly<Record<string, string>>;
  /** Written one by one. */
  pieces: readonly (string | Buffer)[];
  /** The connection ends behind the last piece, within the body. */
  isCut?: boolean;
}

export interface SdkToolCall {
  id?: string;
  name: string;
  arguments: unknown;
}

/** What an SDK made of the answer to one request, as far as its types have it. */
export interface SdkResult {
  id?: string | undefined;
  model?: string | undefined;
  finishReasons?: string[];
  text?: string;
  reasoning?: string;
  toolCalls?: SdkToolCall[];
  inputTokens?: number | undefined;
  outputTokens?: number | undefined;
  cacheReadTokens?: number | undefined;
  cacheCreationTokens?: number | undefined;
  reasoningTokens?: number | undefined;
  /** It threw: the provider's code, the status where there is none, else the name of the class. */
  error?: string;
}

/** What the span says of the request. */
export interface SdkRequest {
  operation: string;
  provider: string;
  model: string | undefined;
  stream?: true;
  /** What is wrong with the answer, in the provider's own word. */
  error?: string;
}

export interface SdkCase {
  name: string;
  /** One a request, in their order. */
  answers: readonly SdkAnswer[];
  /** One a request that is a call; absent: none of them is. */
  requests: readonly SdkRequest[];
  /** Writes what the SDK tells into `results`, one a call; it may throw where the answer makes it. */
  call(url: string, results: SdkResult[]): Promise<void>;
}

export function json(body: unknown, more: Partial<SdkAnswer> = {}): SdkAnswer {
  return { pieces: [JSON.stringify(body)], ...more };
}

/** Server-sent events without names, each written alone. */
export function events(list: readonly unknown[], end?: string): SdkAnswer {
  const pieces = list.map((event) => `data: ${JSON.stringify(event)}\n\n`);
  return {
    contentType: 'text/event-stream',
    pieces: end === undefined ? pieces : [...pieces, `data: ${end}\n\n`],
  };
}

/** Server-sent events that are named by their types. */
export function namedEvents(list: readonly { type: string; [name: string]: unknown }[]): SdkAnswer {
  return {
    contentType: 'text/event-stream',
    pieces: list.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`),
  };
}

export function lines(list: readonly unknown[], contentType: string): SdkAnswer {
  return { contentType, pieces: list.map((line) => `${JSON.stringify(line)}\n`) };
}

/** Chunks of a model's own JSON, as InvokeModelWithResponseStream frames them. */
export function awsChunks(list: readonly unknown[]): SdkAnswer {
  return {
    contentType: 'application/vnd.amazon.eventstream',
    pieces: list.map((chunk) =>
      awsEvent('chunk', { bytes: Buffer.from(JSON.stringify(chunk)).toString('base64') }),
    ),
  };
}

/** Only the first `count` pieces, and then the connection ends. */
export function cut(answer: SdkAnswer, count: number): SdkAnswer {
  return { ...answer, pieces: answer.pieces.slice(0, count), isCut: true };
}

/** A case of one request that is a call. */
export function oneCall(
  name: string,
  request: SdkRequest,
  answer: SdkAnswer,
  call: (url: string, result: SdkResult) => Promise<void>,
): SdkCase {
  return {
    name,
    answers: [answer],
    requests: [request],
    async call(url, results) {
      const result: SdkResult = {};
      results.push(result);
      await call(url, result);
    },
  };
}
