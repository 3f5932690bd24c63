/** The limits of the llm room: what one model call may hold in memory. Reaching one is recorded damage. */

export interface LlmLimits {
  /** Bytes of one server-sent event. Single events above 100 kB are seen; images make megabytes. */
  maxEventBytes: number;
  /** Nesting of JSON bodies. */
  maxDepth: number;
  /** JSON values held at once of one body. */
  maxNodes: number;
  /** Messages of a request that get a fingerprint. */
  maxMessages: number;
  /** Tool definitions of a request. */
  maxToolDefinitions: number;
  /** Choices of an answer. */
  maxChoices: number;
  /** Pieces of one answer message: texts, tool calls, images. */
  maxParts: number;
  /** Bytes of one tool call's arguments, which are kept whether content is on or off. */
  maxArgumentBytes: number;
  /** Bytes of content that one call keeps altogether. */
  maxCallContentBytes: number;
  /** Gaps between chunks that are remembered for the per-chunk histogram. */
  maxChunkGaps: number;
  /** Responses of one WebSocket that are asked for or under way at one time. */
  maxSocketCalls: number;
  /** Responses in the background whose end is still to be fetched; of the oldest it is no longer a call. */
  maxBackgroundResponses: number;
}

/** Those that are counted when they are reached (`sightline.limits`, as `llm.` and the name here). */
export type CountedLlmLimit = Extract<
  keyof LlmLimits,
  'maxEventBytes' | 'maxDepth' | 'maxBackgroundResponses'
>;

export const DEFAULT_LLM_LIMITS: LlmLimits = {
  maxEventBytes: 8 * 1024 * 1024,
  maxDepth: 512,
  maxNodes: 200_000,
  maxMessages: 100_000,
  maxToolDefinitions: 10_000,
  maxChoices: 128,
  maxParts: 10_000,
  maxArgumentBytes: 1024 * 1024,
  maxCallContentBytes: 8 * 1024 * 1024,
  maxChunkGaps: 100_000,
  maxSocketCalls: 64,
  maxBackgroundResponses: 4_096,
};
