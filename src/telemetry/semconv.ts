/**
 * Every name we emit, in one table: a copy of the OpenTelemetry semantic conventions 1.41.0 (GenAI is in
 * Development there, and its npm constants can vanish in any minor release), what the conventions that came after
 * have otherwise, and our own `sightline.` names.
 * https://github.com/open-telemetry/semantic-conventions/tree/v1.41.0/docs/gen-ai
 * https://github.com/open-telemetry/semantic-conventions-genai
 */

/** Name of our instrumentation scope. */
export const SCOPE_NAME = 'sightline';

export const Attr = {
  operationName: 'gen_ai.operation.name',
  providerName: 'gen_ai.provider.name',
  agentName: 'gen_ai.agent.name',
  outputType: 'gen_ai.output.type',
  bedrockGuardrailId: 'aws.bedrock.guardrail.id',
  azureNamespace: 'azure.resource_provider.namespace',
  conversationId: 'gen_ai.conversation.id',

  requestModel: 'gen_ai.request.model',
  requestChoiceCount: 'gen_ai.request.choice.count',
  requestSeed: 'gen_ai.request.seed',
  requestStream: 'gen_ai.request.stream',
  requestMaxTokens: 'gen_ai.request.max_tokens',
  requestTemperature: 'gen_ai.request.temperature',
  requestTopP: 'gen_ai.request.top_p',
  requestTopK: 'gen_ai.request.top_k',
  requestFrequencyPenalty: 'gen_ai.request.frequency_penalty',
  requestPresencePenalty: 'gen_ai.request.presence_penalty',
  requestStopSequences: 'gen_ai.request.stop_sequences',
  requestEncodingFormats: 'gen_ai.request.encoding_formats',
  embeddingsDimensionCount: 'gen_ai.embeddings.dimension.count',

  responseId: 'gen_ai.response.id',
  responseModel: 'gen_ai.response.model',
  responseFinishReasons: 'gen_ai.response.finish_reasons',
  responseTimeToFirstChunk: 'gen_ai.response.time_to_first_chunk',

  usageInputTokens: 'gen_ai.usage.input_tokens',
  usageOutputTokens: 'gen_ai.usage.output_tokens',
  usageCacheReadInputTokens: 'gen_ai.usage.cache_read.input_tokens',
  usageCacheCreationInputTokens: 'gen_ai.usage.cache_creation.input_tokens',
  usageReasoningOutputTokens: 'gen_ai.usage.reasoning.output_tokens',
  tokenType: 'gen_ai.token.type',

  // Of the conventions after 1.41.0.
  requestPreviousResponseId: 'gen_ai.request.previous_response.id',
  requestReasoningLevel: 'gen_ai.request.reasoning.level',
  requestStreamCursor: 'gen_ai.request.stream_cursor',
  promptVersion: 'gen_ai.prompt.version',
  /** Followed by a point and the variable's name. */
  promptVariable: 'gen_ai.prompt.variable',
  conversationCompacted: 'gen_ai.conversation.compacted',
  usageCacheWriteInputTokens: 'gen_ai.usage.cache_write.input_tokens',
  usageTextInputTokens: 'gen_ai.usage.text.input_tokens',
  usageTextOutputTokens: 'gen_ai.usage.text.output_tokens',
  usageTextCacheReadInputTokens: 'gen_ai.usage.text.cache_read.input_tokens',
  usageImageInputTokens: 'gen_ai.usage.image.input_tokens',
  usageImageOutputTokens: 'gen_ai.usage.image.output_tokens',
  usageImageCacheReadInputTokens: 'gen_ai.usage.image.cache_read.input_tokens',
  usageAudioInputTokens: 'gen_ai.usage.audio.input_tokens',
  usageAudioOutputTokens: 'gen_ai.usage.audio.output_tokens',
  usageAudioCacheReadInputTokens: 'gen_ai.usage.audio.cache_read.input_tokens',
  tokenModality: 'gen_ai.token.modality',

  systemInstructions: 'gen_ai.system_instructions',
  inputMessages: 'gen_ai.input.messages',
  outputMessages: 'gen_ai.output.messages',
  toolDefinitions: 'gen_ai.tool.definitions',

  toolName: 'gen_ai.tool.name',
  toolDescription: 'gen_ai.tool.description',
  toolType: 'gen_ai.tool.type',
  toolCallId: 'gen_ai.tool.call.id',
  toolCallArguments: 'gen_ai.tool.call.arguments',
  toolCallResult: 'gen_ai.tool.call.result',

  openaiApiType: 'openai.api.type',
  openaiRequestServiceTier: 'openai.request.service_tier',
  openaiResponseServiceTier: 'openai.response.service_tier',
  openaiResponseSystemFingerprint: 'openai.response.system_fingerprint',

  errorType: 'error.type',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  networkPeerAddress: 'network.peer.address',
  networkPeerPort: 'network.peer.port',
  networkType: 'network.type',
  networkProtocolName: 'network.protocol.name',
  networkProtocolVersion: 'network.protocol.version',

  httpRequestMethod: 'http.request.method',
  httpRequestMethodOriginal: 'http.request.method_original',
  httpRequestBodySize: 'http.request.body.size',
  httpResponseBodySize: 'http.response.body.size',
  httpResponseStatusCode: 'http.response.status_code',
  urlFull: 'url.full',
  urlScheme: 'url.scheme',

  serviceName: 'service.name',
  serviceInstanceId: 'service.instance.id',
  serviceVersion: 'service.version',
  hostName: 'host.name',
  hostId: 'host.id',
  hostArch: 'host.arch',
  osType: 'os.type',
  osDescription: 'os.description',
  containerId: 'container.id',
  podUid: 'k8s.pod.uid',
  sdkName: 'telemetry.sdk.name',
  sdkLanguage: 'telemetry.sdk.language',
  sdkVersion: 'telemetry.sdk.version',

  processPid: 'process.pid',
  processParentPid: 'process.parent_pid',
  processExecutableName: 'process.executable.name',
  processExecutablePath: 'process.executable.path',
  processCommandArgs: 'process.command_args',
  processOwner: 'process.owner',
  processExitCode: 'process.exit.code',

  damage: 'sightline.damage',
  lostBytes: 'sightline.lost_bytes',
  evidence: 'sightline.evidence',
  exchangesLeftOut: 'sightline.http.exchanges_left_out',
  costEstimate: 'sightline.cost.estimate',
  tlsStack: 'sightline.tls.stack',
  tlsSide: 'sightline.tls.side',
  tlsOutcome: 'sightline.tls.handshake.outcome',
  tlsHandshakeDuration: 'sightline.tls.handshake.duration',
  networkPeerInferred: 'sightline.network.peer.inferred',
  turnEndedBy: 'sightline.turn.ended_by',
  linkKind: 'sightline.link.kind',
} as const;

/** Values of `gen_ai.operation.name` we set ourselves; a call brings its own. */
export const Operations = {
  invokeAgent: 'invoke_agent',
  executeTool: 'execute_tool',
} as const;

/** The log event of one model call. */
export const INFERENCE_EVENT = 'gen_ai.client.inference.operation.details';

/** `error.type` when nothing more precise is known. */
export const ERROR_OTHER = '_OTHER';

/** `error.type` of a tool that says of itself that it failed, as the MCP conventions have it. */
export const ERROR_TOOL = 'tool_error';

/** `error.type` of a turn that was closed by its timeout. */
export const ERROR_TIMEOUT = 'timeout';

/** Seconds; the bucket advice of every duration of a model call. */
const DURATION_BUCKETS = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];

/** Tokens: powers of four. */
const TOKEN_BUCKETS = [
  1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864,
];

/** Seconds: between two tokens of a server. */
const OUTPUT_TOKEN_BUCKETS = [
  0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5,
];

/** Seconds: until a server's first token. */
const FIRST_TOKEN_BUCKETS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
];

/** Seconds: an agent's turn takes longer than a call. */
const TURN_BUCKETS = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6];

/** Calls in a turn. */
const COUNT_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128];

export interface MetricDefinition {
  instrument: 'histogram' | 'counter';
  name: string;
  unit: string;
  description: string;
  /** Empty for a counter. */
  buckets: readonly number[];
  /** Values are whole numbers. */
  whole: boolean;
}

function seconds(name: string, description: string, buckets = DURATION_BUCKETS): MetricDefinition {
  return { instrument: 'histogram', name, unit: 's', description, buckets, whole: false };
}

function counts(
  name: string,
  unit: string,
  description: string,
  buckets: readonly number[],
): MetricDefinition {
  return { instrument: 'histogram', name, unit, description, buckets, whole: true };
}

function tokenCounter(name: string, description: string): MetricDefinition {
  return { instrument: 'counter', name, unit: '{token}', description, buckets: [], whole: true };
}

/** Of agents and tools; 1.41.0 has no metric for them, so the names after it serve both generations. */
export const StoryMetrics = {
  invokeAgentDuration: seconds(
    'gen_ai.invoke_agent.duration',
    'Duration of an agent turn.',
    TURN_BUCKETS,
  ),
  invokeAgentInferenceCalls: counts(
    'gen_ai.invoke_agent.inference_calls',
    '{inference_call}',
    'Model calls of an agent turn.',
    COUNT_BUCKETS,
  ),
  invokeAgentToolCalls: counts(
    'gen_ai.invoke_agent.tool_calls',
    '{tool_call}',
    'Tool calls of an agent turn.',
    COUNT_BUCKETS,
  ),
  executeToolDuration: seconds('gen_ai.execute_tool.duration', 'Duration of a tool call.'),
} as const satisfies Record<string, MetricDefinition>;

/** Of model calls, as 1.41.0 has them. */
export const CallMetrics = {
  tokenUsage: counts(
    'gen_ai.client.token.usage',
    '{token}',
    'Number of input and output tokens used.',
    TOKEN_BUCKETS,
  ),
  operationDuration: seconds('gen_ai.client.operation.duration', 'GenAI operation duration.'),
  timeToFirstChunk: seconds(
    'gen_ai.client.operation.time_to_first_chunk',
    'Time from the request to the first chunk of a streamed answer.',
  ),
  timePerOutputChunk: seconds(
    'gen_ai.client.operation.time_per_output_chunk',
    'Time between neighbouring chunks of a streamed answer.',
  ),
} as const satisfies Record<string, MetricDefinition>;

/** Of model calls, as the conventions after 1.41.0 have them. */
export const LatestCallMetrics = {
  inferenceDuration: seconds('gen_ai.client.inference.duration', 'Duration of an inference.'),
  operationDuration: CallMetrics.operationDuration,
  timeToFirstChunk: seconds(
    'gen_ai.client.inference.time_to_first_chunk',
    CallMetrics.timeToFirstChunk.description,
  ),
  timePerOutputChunk: seconds(
    'gen_ai.client.inference.time_per_output_chunk',
    CallMetrics.timePerOutputChunk.description,
  ),
  inputTokens: tokenCounter('gen_ai.client.inference.usage.input_tokens', 'Input tokens used.'),
  outputTokens: tokenCounter('gen_ai.client.inference.usage.output_tokens', 'Output tokens used.'),
  cacheReadInputTokens: tokenCounter(
    'gen_ai.client.inference.usage.cache_read.input_tokens',
    'Input tokens read from a cache of the provider.',
  ),
  cacheWriteInputTokens: tokenCounter(
    'gen_ai.client.inference.usage.cache_write.input_tokens',
    'Input tokens written to a cache of the provider.',
  ),
  reasoningOutputTokens: tokenCounter(
    'gen_ai.client.inference.usage.reasoning.output_tokens',
    'Output tokens used for reasoning.',
  ),
  operationInputTokens: counts(
    'gen_ai.client.inference.operation.input_tokens',
    '{token}',
    'Input tokens of one inference.',
    TOKEN_BUCKETS,
  ),
  operationOutputTokens: counts(
    'gen_ai.client.inference.operation.output_tokens',
    '{token}',
    'Output tokens of one inference.',
    TOKEN_BUCKETS,
  ),
} as const satisfies Record<string, MetricDefinition>;

/** Of model servers, in both generations. */
export const ServerMetrics = {
  requestDuration: seconds(
    'gen_ai.server.request.duration',
    'Time from the request to the last byte of its answer, at the server.',
  ),
  timePerOutputToken: seconds(
    'gen_ai.server.time_per_output_token',
    'Time per token after the first, at the server.',
    OUTPUT_TOKEN_BUCKETS,
  ),
  timeToFirstToken: seconds(
    'gen_ai.server.time_to_first_token',
    'Time from the request to the first piece of the answer, at the server.',
    FIRST_TOKEN_BUCKETS,
  ),
} as const satisfies Record<string, MetricDefinition>;

/**
 * Ours: no conventions have handshakes. From a loopback's millisecond to the timeouts of clients, about two steps a
 * doubling where one round trip differs from two.
 */
const HANDSHAKE_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

export const HandshakeMetrics = {
  duration: seconds(
    'sightline.tls.handshake.duration',
    'Duration of a TLS handshake, from the first call of the library to its outcome.',
    HANDSHAKE_BUCKETS,
  ),
} as const satisfies Record<string, MetricDefinition>;

/** Ours: no conventions have a cost. */
export const COST_METRIC: MetricDefinition = {
  instrument: 'counter',
  name: 'sightline.cost.usage',
  unit: '{USD}',
  description: 'Estimated cost of model calls in US dollars, from a table of list prices.',
  buckets: [],
  whole: false,
};

/** Seconds; stable since 1.23.0. */
const HTTP_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** Of HTTP exchanges that are no model calls. */
export const HttpMetrics = {
  requestDuration: seconds(
    'http.client.request.duration',
    'Duration of HTTP client requests.',
    HTTP_BUCKETS,
  ),
} as const satisfies Record<string, MetricDefinition>;

/** Which conventions are followed: SIGHTLINE_SEMCONV. */
export type Generation = '1.41' | 'latest';

/** Where the generations differ on spans and events. */
export interface Conventions {
  generation: Generation;
  /** Carried by every scope. */
  schemaUrl: string;
  /** Name of the count of input tokens written to a provider's cache. */
  usageCacheWrite: string;
  /** An output message says why it ended, beside `gen_ai.response.finish_reasons`. */
  hasMessageFinishReason: boolean;
  /** System instructions hold text alone. */
  isSystemTextOnly: boolean;
  /** A turn inside a process says provider and cache counts too. */
  isTurnDetailed: boolean;
  /** Counts by modality, what a request goes on from, how much reasoning it asks for, its prompt's version. */
  hasLaterCallAttributes: boolean;
  /** `gen_ai.request.top_k` is an integer, before it was any number. */
  isTopKInteger: boolean;
  /** Methods of HTTP that are told as they are; any other is `_OTHER`. */
  knownHttpMethods: ReadonlySet<string>;
}

/** RFC 9110, PATCH (RFC 5789) and QUERY: the methods that the conventions call known. */
const KNOWN_HTTP_METHODS: ReadonlySet<string> = new Set([
  'CONNECT',
  'DELETE',
  'GET',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'POST',
  'PUT',
  'QUERY',
  'TRACE',
]);

export const CONVENTIONS: Readonly<Record<Generation, Conventions>> = {
  '1.41': {
    generation: '1.41',
    schemaUrl: 'https://opentelemetry.io/schemas/1.41.0',
    usageCacheWrite: Attr.usageCacheCreationInputTokens,
    hasMessageFinishReason: true,
    isSystemTextOnly: false,
    isTurnDetailed: true,
    hasLaterCallAttributes: false,
    isTopKInteger: false,
    knownHttpMethods: KNOWN_HTTP_METHODS,
  },
  latest: {
    generation: 'latest',
    schemaUrl: 'https://opentelemetry.io/schemas/gen-ai/1.42.0',
    usageCacheWrite: Attr.usageCacheWriteInputTokens,
    hasMessageFinishReason: false,
    isSystemTextOnly: true,
    isTurnDetailed: false,
    hasLaterCallAttributes: true,
    isTopKInteger: true,
    knownHttpMethods: KNOWN_HTTP_METHODS,
  },
};

/** `knownHttpMethods`: in place of those that the conventions list. */
export function conventionsOf(
  generation: Generation,
  knownHttpMethods?: readonly string[],
): Conventions {
  const conventions = CONVENTIONS[generation];
  return knownHttpMethods === undefined
    ? conventions
    : { ...conventions, knownHttpMethods: new Set(knownHttpMethods) };
}
