/**
 * Embeddings of the Gemini API and of Vertex AI. What is embedded, and the vectors, are never kept.
 * https://ai.google.dev/api/embeddings and
 * https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import type { Answer } from './answer.ts';
import { geminiTargetOf, setGoogleProvider } from './gemini-target.ts';
import { GEMINI_USAGE_PLAN, readGeminiUsage } from './gemini-usage.ts';
import { asArray, asCount, asObject, type JsonObject } from './json-access.ts';
import { setField } from './set-field.ts';
import { readWholeAnswer } from './whole-answer.ts';
import type {
  AnswerReader,
  CallContext,
  CallTarget,
  RequestReader,
  WireApiReader,
} from './wire-api.ts';

const ALL: JsonPlan = { keep: 'all' };
const COUNT: JsonPlan = { keep: 'all', fields: new Map() };

/** Only that they are there. */
const PRESENCE: JsonPlan = { keep: 'all', fields: new Map(), items: { keep: 'skip' } };

const REQUEST_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['content', PRESENCE],
    ['instances', PRESENCE],
    ['outputDimensionality', COUNT],
    ['output_dimensionality', COUNT],
    ['parameters', { keep: 'all', fields: new Map([['outputDimensionality', COUNT]]) }],
    [
      'requests',
      {
        keep: 'all',
        emit: 'request',
        items: { keep: 'all', fields: new Map([['outputDimensionality', COUNT]]) },
      },
    ],
  ]),
};

const ANSWER_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['usageMetadata', GEMINI_USAGE_PLAN],
    [
      'predictions',
      {
        keep: 'all',
        items: {
          keep: 'all',
          fields: new Map([
            [
              'embeddings',
              {
                keep: 'all',
                fields: new Map([
                  ['statistics', { keep: 'all', fields: new Map([['token_count', COUNT]]) }],
                ]),
              },
            ],
          ]),
        },
      },
    ],
    ['error', ALL],
  ]),
};
ANSWER_PLAN.items = ANSWER_PLAN;

export const geminiEmbeddings: WireApiReader = {
  api: 'gemini.embeddings',
  operation: 'embeddings',
  provider: 'gcp.gemini',
  matches: ({ path }) => isEmbeddings(path),
  readRequest,
  readAnswer,
};

function isEmbeddings(path: string): boolean {
  if (/:(?:embedContent|batchEmbedContents)$/.test(path)) {
    return true;
  }
  // Vertex AI has one method for models of every kind; those that embed are told by their names.
  return /\/publishers\/google\/models\/[^/:]*(?:embedding|gecko)[^/:]*:predict$/.test(path);
}

function readRequest({ call }: CallContext, target: CallTarget): RequestReader {
  const request = call.request;
  let hasItems = false;
  setGoogleProvider(call, target.path, target.host);

  function setDimensions(value: unknown): void {
    if (request.dimensionCount === undefined) {
      const body = asObject(value);
      const count = asCount(body?.outputDimensionality) ?? asCount(body?.output_dimensionality);
      setField(request, 'dimensionCount', count);
    }
  }

  return {
    plan: REQUEST_PLAN,
    item(_name, value) {
      hasItems = true;
      setDimensions(value);
    },
    end(root, isWhole) {
      const body = asObject(root);
      setField(request, 'model', geminiTargetOf(target.path)?.model);
      setDimensions(body);
      setDimensions(body?.parameters);
      const isCall = body !== undefined && ('content' in body || 'instances' in body || hasItems);
      return !isWhole || isCall;
    },
  };
}

function readAnswer({ call }: CallContext, answer: Answer): AnswerReader {
  function readUsage(body: JsonObject): void {
    const usage = readGeminiUsage(body.usageMetadata) ?? {};
    const counted = countedTokens(body.predictions);
    if (counted !== undefined) {
      usage.inputTokens ??= counted;
    }
    // Vectors are no tokens.
    delete usage.outputTokens;
    if (Object.keys(usage).length > 0) {
      answer.response.usage = usage;
    }
  }

  return readWholeAnswer({
    plan: ANSWER_PLAN,
    body(root, isWhole) {
      const isRefused = (call.httpStatus ?? 0) >= 400;
      answer.failBy(root, isRefused);
      const body = asObject(root);
      // A sum over half a list would be no count of anything.
      if (body !== undefined && !isRefused && (isWhole || body.usageMetadata !== undefined)) {
        readUsage(body);
      }
    },
  });
}

/** The tokens of every text that was embedded; undefined unless each one's are given. */
function countedTokens(predictions: unknown): number | undefined {
  let sum: number | undefined;
  for (const prediction of asArray(predictions) ?? []) {
    const statistics = asObject(asObject(asObject(prediction)?.embeddings)?.statistics);
    const count = asCount(statistics?.token_count);
    if (count === undefined) {
      return undefined;
    }
    sum = (sum ?? 0) + count;
  }
  return sum;
}
