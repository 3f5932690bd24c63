/** A call to a model, told apart from the wire API that carried it. Absent means: the wire did not say it. */
import type { Exchange } from '../http/exchange.ts';
import type { Damage } from '../util/damage.ts';

/** The wire APIs, named as users of them would. */
export type WireApi =
  | 'openai.chat_completions'
  | 'openai.responses'
  | 'openai.realtime'
  | 'openai.completions'
  | 'openai.embeddings'
  | 'openai.images'
  | 'openai.audio'
  | 'openai.moderations'
  | 'openai.compactions'
  | 'openai.stored_response'
  | 'anthropic.messages'
  | 'gemini.generate_content'
  | 'gemini.embeddings'
  | 'gemini.interactions'
  | 'gemini.stored_interaction'
  | 'ollama.chat'
  | 'ollama.generate'
  | 'ollama.embeddings'
  | 'cohere.chat'
  | 'cohere.chat_v1'
  | 'cohere.generate'
  | 'cohere.summaries'
  | 'cohere.classifications'
  | 'cohere.embeddings'
  | 'mistral.conversations'
  | 'mistral.ocr'
  | 'bedrock.converse'
  | 'bedrock.invoke_model';

/** gen_ai.operation.name. */
export type Operation =
  | 'chat'
  | 'text_completion'
  | 'generate_content'
  | 'embeddings'
  | 'fetch_response'
  // The conventions have no name for these.
  | 'moderation'
  | 'classification';

const INFERENCES: ReadonlySet<Operation> = new Set(['chat', 'text_completion', 'generate_content']);

/** A model generated something in this call, as far as it was not refused. */
export function isInference(call: Pick<ModelCall, 'operation'>): boolean {
  return INFERENCES.has(call.operation);
}

/**
 * APIs that generate pictures, sound, the text of sound or of pictures, or a shorter form of a text or of what was said:
 * each call stands for itself.
 */
const LONE_APIS: ReadonlySet<WireApi> = new Set([
  'openai.images',
  'openai.audio',
  'openai.compactions',
  'mistral.ocr',
  'cohere.summaries',
]);

/** The call may be a step of a conversation: its request has messages. */
export function isConversational(call: Pick<ModelCall, 'operation' | 'api'>): boolean {
  return isInference(call) && !LONE_APIS.has(call.api);
}

/** A part of a message, in the shapes of the semantic conventions' JSON schemas. */
export type Part =
  | { type: 'text'; content: string }
  | { type: 'reasoning'; content: string }
  | { type: 'tool_call'; name: string; id?: string; arguments?: unknown }
  | { type: 'tool_call_response'; id?: string; response: unknown }
  | { type: 'blob'; modality: string; mime_type?: string; content: string }
  | { type: 'uri'; modality: string; mime_type?: string; uri: string }
  | { type: 'file'; modality: string; mime_type?: string; file_id: string }
  | { type: string; [key: string]: unknown };

export interface Message {
  role: string;
  name?: string;
  /** Empty when content is off. */
  parts: Part[];
}

export interface OutputMessage extends Message {
  finish_reason: string;
}

export interface ToolDefinition {
  type: string;
  name: string;
  description?: string;
  parameters?: unknown;
}

/** A tool the model asked for, in one choice of a response. */
export interface ToolCall {
  /** Absent where the API gives none. */
  id?: string;
  name: string;
  /** As the wire has it: JSON text, complete unless the call is damaged. Kept also when content is off. */
  argumentsText: string;
  /** Return of the TLS call whose bytes completed it. */
  timeNs: bigint;
}

/** A tool's result, as a later request carries it back. */
export interface ToolResult {
  /** Id of the tool call it answers. */
  id?: string;
  isError?: boolean;
  /** Text of the result, cut by the content limit; empty when content is off. */
  text: string;
}

/** Token counts, each only when the wire gave it. */
export interface Usage {
  /** Including cached tokens, as the conventions demand. */
  inputTokens?: number;
  outputTokens?: number;
  cacheReadInputTokens?: number;
  cacheCreationInputTokens?: number;
  /** Of `cacheCreationInputTokens`, those kept for an hour, which cost more. */
  hourCacheCreationInputTokens?: number;
  reasoningOutputTokens?: number;
  /** Parts of the counts above, where the wire splits them by what the tokens stand for. */
  byModality?: Partial<Record<Modality, ModalityUsage>>;
}

/** What tokens stand for, as far as the conventions name it. */
export type Modality = 'text' | 'image' | 'audio';

export interface ModalityUsage {
  inputTokens?: number;
  outputTokens?: number;
  cacheReadInputTokens?: number;
}

/** The counts that are numbers of their own. */
export type TokenCount = Exclude<keyof Usage, 'byModality'>;

export interface CallRequest {
  model?: string;
  stream?: boolean;
  maxTokens?: number;
  temperature?: number;
  topP?: number;
  topK?: number;
  frequencyPenalty?: number;
  presencePenalty?: number;
  stopSequences?: string[];
  seed?: number;
  choiceCount?: number;
  /** `text`, `json`, `image` or `speech`, only when the request asks for a format. */
  outputType?: string;
  serviceTier?: string;
  /** How much the model is to think, in the API's own word (`low`, `high`). */
  reasoningLevel?: string;
  /** Of the guardrail (Amazon Bedrock) that the request puts before the model. */
  guardrailId?: string;
  /** Formats of the vectors that an embeddings call asks for. */
  encodingFormats?: string[];
  /** Length of the vectors that an embeddings call asks for. */
  dimensionCount?: number;
  /** Id of the response whose conversation this request goes on with; its messages are only the new ones. */
  previousResponseId?: string;
  /** Where in a streamed answer that was begun before the request goes on, in the API's own words. */
  streamCursor?: string;
  /** Of the provider's stored prompt that the request fills in. */
  promptVersion?: string;
  /** What the request fills into that prompt, by name: texts, or other JSON. Absent when content is off. */
  promptVariables?: Readonly<Record<string, unknown>>;
  /** The answer only says that the work was queued: its end is to be fetched. */
  isBackground?: boolean;
  /** Of a conversation that the provider keeps. */
  conversationId?: string;
  /** Empty when content is off, or when the API has the system's text among the messages. */
  systemInstructions: Part[];
  messages: Message[];
  /** One per message: equal for equal messages, and equal for an answer and its repetition in a later request. */
  fingerprints: string[];
  /** Results in the messages after the last assistant message: what this request brings back. */
  toolResults: ToolResult[];
  toolDefinitions: ToolDefinition[];
}

export interface CallResponse {
  id?: string;
  model?: string;
  /** One per choice that has one, in the order of the choices, as the wire has them. */
  finishReasons: string[];
  /** One per choice, where some have none: those broke off. */
  finishReasonByChoice?: (string | undefined)[];
  usage: Usage;
  serviceTier?: string;
  /** What else changes the price of each token, in the API's own words (`fast`, `us`); absent: nothing. */
  priceTiers?: string[];
  /** The wire names runs of models for this call that its counts leave out. */
  hasUncountedRuns?: boolean;
  systemFingerprint?: string;
  messages: OutputMessage[];
  /** One per message of the answer, comparable with `CallRequest.fingerprints`. */
  fingerprints: string[];
  toolCalls: ToolCall[];
}

export interface ModelCall {
  api: WireApi;
  operation: Operation;
  /** gen_ai.provider.name. */
  provider: string;
  /** Set with the end of the call: `provider` is that of the API or the path; nothing says whose server it was. */
  isProviderAssumed?: boolean;
  exchange: Exchange;
  serverAddress?: string;
  serverPort?: number;
  /** From a `traceparent` request header (W3C Trace Context). */
  traceparent?: string;
  request: CallRequest;
  response?: CallResponse;
  /**
   * Number of a call on its WebSocket, counted from 0; `exchange` is then the one that opened the socket. Absent:
   * the exchange is the call's own.
   */
  socketOrdinal?: number;
  /** Last byte of a request that was a message of a WebSocket. */
  requestEndNs?: bigint;
  /** First byte of the request; of the answer when no request asked for it. */
  startNs: bigint;
  /** First piece of a streamed answer: text, reasoning, refusal or tool call (`chunk-clock.ts`). */
  firstChunkNs?: bigint;
  /** Last byte of the answer; the end of what was seen of it when it broke off. */
  endNs: bigint;
  /** Nanoseconds between neighbouring chunks of a streamed answer, for the per-chunk histogram. */
  chunkGapsNs: number[];
  httpStatus?: number;
  /** What was said before is there in a shorter form, which the request brought or the provider made. */
  isCompacted?: boolean;
  /** US dollars, estimated from a table of prices; absent where that knows none. */
  costUsd?: number;
  /** Absent on success. `type` is the provider's code, the HTTP status, or `_OTHER`. */
  error?: { type: string; message?: string };
  /** The answer is there to its end, as its own protocol defines it (`[DONE]`, `message_stop`, whole JSON). */
  complete: boolean;
  damage: Damage;
}

/** A later stage's view of calls while they run: the request first (once parsed), then the finished call. */
export interface ModelCallObserver {
  /** The request is known to its end, the answer not yet. `call` is completed in place. */
  started(call: ModelCall): void;
  /** A tool call of the answer is complete, while the rest may still be coming. */
  toolCall?(call: ModelCall, toolCall: ToolCall): void;
  finished(call: ModelCall): void;
}
