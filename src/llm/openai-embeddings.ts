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

const PATH_END = '/embeddings';
/** Ollama's own API, too, ends like this, and at hosts that are not known it is Ollama's. */
const OLLAMA_PATH_END = '/api/embeddings';

function isEmbeddings({ path, host }: CallTarget): boolean {
  if (!path.endsWith(OLLAMA_PATH_END)) {
    return path.endsWith(PATH_END);
  }
  const provider = host === undefined ? undefined : providerOfHost(host, path);
  return provider !== undefined && provider !== 'ollama';
}

function readRequest(context: CallContext, target: CallTarget): RequestReader {
  const { path } = target;
  const request = context.call.request;
  /** The path may be something else's. */
  const isCommonPath =
    path.endsWith(PATH_END) && !path.endsWith('/v1/embeddings') && deploymentOf(path) === undefined;
  return {
    plan: REQUEST_PLAN,
    item() {},
    end(root, isWhole) {
      const body = asObject(root);
      setField(request, 'model', asName(body?.model) ?? deploymentOf(path));
      const format = asName(body?.encoding_format);
      setField(request, 'encodingFormats', format === undefined ? undefined : [format]);
      setField(request, 'dimensionCount', asCount(body?.dimensions));
      if (isCommonPath && context.isProviderAssumed()) {
        return isWhole && body !== undefined && 'input' in body && request.model !== undefined;
      }
      return !isWhole || (body !== undefined && 'input' in body);
    },
  };
}

/** Vectors are no tokens: some servers count 0 of them, which says nothing. */
function withoutOutput({ outputTokens: _, ...usage }: Usage): Usage {
  return usage;
}
