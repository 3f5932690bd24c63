/**
 * Bodies and chunks that families of models on Amazon Bedrock answer with. All say `Hello.`, to 30 tokens with 12.
 * https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
 */

/** The service's own counts, beside a whole answer and in the last chunk of a stream. */
export const COUNT_HEADERS = {
  'X-Amzn-Bedrock-Input-Token-Count': '30',
  'X-Amzn-Bedrock-Output-Token-Count': '12',
  'X-Amzn-Bedrock-Invocation-Latency': '700',
};
export const METRICS = {
  'amazon-bedrock-invocationMetrics': {
    inputTokenCount: 30,
    outputTokenCount: 12,
    invocationLatency: 400,
    firstByteLatency: 100,
  },
};

export const CONVERSE_USAGE = { inputTokens: 30, outputTokens: 12, totalTokens: 42 };

export const TITAN_CHUNKS = [
  {
    outputText: 'Hel',
    index: 0,
    totalOutputTextTokenCount: null,
    completionReason: null,
    inputTextTokenCount: 30,
  },
  {
    outputText: 'lo.',
    index: 0,
    totalOutputTextTokenCount: 12,
    completionReason: 'FINISH',
    inputTextTokenCount: null,
    ...METRICS,
  },
];

export const LLAMA_WHOLE = {
  generation: 'Hello.',
  prompt_token_count: 30,
  generation_token_count: 12,
  stop_reason: 'stop',
};
/** The counts grow: the last ones count. */
export const LLAMA_CHUNKS = [
  { generation: 'Hel', prompt_token_count: 30, generation_token_count: 1, stop_reason: null },
  { generation: 'lo.', prompt_token_count: null, generation_token_count: 11 },
  {
    generation: '',
    prompt_token_count: null,
    generation_token_count: 12,
    stop_reason: 'length',
    ...METRICS,
  },
];

export const MISTRAL_WHOLE = { outputs: [{ text: 'Hello.', stop_reason: 'stop' }] };
export const MISTRAL_CHUNKS = [
  { outputs: [{ text: 'Hel', stop_reason: null }] },
  { outputs: [{ text: 'lo.', stop_reason: 'stop' }], ...METRICS },
];

export const COMMAND_R_CHUNKS = [
  { is_finished: false, event_type: 'text-generation', text: 'Hello.' },
  {
    is_finished: true,
    event_type: 'stream-end',
    response: { response_id: 'r-1', generation_id: 'g-1', text: 'Hello.' },
    finish_reason: 'COMPLETE',
    ...METRICS,
  },
];

export const NOVA_WHOLE = {
  output: { message: { role: 'assistant', content: [{ text: 'Hello.' }] } },
  stopReason: 'end_turn',
  usage: CONVERSE_USAGE,
};
/** Events are named by their only member. */
export const NOVA_CHUNKS = [
  { messageStart: { role: 'assistant' } },
  { contentBlockDelta: { delta: { text: 'Hel' }, contentBlockIndex: 0 } },
  { contentBlockDelta: { delta: { text: 'lo.' }, contentBlockIndex: 0 } },
  { contentBlockStop: { contentBlockIndex: 0 } },
  { messageStop: { stopReason: 'end_turn' } },
  { metadata: { usage: CONVERSE_USAGE, metrics: {} }, ...METRICS },
];
