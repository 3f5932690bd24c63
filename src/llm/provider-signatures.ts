/**
 * Servers that run on any host and port, told by what they alone put into their answers. Where nothing tells, the
 * provider is that of the wire API.
 */
import type { Headers } from '../http/exchange.ts';
import { asObject, type JsonObject } from './json-access.ts';

/** https://docs.litellm.ai/docs/proxy/response_headers */
const LITELLM_HEADERS = ['x-litellm-call-id', 'x-litellm-version'] as const;

/** Members of an answer that are there with vLLM alone, mostly null. */
export const VLLM_MEMBERS = ['kv_transfer_params', 'prompt_logprobs', 'prompt_token_ids'] as const;

/** The gateway that answered; it hides whoever served it. */
export function providerOfHeaders(headers: Headers): string | undefined {
  return LITELLM_HEADERS.some((name) => headers.get(name) !== undefined) ? 'litellm' : undefined;
}

/** The server that wrote this answer, or chunk of one, of chat completions. */
export function providerOfAnswer(root: JsonObject): string | undefined {
  if (root.system_fingerprint === 'fp_ollama') {
    return 'ollama';
  }
  if (VLLM_MEMBERS.some((name) => name in root)) {
    return 'vllm';
  }
  if (asObject(root.stats) !== undefined && root.system_fingerprint === root.model) {
    return 'lm_studio';
  }
  const timings = asObject(root.timings);
  return timings !== undefined && 'predicted_per_second' in timings ? 'llama_cpp' : undefined;
}
