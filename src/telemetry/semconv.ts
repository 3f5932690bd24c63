/**
 * Every name we emit, in one table: a copy of the OpenTelemetry semantic conventions 1.41.0 (GenAI is in
 * Development there, and its npm constants can vanish in any minor release), plus our own `sightline.` names.
 * https://github.com/open-telemetry/semantic-conventions/tree/v1.41.0/docs/gen-ai
 */

/** Says which conventions the names follow; carried by every scope. */
export const SCHEMA_URL = 'https://opentelemetry.io/schemas/1.41.0';

/** Name of our instrumentation scope. */
export const SCOPE_NAME = 'sightline';

export const Attr = {
  operationName: 'gen_ai.operation.name',
  providerName: 'gen_ai.provider.name',
  agentName: 'gen_ai.agent.name',
  outputType: 'gen_ai.output.type',
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

  systemInstructions: 'gen_ai.system_instructions',
  inputMessages: 'gen_ai.input.messages',
  outputMessages: 'gen_ai.output.messages',
  toolDefinitions: 'gen_ai.tool.definitions',

  toolName: 'gen_ai.tool.name',
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

/** Seconds: an agent's turn takes longer than a call. */
const TURN_BUCKETS = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6];

/** Calls in a turn. */
const COUNT_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128];

export interface HistogramDefinition {
  name: string;
  unit: string;
  description: string;
  buckets: readonly number[];
  /** Values are whole numbers. */
  whole: boolean;
}

export const Metrics = {
  tokenUsage: {
    name: 'gen_ai.client.token.usage',
    unit: '{token}',
    description: 'Number of input and output tokens used.',
    buckets: TOKEN_BUCKETS,
    whole: true,
  },
  operationDuration: {
    name: 'gen_ai.client.operation.duration',
    unit: 's',
    description: 'GenAI operation duration.',
    buckets: DURATION_BUCKETS,
    whole: false,
  },
  timeToFirstChunk: {
    name: 'gen_ai.client.operation.time_to_first_chunk',
    unit: 's',
    description: 'Time from the request to the first chunk of a streamed answer.',
    buckets: DURATION_BUCKETS,
    whole: false,
  },
  timePerOutputChunk: {
    name: 'gen_ai.client.operation.time_per_output_chunk',
    unit: 's',
    description: 'Time between neighbouring chunks of a streamed answer.',
    buckets: DURATION_BUCKETS,
    whole: false,
  },
  // The names below are of the conventions after 1.41.0, which has no metric for agents and tools.
  invokeAgentDuration: {
    name: 'gen_ai.invoke_agent.duration',
    unit: 's',
    description: 'Duration of an agent turn.',
    buckets: TURN_BUCKETS,
    whole: false,
  },
  invokeAgentInferenceCalls: {
    name: 'gen_ai.invoke_agent.inference_calls',
    unit: '{inference_call}',
    description: 'Model calls of an agent turn.',
    buckets: COUNT_BUCKETS,
    whole: true,
  },
  invokeAgentToolCalls: {
    name: 'gen_ai.invoke_agent.tool_calls',
    unit: '{tool_call}',
    description: 'Tool calls of an agent turn.',
    buckets: COUNT_BUCKETS,
    whole: true,
  },
  executeToolDuration: {
    name: 'gen_ai.execute_tool.duration',
    unit: 's',
    description: 'Duration of a tool call.',
    buckets: DURATION_BUCKETS,
    whole: false,
  },
} as const satisfies Record<string, HistogramDefinition>;
