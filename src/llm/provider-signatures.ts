/**
 * Servers that run on any host and port, told by what they alone put into their answers. Where nothing tells, the
 * provider is that of the wire API.
 */
import type { Headers } from '../http/exchange.ts';
import type { JsonPlan } from '../util/json-scanner.ts';
import { deploymentOf } from './azure-deployment.ts';
import { asObject, type JsonObject } from './json-access.ts';

/** https://docs.litellm.ai/docs/proxy/response_headers */
const LITELLM_HEADERS = ['x-litellm-call-id', 'x-litellm-version'] as const;

/** Members of an answer that are there with vLLM alone, mostly null. */
const VLLM_MEMBERS = ['kv_transfer_params', 'prompt_logprobs'] as const;
/** Of a chunk this one, too; a whole answer of TensorRT-LLM has it as well. */
const VLLM_CHUNK_MEMBER = 'prompt_token_ids';
const CHUNK = 'chat.completion.chunk';

/** An object without its members, a list without its items. */
const EMPTY: JsonPlan = { keep: 'all', fields: new Map(), items: { keep: 'skip' } };

/** What `providerOfAnswer` looks at in a whole answer, beside its model and fingerprint: mostly only that it is there. */
export const SIGNATURE_MEMBERS: readonly (readonly [string, JsonPlan])[] = [
  ...[...VLLM_MEMBERS, 'stats'].map((name) => [name, EMPTY] as const),
  ['timings', { keep: 'all', fields: new Map([['predicted_per_second', { keep: 'all' }]]) }],
];

/** The gateway that answered, which hides whoever served it, or the server. `path` is the request's. */
export function providerOfHeaders(headers: Headers, path: string): string | undefined {
  if (LITELLM_HEADERS.some((name) => headers.get(name) !== undefined)) {
    return 'litellm';
  }
  if (headers.get('server') === 'llama.cpp') {
    return 'llama_cpp';
  }
  // Of Azure's services, which all name their region, one has deployments.
  const isAzure = headers.get('x-ms-region') !== undefined && deploymentOf(path) !== undefined;
  return isAzure ? 'azure.ai.openai' : undefined;
}

/** The server that wrote this answer, or chunk of one, of chat completions or completions. */
export function providerOfAnswer(root: JsonObject): string | undefined {
  if (root.system_fingerprint === 'fp_ollama') {
    return 'ollama';
  }
  const isChunkOfVllm = root.object === CHUNK && VLLM_CHUNK_MEMBER in root;
  if (isChunkOfVllm || VLLM_MEMBERS.some((name) => name in root)) {
    return 'vllm';
  }
  if (asObject(root.stats) !== undefined && root.system_fingerprint === root.model) {
    return 'lm_studio';
  }
  const timings = asObject(root.timings);
  return timings !== undefined && 'predicted_per_second' in timings ? 'llama_cpp' : undefined;
}
