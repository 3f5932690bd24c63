/**
 * What the semantic conventions ask of the spans, events and metrics that are ours to emit: names, types, which must be
 * there and which may. Written from the specification, not from `src/telemetry/semconv.ts`, which it is to judge.
 * https://github.com/open-telemetry/semantic-conventions/tree/v1.41.0/docs/gen-ai
 * https://github.com/open-telemetry/semantic-conventions-genai
 */

/** `double` also takes whole numbers: JavaScript's SDK writes those as integers. `json` is a structured value. */
export type ValueType = 'string' | 'int' | 'double' | 'boolean' | 'string[]' | 'json';

/** Which generation has the name; both where nothing is said. */
export type Only = '1.41' | 'latest';

export interface AttributeRule {
  type: ValueType;
  /** In the latest generation, where that differs. */
  latestType?: ValueType;
  /** Must be there always, not only when the wire has it. */
  isRequired?: boolean;
  only?: Only;
  /** The values that the conventions list; others are wrong. */
  values?: readonly (string | boolean)[];
}

export interface SpanRule {
  kind: 'CLIENT' | 'INTERNAL';
  /**
   * Attributes whose values make the span's name, each left out with what stands before it when it is absent; or the name
   * itself.
   */
  name: readonly string[] | string;
  attributes: Readonly<Record<string, AttributeRule>>;
}

export interface MetricRule {
  unit: string;
  kind: 'histogram' | 'counter';
  buckets?: readonly number[];
  isWhole: boolean;
  only?: Only;
  attributes: Readonly<Record<string, AttributeRule>>;
}

const text: AttributeRule = { type: 'string' };
const int: AttributeRule = { type: 'int' };
const double: AttributeRule = { type: 'double' };
const texts: AttributeRule = { type: 'string[]' };
const json: AttributeRule = { type: 'json' };
const required: AttributeRule = { type: 'string', isRequired: true };
const before: Only = '1.41';
const after: Only = 'latest';

/** Ours on any span. */
const DAMAGE = { 'sightline.damage': texts, 'sightline.lost_bytes': int } as const;

const USAGE = {
  'gen_ai.usage.input_tokens': int,
  'gen_ai.usage.output_tokens': int,
  'gen_ai.usage.reasoning.output_tokens': int,
} as const;

const CACHE_USAGE = {
  'gen_ai.usage.cache_read.input_tokens': int,
  'gen_ai.usage.cache_creation.input_tokens': { ...int, only: before },
  'gen_ai.usage.cache_write.input_tokens': { ...int, only: after },
} as const;

const MODALITY_USAGE: Record<string, AttributeRule> = {};
for (const modality of ['text', 'image', 'audio']) {
  for (const count of ['input_tokens', 'output_tokens', 'cache_read.input_tokens']) {
    MODALITY_USAGE[`gen_ai.usage.${modality}.${count}`] = { ...int, only: after };
  }
}

const SERVER = {
  'server.address': text,
  'server.port': int,
  'network.peer.address': text,
  'network.peer.port': int,
  'network.type': { ...text, values: ['ipv4', 'ipv6'] },
  // Ours, where the socket was not seen in the connection's own calls.
  'sightline.network.peer.inferred': { type: 'boolean', values: [true] },
} as const satisfies Record<string, AttributeRule>;

const CONTENT = {
  'gen_ai.system_instructions': json,
  'gen_ai.input.messages': json,
  'gen_ai.output.messages': json,
  'gen_ai.tool.definitions': json,
} as const;

const OPENAI = {
  'openai.api.type': { ...text, values: ['chat_completions', 'responses'] },
  'openai.request.service_tier': text,
  'openai.response.service_tier': text,
  'openai.response.system_fingerprint': text,
} as const satisfies Record<string, AttributeRule>;

const CALL: Readonly<Record<string, AttributeRule>> = {
  'gen_ai.operation.name': {
    ...required,
    values: [
      'chat',
      'text_completion',
      'generate_content',
      'embeddings',
      'fetch_response',
      'moderation',
      'classification',
    ],
  },
  'gen_ai.provider.name': required,
  'gen_ai.request.model': text,
  'error.type': text,
  'gen_ai.conversation.id': text,
  'gen_ai.output.type': { ...text, values: ['text', 'json', 'image', 'speech'] },
  'gen_ai.request.choice.count': int,
  'gen_ai.request.seed': int,
  'gen_ai.request.stream': { type: 'boolean', values: [true] },
  'gen_ai.request.max_tokens': int,
  'gen_ai.request.temperature': double,
  'gen_ai.request.top_p': double,
  'gen_ai.request.top_k': { ...double, latestType: 'int' },
  'gen_ai.request.frequency_penalty': double,
  'gen_ai.request.presence_penalty': double,
  'gen_ai.request.stop_sequences': texts,
  'gen_ai.request.encoding_formats': texts,
  'gen_ai.request.previous_response.id': { ...text, only: after },
  'gen_ai.request.reasoning.level': { ...text, only: after },
  'gen_ai.request.stream_cursor': { ...text, only: after },
  'gen_ai.prompt.version': { ...text, only: after },
  'gen_ai.prompt.variable.*': { ...text, only: after },
  // Never false: then it is left out.
  'gen_ai.conversation.compacted': { type: 'boolean', only: after, values: [true] },
  'gen_ai.embeddings.dimension.count': int,
  'gen_ai.response.id': text,
  'gen_ai.response.model': text,
  'gen_ai.response.finish_reasons': texts,
  'gen_ai.response.time_to_first_chunk': double,
  'aws.bedrock.guardrail.id': text,
  'aws.bedrock.knowledge_base.id': text,
  'azure.resource_provider.namespace': text,
  ...USAGE,
  ...CACHE_USAGE,
  ...MODALITY_USAGE,
  ...SERVER,
  ...OPENAI,
  ...CONTENT,
  ...DAMAGE,
  'process.pid': int,
  'process.executable.name': text,
  'sightline.cost.estimate': double,
};

const INVOKE_AGENT: Readonly<Record<string, AttributeRule>> = {
  'gen_ai.operation.name': { ...required, values: ['invoke_agent'] },
  'gen_ai.provider.name': { ...text, only: before },
  'gen_ai.agent.name': text,
  'gen_ai.conversation.id': text,
  'gen_ai.request.model': text,
  'gen_ai.response.finish_reasons': texts,
  'error.type': text,
  ...USAGE,
  'gen_ai.usage.cache_read.input_tokens': { ...int, only: before },
  'gen_ai.usage.cache_creation.input_tokens': { ...int, only: before },
  ...CONTENT,
  'sightline.http.exchanges_left_out': int,
  ...DAMAGE,
  'sightline.turn.ended_by': {
    ...required,
    values: ['answer', 'new-prompt', 'process-exit', 'timeout', 'source-end', 'error'],
  },
  'sightline.cost.estimate': double,
};

const EVIDENCE: AttributeRule = { ...required, values: ['wire', 'process', 'wire+process'] };

const EXECUTE_TOOL: Readonly<Record<string, AttributeRule>> = {
  'gen_ai.operation.name': { ...required, values: ['execute_tool'] },
  'gen_ai.tool.name': required,
  'gen_ai.tool.type': { ...text, values: ['function', 'extension', 'datastore'] },
  'gen_ai.tool.call.id': text,
  'gen_ai.tool.description': text,
  'gen_ai.tool.call.arguments': text,
  'gen_ai.tool.call.result': text,
  'error.type': text,
  'sightline.evidence': EVIDENCE,
  ...DAMAGE,
};

/** https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/cli/cli-spans.md */
const PROCESS: Readonly<Record<string, AttributeRule>> = {
  'process.pid': { ...int, isRequired: true },
  'process.parent_pid': int,
  'process.executable.name': text,
  'process.executable.path': text,
  'process.command_args': texts,
  // Absent where a signal ended it, or where it still ran: there was none.
  'process.exit.code': int,
  'error.type': text,
  'sightline.evidence': EVIDENCE,
  'sightline.http.exchanges_left_out': int,
  ...DAMAGE,
};

/** https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/http/http-spans.md#http-client-span */
const METHODS = [
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
  '_OTHER',
];
const METHOD: AttributeRule = { ...required, values: METHODS };

const HTTP_BASE: Readonly<Record<string, AttributeRule>> = {
  'http.request.method': METHOD,
  'server.address': required,
  'server.port': { ...int, isRequired: true },
  'url.scheme': { ...text, values: ['http', 'https'] },
  'http.response.status_code': int,
  'error.type': text,
  'network.protocol.name': { ...text, values: ['http'] },
  'network.protocol.version': { ...text, values: ['1.0', '1.1', '2', '3'] },
};

const HTTP: Readonly<Record<string, AttributeRule>> = {
  ...HTTP_BASE,
  'http.request.method_original': text,
  'http.request.body.size': int,
  'http.response.body.size': int,
  'url.full': required,
  ...SERVER,
  'server.address': required,
  'server.port': { ...int, isRequired: true },
  'process.pid': int,
  'process.executable.name': text,
  ...DAMAGE,
};

/** A tunnel has no URL. */
const TUNNEL = { ...HTTP, 'url.full': text };

/** `HTTP` stands for a method that is not known. */
function httpName(method: unknown): string {
  return method === '_OTHER' ? 'HTTP' : String(method);
}

const CALL_NAME = ['gen_ai.operation.name', 'gen_ai.request.model'];

/** By what only its kind has; a span with nothing of the kind is a process. */
export function spanRule(attributes: Readonly<Record<string, unknown>>): SpanRule {
  const method = attributes['http.request.method'];
  if (method !== undefined) {
    const rules = method === 'CONNECT' ? TUNNEL : HTTP;
    return { kind: 'CLIENT', name: httpName(method), attributes: rules };
  }
  switch (attributes['gen_ai.operation.name']) {
    case 'invoke_agent':
      return {
        kind: 'INTERNAL',
        name: ['gen_ai.operation.name', 'gen_ai.agent.name'],
        attributes: INVOKE_AGENT,
      };
    case 'execute_tool':
      return {
        kind: 'INTERNAL',
        name: ['gen_ai.operation.name', 'gen_ai.tool.name'],
        attributes: EXECUTE_TOOL,
      };
    case undefined:
      return { kind: 'INTERNAL', name: ['process.executable.name'], attributes: PROCESS };
    default:
      return { kind: 'CLIENT', name: CALL_NAME, attributes: CALL };
  }
}

/** Of `gen_ai.client.inference.operation.details`: a call's, without the provider, and never of embeddings. */
export const EVENT_ATTRIBUTES: Readonly<Record<string, AttributeRule>> = Object.fromEntries(
  Object.entries(CALL).filter(([name]) => name !== 'gen_ai.provider.name'),
);

const BASE: Readonly<Record<string, AttributeRule>> = {
  'gen_ai.operation.name': required,
  'gen_ai.provider.name': required,
  'gen_ai.request.model': text,
  'gen_ai.response.model': text,
  'server.address': text,
  'server.port': int,
  'openai.response.service_tier': text,
  'openai.response.system_fingerprint': text,
};

const BASE_WITH_ERROR = { ...BASE, 'error.type': text };

const WITH_TYPE = {
  ...BASE,
  'gen_ai.token.type': { ...required, values: ['input', 'output'] },
} as const;

const WITH_MODALITY = {
  ...BASE,
  'gen_ai.token.modality': { ...required, values: ['text', 'image', 'audio', 'unknown'] },
} as const;

const DURATION = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
const TOKENS = [
  1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864,
];
const OUTPUT_TOKEN = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5];
const FIRST_TOKEN = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
];
const TURN = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6];
const HTTP_DURATION = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const COUNT = [1, 2, 4, 8, 16, 32, 64, 128];

function time(
  attributes: Readonly<Record<string, AttributeRule>>,
  buckets: readonly number[] = DURATION,
): MetricRule {
  return { unit: 's', kind: 'histogram', buckets, isWhole: false, attributes };
}

function tokens(kind: MetricRule['kind'], attributes: MetricRule['attributes']): MetricRule {
  const rule: MetricRule = { unit: '{token}', kind, isWhole: true, attributes };
  return kind === 'histogram' ? { ...rule, buckets: TOKENS } : rule;
}

function only(generation: Only, rule: MetricRule): MetricRule {
  return { ...rule, only: generation };
}

const AGENT = { 'gen_ai.agent.name': text } as const;

export const METRICS: Readonly<Record<string, MetricRule>> = {
  'gen_ai.client.token.usage': only(before, tokens('histogram', WITH_TYPE)),
  'gen_ai.client.operation.duration': time(BASE_WITH_ERROR),
  'gen_ai.client.operation.time_to_first_chunk': only(before, time(BASE)),
  'gen_ai.client.operation.time_per_output_chunk': only(before, time(BASE)),
  'gen_ai.client.inference.duration': only(after, time(BASE_WITH_ERROR)),
  'gen_ai.client.inference.time_to_first_chunk': only(after, time(BASE)),
  'gen_ai.client.inference.time_per_output_chunk': only(after, time(BASE)),
  'gen_ai.client.inference.usage.input_tokens': only(after, tokens('counter', WITH_MODALITY)),
  'gen_ai.client.inference.usage.output_tokens': only(after, tokens('counter', WITH_MODALITY)),
  'gen_ai.client.inference.usage.cache_read.input_tokens': only(
    after,
    tokens('counter', WITH_MODALITY),
  ),
  'gen_ai.client.inference.usage.cache_write.input_tokens': only(
    after,
    tokens('counter', WITH_MODALITY),
  ),
  'gen_ai.client.inference.usage.reasoning.output_tokens': only(
    after,
    tokens('counter', WITH_MODALITY),
  ),
  'gen_ai.client.inference.operation.input_tokens': only(
    after,
    tokens('histogram', BASE_WITH_ERROR),
  ),
  'gen_ai.client.inference.operation.output_tokens': only(
    after,
    tokens('histogram', BASE_WITH_ERROR),
  ),
  'gen_ai.server.request.duration': time(BASE_WITH_ERROR),
  'gen_ai.server.time_per_output_token': time(BASE, OUTPUT_TOKEN),
  'gen_ai.server.time_to_first_token': time(BASE, FIRST_TOKEN),
  'gen_ai.invoke_agent.duration': time({ ...AGENT, 'error.type': text }, TURN),
  'gen_ai.invoke_agent.inference_calls': {
    unit: '{inference_call}',
    kind: 'histogram',
    buckets: COUNT,
    isWhole: true,
    attributes: AGENT,
  },
  'gen_ai.invoke_agent.tool_calls': {
    unit: '{tool_call}',
    kind: 'histogram',
    buckets: COUNT,
    isWhole: true,
    attributes: AGENT,
  },
  'gen_ai.execute_tool.duration': time({
    ...AGENT,
    'gen_ai.tool.name': required,
    'gen_ai.tool.type': text,
    'error.type': text,
  }),
  'http.client.request.duration': time(HTTP_BASE, HTTP_DURATION),
  'sightline.cost.usage': {
    unit: '{USD}',
    kind: 'counter',
    isWhole: false,
    attributes: BASE,
  },
};
