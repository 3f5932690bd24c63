/**
 * Completions of a prompt by models on Amazon Bedrock: Titan, Llama, Mistral, Cohere's and AI21's older ones, and those
 * that answer as OpenAI's completions do.
 * https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
 */
import { type JsonPlan, textPrefix } from '../util/json-scanner.ts';
import type { Answer } from './answer.ts';
import { INVOCATION_METRICS } from './bedrock-usage.ts';
import { createGrowingText, type GrowingText } from './growing-text.ts';
import { asArray, asCount, asName, asObject, type JsonObject, parseObject } from './json-access.ts';
import type { Usage } from './model-call.ts';
import { asText } from './openai-message.ts';
import type { AnswerReader } from './wire-api.ts';

const ALL: JsonPlan = { keep: 'all' };
const TEXT: JsonPlan = { keep: 'text' };
const COUNT: JsonPlan = { keep: 'all', fields: new Map() };

/** One completion of several. */
const COMPLETION: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['index', ALL],
    ['outputText', TEXT],
    ['text', TEXT],
    ['completionReason', ALL],
    ['stop_reason', ALL],
    ['finish_reason', ALL],
    ['tokenCount', COUNT],
    // AI21's Jurassic has both a level deeper.
    ['data', { keep: 'all', fields: new Map([['text', TEXT]]) }],
    ['finishReason', { keep: 'all', fields: new Map([['reason', ALL]]) }],
  ]),
};
const COMPLETIONS: JsonPlan = { keep: 'all', items: COMPLETION };

const PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['id', ALL],
    ['results', COMPLETIONS],
    ['outputs', COMPLETIONS],
    ['generations', COMPLETIONS],
    ['choices', COMPLETIONS],
    ['completions', COMPLETIONS],
    ['generation', TEXT],
    ['completion', TEXT],
    ['stop_reason', ALL],
    ['inputTextTokenCount', COUNT],
    ['prompt_token_count', COUNT],
    ['generation_token_count', COUNT],
  ]),
};

export function readBedrockText(answer: Answer): AnswerReader {
  const texts = new Map<number, GrowingText>();
  let hasEnded = false;
  /** Counts of several completions are told one by one. */
  const outputs = new Map<number, number>();

  function append(index: number, value: unknown, isStreamed: boolean, timeNs: bigint): void {
    const choice = answer.choice(index);
    const text = asText(value);
    if (choice === undefined || text === undefined) {
      return;
    }
    if (!isStreamed || typeof text !== 'string') {
      choice.addItem({ kind: 'text', text }, timeNs);
      return;
    }
    let growing = texts.get(index);
    if (growing === undefined) {
      growing = createGrowingText();
      texts.set(index, growing);
    }
    growing.append(choice, 'text', text, timeNs);
  }

  function finish(index: number, reason: unknown): void {
    const choice = answer.choice(index);
    const name = asName(reason);
    if (choice !== undefined && name !== undefined) {
      choice.finishReason = name;
    }
  }

  function readCompletion(
    value: JsonObject,
    position: number,
    isStreamed: boolean,
    timeNs: bigint,
  ): void {
    const index = asCount(value.index) ?? position;
    const text = value.outputText ?? value.text ?? asObject(value.data)?.text;
    append(index, text, isStreamed, timeNs);
    const reason = value.completionReason ?? value.stop_reason ?? value.finish_reason;
    finish(index, reason ?? asObject(value.finishReason)?.reason);
    const count = asCount(value.tokenCount);
    if (count !== undefined) {
      outputs.set(index, count);
    }
  }

  function read(root: JsonObject, isStreamed: boolean, timeNs: bigint): void {
    answer.setId(root.id);
    const list =
      root.results ?? root.outputs ?? root.generations ?? root.choices ?? root.completions;
    for (const [position, value] of (asArray(list) ?? []).entries()) {
      readCompletion(asObject(value) ?? {}, position, isStreamed, timeNs);
    }
    append(0, root.generation ?? root.completion, isStreamed, timeNs);
    finish(0, root.stop_reason);
    if (textPrefix(root.outputText) !== undefined) {
      // Titan's stream has the members of a completion without a list.
      append(asCount(root.index) ?? 0, root.outputText, isStreamed, timeNs);
      finish(asCount(root.index) ?? 0, root.completionReason);
    }
    readUsage(root);
    hasEnded ||= root[INVOCATION_METRICS] !== undefined;
  }

  function readUsage(root: JsonObject): void {
    const usage: Usage = { ...answer.response.usage };
    const input = asCount(root.inputTextTokenCount) ?? asCount(root.prompt_token_count);
    const listed =
      outputs.size === 0 ? undefined : [...outputs.values()].reduce((a, b) => a + b, 0);
    const output =
      asCount(root.generation_token_count) ?? asCount(root.totalOutputTextTokenCount) ?? listed;
    if (input !== undefined) {
      usage.inputTokens = input;
    }
    if (output !== undefined) {
      usage.outputTokens = output;
    }
    answer.response.usage = usage;
  }

  return {
    plan: PLAN,
    body(root, _isWhole, timeNs) {
      const body = asObject(root);
      if (body !== undefined) {
        read(body, false, timeNs);
      }
    },
    event(_name, data, timeNs) {
      const root = parseObject(data);
      if (root === undefined) {
        return false;
      }
      read(root, true, timeNs);
      return true;
    },
    gap() {
      for (const text of texts.values()) {
        text.close();
      }
    },
    // The service's own metrics, in the last event, may come behind the finish reason.
    get isDone() {
      return hasEnded;
    },
    mayEnd: () => answer.isFinished,
  };
}
