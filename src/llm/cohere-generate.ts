/**
 * Completions of a prompt, which version 1 of Cohere's API still has.
 * https://docs.cohere.com/reference/generate
 */
import type { JsonPlan } from '../util/json-scanner.ts';
import type { Answer } from './answer.ts';
import { cohereLines } from './cohere-lines.ts';
import { COHERE_PARAMETERS, setCohereParameters } from './cohere-parameters.ts';
import { COHERE_USAGE_PLAN, readCohereUsage } from './cohere-usage.ts';
import { createGrowingText, type GrowingText } from './growing-text.ts';
import {
  asArray,
  asCount,
  asName,
  asObject,
  asTexts,
  type JsonObject,
  parseObject,
} from './json-access.ts';
import { asText } from './openai-message.ts';
import { createRequestMessages } from './request-messages.ts';
import { setField } from './set-field.ts';
import type { AnswerReader, CallContext, RequestReader, WireApiReader } from './wire-api.ts';
import type { WireMessage } from './wire-message.ts';

const ALL: JsonPlan = { keep: 'all' };
const TEXT: JsonPlan = { keep: 'text' };

const REQUEST_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ...COHERE_PARAMETERS,
    ['num_generations', ALL],
    ['end_sequences', ALL],
    ['prompt', TEXT],
  ]),
};

const ANSWER_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['id', ALL],
    [
      'generations',
      {
        keep: 'all',
        items: {
          keep: 'all',
          fields: new Map<string, JsonPlan>([
            ['index', ALL],
            ['text', TEXT],
            ['finish_reason', ALL],
          ]),
        },
      },
    ],
    ['meta', COHERE_USAGE_PLAN],
    ['message', ALL],
    ['error', ALL],
  ]),
};

export const cohereGenerate: WireApiReader = {
  api: 'cohere.generate',
  operation: 'text_completion',
  provider: 'cohere',
  matches: ({ path }) => path.endsWith('/v1/generate'),
  readRequest,
  readAnswer,
};

function readRequest(context: CallContext): RequestReader {
  const { call } = context;
  const { request } = call;
  const messages = createRequestMessages(context, (value) => value as WireMessage);
  return {
    plan: REQUEST_PLAN,
    item() {},
    end(root, isWhole) {
      const body = asObject(root) ?? {};
      setCohereParameters(request, body);
      setField(request, 'choiceCount', asCount(body.num_generations));
      const stops = [
        ...(asTexts(body.stop_sequences) ?? []),
        ...(asTexts(body.end_sequences) ?? []),
      ];
      setField(request, 'stopSequences', stops.length === 0 ? undefined : stops);
      const text = asText(body.prompt);
      if (text !== undefined) {
        messages.add({ role: 'user', items: [{ kind: 'text', text }] }, isWhole);
      }
      // Others have such a path, too; their bodies name no model.
      const isOwn = !context.isProviderAssumed() || request.model !== undefined;
      return isOwn && ('prompt' in body || !isWhole);
    },
  };
}

function readAnswer({ call }: CallContext, answer: Answer): AnswerReader {
  const texts = new Map<number, GrowingText>();
  let isDone = false;

  function setReason(index: number, value: unknown): void {
    const reason = asName(value);
    const choice = reason === undefined ? undefined : answer.choice(index);
    if (choice === undefined) {
      return;
    }
    choice.finishReason = reason;
    if (reason === 'ERROR' || reason === 'TIMEOUT') {
      answer.fail(reason, undefined);
    }
  }

  function readHead(value: JsonObject): void {
    answer.setId(value.id);
    const usage = readCohereUsage(value.meta);
    if (usage !== undefined) {
      answer.response.usage = usage;
    }
  }

  /** Whole texts: those of an answer, or at the end of a stream, where they repeat what it said. */
  function readGenerations(value: JsonObject, isWhole: boolean, timeNs: bigint): void {
    for (const [position, entry] of (asArray(value.generations) ?? []).entries()) {
      const generation = asObject(entry) ?? {};
      const index = asCount(generation.index) ?? position;
      const choice = answer.choice(index);
      const text = asText(generation.text);
      if (choice?.slots.length === 0 && text !== undefined) {
        choice.addItem({ kind: 'text', text }, timeNs);
      }
      if (choice !== undefined) {
        // Some answers have no reasons.
        choice.isEnded = isWhole;
      }
      setReason(index, generation.finish_reason);
    }
  }

  function append(root: JsonObject, timeNs: bigint): void {
    const index = asCount(root.index) ?? 0;
    const choice = answer.choice(index);
    if (choice === undefined || typeof root.text !== 'string') {
      return;
    }
    let text = texts.get(index);
    if (text === undefined) {
      text = createGrowingText();
      texts.set(index, text);
    }
    text.append(choice, 'text', root.text, timeNs);
  }

  function readLine(root: JsonObject, timeNs: bigint): void {
    switch (root.event_type) {
      case 'text-generation':
        append(root, timeNs);
        return;
      case 'stream-error':
        answer.failBy({ code: root.finish_reason, message: root.err }, true);
        return;
      case 'stream-end': {
        const response = asObject(root.response) ?? {};
        readHead(response);
        readGenerations(response, true, timeNs);
        if (asArray(response.generations) === undefined) {
          setReason(0, root.finish_reason);
        }
        isDone = call.error === undefined;
        return;
      }
      default:
      // Events that are newer than this.
    }
  }

  return {
    plan: ANSWER_PLAN,
    formatOf: cohereLines(call),
    body(root, isWhole, timeNs) {
      if ((call.httpStatus ?? 0) >= 400) {
        answer.failBy(root, true);
        return;
      }
      const body = asObject(root) ?? {};
      readGenerations(body, isWhole, timeNs);
      readHead(body);
    },
    event(_name, data, timeNs) {
      const root = parseObject(data);
      if (root === undefined) {
        return data.trim() === '[DONE]';
      }
      readLine(root, timeNs);
      return true;
    },
    gap() {
      for (const text of texts.values()) {
        text.close();
      }
    },
    get isDone() {
      return isDone;
    },
  };
}
