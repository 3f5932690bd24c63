/**
 * The embeddings API of OpenAI, Azure, Mistral, vLLM, Ollama and everyone who speaks it. What is embedded, and the
 * vectors, are never kept.
 * https://platform.openai.com/docs/api-reference/embeddings
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import { deploymentOf } from './azure-deployment.ts';
import { asCount, asName, asObject } from './json-access.ts';
import type { Usage } from './model-call.ts';
import { readPlainAnswer } from './openai-plain-answer.ts';
import { providerOfHost } from './provider-hosts.ts';
import { setField } from './set-field.ts';
import type { CallContext, CallTarget, RequestReader, WireApiReader } from './wire-api.ts';

const ALL: JsonPlan = { keep: 'all' };

const REQUEST_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['model', ALL],
    ['encoding_format', ALL],
    ['dimensions', ALL],
    // Only that it is there; texts and tokens in it are dropped.
    ['input', { keep: 'text', items: { keep: 'skip' } }],
  ]),
};

export const openAiEmbeddings: WireApiReader = {
  api: 'openai.embeddings',
  operation: 'embeddings',
  provider: 'openai',
  matches: isEmbeddings,
  readRequest,
  readAnswer: (context, answer) => readPlainAnswer(context, answer, withoutOutput),
};

/** Without a version in the path only where the host is known: Ollama's own API ends like this, too. */
function isEmbeddings({ path, host }: CallTarget): boolean {
  if (!path.endsWith('/embeddings')) {
    return false;
  }
  if (path.endsWith('/v1/embeddings') || deploymentOf(path) !== undefined) {
    return true;
  }
  const provider = host === undefined ? undefined : providerOfHost(host, path);
  return provider !== undefined && provider !== 'ollama';
}

function readRequest({ call }: CallContext, target: CallTarget): RequestReader {
  const request = call.request;
  return {
    plan: REQUEST_PLAN,
    item() {},
    end(root, isWhole) {
      const body = asObject(root);
      setField(request, 'model', asName(body?.model) ?? deploymentOf(target.path));
      const format = asName(body?.encoding_format);
      setField(request, 'encodingFormats', format === undefined ? undefined : [format]);
      setField(request, 'dimensionCount', asCount(body?.dimensions));
      return !isWhole || (body !== undefined && 'input' in body);
    },
  };
}

/** Vectors are no tokens: some servers count 0 of them, which says nothing. */
function withoutOutput({ outputTokens: _, ...usage }: Usage): Usage {
  return usage;
}
