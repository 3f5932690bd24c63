/** What really happened in one exchange, as the server that made it knows: the measure for whoever observes it. */

/** The APIs that vendors speak alone. */
export type VendorWireApi =
  | 'gemini.generate_content'
  | 'gemini.interactions'
  | 'ollama.chat'
  | 'cohere.chat'
  | 'mistral.conversations'
  | 'bedrock.converse'
  | 'bedrock.invoke_model';

/** The APIs that many services speak. */
export type CommonWireApi = 'openai.chat_completions' | 'openai.responses' | 'anthropic.messages';

export type WireApi = CommonWireApi | VendorWireApi;

export interface ToolCallTruth {
  /** Absent where the wire had none. */
  id?: string;
  name: string;
  /** As sent, all deltas joined; an object's JSON where the wire had an object. */
  argumentsText: string;
}

export interface ChoiceTruth {
  text: string;
  reasoning: string;
  toolCalls: ToolCallTruth[];
  /** As sent; absent while none or null was. */
  finishReason?: string;
}

/** Each only when the wire gave it. */
export interface UsageTruth {
  /** Including cached tokens: for Anthropic the sum of its three input counts. */
  inputTokens?: number;
  outputTokens?: number;
  cacheReadInputTokens?: number;
  cacheCreationInputTokens?: number;
  hourCacheCreationInputTokens?: number;
  reasoningOutputTokens?: number;
}

/** The part of an answer that was really sent: of a stream that broke off, the events sent whole. */
export interface AnswerTruth {
  /** The first one that was not empty. */
  id?: string;
  model?: string;
  choices: ChoiceTruth[];
  /** The usage object as last seen on the wire, its fields merged where the API updates them one by one. */
  wireUsage?: Record<string, unknown>;
  usage: UsageTruth;
  error?: { type?: string; code?: string; message: string };
  /** The answer was sent to the end its own protocol defines. */
  complete: boolean;
}

export interface ToolResultTruth {
  id?: string;
  text: string;
  isError?: boolean;
}

export interface RequestTruth {
  method: string;
  target: string;
  /** Values of credentials are replaced by their length. */
  headers: [string, string][];
  /** Body after transfer framing, before content decoding. */
  bodyBytes: number;
  bodySha256: string;
  /** Everything: head, framing and body. */
  wireBytes: number;
  firstByteNs: string;
  lastByteNs: string;
  model?: string;
  stream?: boolean;
  messages?: number;
  toolResults?: ToolResultTruth[];
}

export interface ResponseTruth {
  status: number;
  headers: [string, string][];
  interim: number[];
  encoding: string;
  transfer: 'chunked' | 'length' | 'close' | 'none';
  /** Body after transfer framing and before content decoding, as far as it was written. */
  bodyBytes: number;
  bodySha256: string;
  /** The same with the content encoding removed, in whole pieces (an SSE event, a JSON body). */
  decodedBytes: number;
  decodedSha256: string;
  wireBytes: number;
  /** SSE events sent whole. */
  events: number;
  firstByteNs: string;
  /** First byte of the body. */
  firstBodyByteNs?: string;
  lastByteNs: string;
  /** Everything was written, including the framing's own end. */
  complete: boolean;
}

/**
 * How the client left the exchange.
 *
 * - `open`: its connection is still open and idle.
 * - `next-request`: it read everything, and used the connection again.
 * - `closed`: it closed after the last byte was handed to the kernel.
 * - `closed-early`: it closed or reset before that.
 */
export type ClientEnd = 'open' | 'next-request' | 'closed' | 'closed-early';

/** Times are nanoseconds of the monotonic clock (`process.hrtime`), as decimal strings. */
export interface ExchangeTruth {
  /** Counted from 1 over the life of the server. */
  exchange: number;
  connection: number;
  /** Counted from 0 on its connection. */
  ordinal: number;
  tls: boolean;
  serverPort: number;
  clientPort: number;
  label?: string;
  /** Of a response on a WebSocket: the API spoken there. */
  socketApi?: 'openai.responses' | 'openai.realtime';
  api?: WireApi;
  /** Adds to a monotonic time to make it nanoseconds since 1970. */
  epochOffsetNs: string;
  request: RequestTruth;
  response: ResponseTruth;
  /** Present on exchanges that are model calls. */
  answer?: AnswerTruth;
  clientEnd: ClientEnd;
}

export function emptyAnswer(): AnswerTruth {
  return { choices: [], usage: {}, complete: false };
}

/** The truth about choice `index`, made when it is first spoken of. */
export function choiceOf(answer: AnswerTruth, index: number): ChoiceTruth {
  while (answer.choices.length <= index) {
    answer.choices.push({ text: '', reasoning: '', toolCalls: [] });
  }
  return answer.choices[index]!;
}

/** Finish reasons that were sent and say something, one a choice, in order. */
export function finishReasonsOf(answer: AnswerTruth): string[] {
  const reasons: string[] = [];
  for (const choice of answer.choices) {
    if (choice.finishReason !== undefined && choice.finishReason !== '') {
      reasons.push(choice.finishReason);
    }
  }
  return reasons;
}
