/**
 * Embeddings of models on Amazon Bedrock. The vectors are never kept.
 * https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import type { Answer } from './answer.ts';
import { COHERE_USAGE_PLAN, readCohereUsage } from './cohere-usage.ts';
import { asCount, asObject } from './json-access.ts';
import { readWholeAnswer } from './whole-answer.ts';
import type { AnswerReader } from './wire-api.ts';

const PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['id', { keep: 'all' }],
    ['inputTextTokenCount', { keep: 'all', fields: new Map() }],
    ['meta', COHERE_USAGE_PLAN],
  ]),
};

export function readBedrockEmbeddings(answer: Answer): AnswerReader {
  return readWholeAnswer({
    plan: PLAN,
    body(root) {
      const body = asObject(root);
      answer.setId(body?.id);
      const count = asCount(body?.inputTextTokenCount) ?? readCohereUsage(body?.meta)?.inputTokens;
      if (count !== undefined) {
        answer.response.usage = { inputTokens: count };
      }
    },
  });
}
