/**
 * The older completions API of OpenAI, vLLM, LM Studio and everyone who still speaks it: one prompt, no messages.
 * https://platform.openai.com/docs/api-reference/completions
 */
import { type JsonPlan, textPrefix } from '../util/json-scanner.ts';
import type { Answer, Choice } from './answer.ts';
import { deploymentOf } from './azure-deployment.ts';
import { ERROR_MEMBERS } from './error-body.ts';
import {
  asArray,
  asCount,
  asName,
  asNumber,
  asObject,
  asTexts,
  type JsonObject,
  parseObject,
} from './json-access.ts';
import { asText } from './openai-message.ts';
import { OPENAI_USAGE_PLAN, readOpenAiUsage } from './openai-usage.ts';
import { providerOfAnswer, SIGNATURE_MEMBERS } from './provider-signatures.ts';
import { createRequestMessages } from './request-messages.ts';
import { setField } from './set-field.ts';
import type {
  AnswerReader,
  CallContext,
  CallTarget,
  RequestReader,
  WireApiReader,
} from './wire-api.ts';
import type { WireItem, WireMessage } from './wire-message.ts';

const ALL: JsonPlan = { keep: 'all' };
const TEXT: JsonPlan = { keep: 'text' };

const SCALARS = [
  'model',
  'stream',
  'max_tokens',
  'temperature',
  'top_p',
  'top_k',
  'frequency_penalty',
  'presence_penalty',
  'stop',
  'seed',
  'n',
] as const;

const REQUEST_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ...SCALARS.map((name): [string, JsonPlan] => [name, ALL]),
    ['prompt', TEXT],
  ]),
};

const ANSWER_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['id', ALL],
    ['model', ALL],
    ['system_fingerprint', ALL],
    ['usage', OPENAI_USAGE_PLAN],
    [
      'choices',
      {
        keep: 'all',
        items: {
          keep: 'all',
          fields: new Map<string, JsonPlan>([
            ['index', ALL],
            ['text', TEXT],
            ['message', { keep: 'all', fields: new Map([['content', TEXT]]) }],
            ['finish_reason', ALL],
          ]),
        },
      },
    ],
    ...SIGNATURE_MEMBERS,
    ...ERROR_MEMBERS,
  ]),
};

export const openAiCompletions: WireApiReader = {
  api: 'openai.completions',
  operation: 'text_completion',
  provider: 'openai',
  matches: ({ path }) => isCompletions(path) && !path.endsWith('/chat/completions'),
  readRequest,
  readAnswer,
};

function isCompletions(path: string): boolean {
  return path.endsWith('/completions');
}

/** A path that no other API has; any `/completions` may be something else's. */
const OWN_PATH = /\/(?:v1|fim|deployments\/[^/]+)\/completions$/;

function readRequest(context: CallContext, target: CallTarget): RequestReader {
  const request = context.call.request;
  const messages = createRequestMessages(context, (value) => value as WireMessage);
  const isCommonPath = isCompletions(target.path) && !OWN_PATH.test(target.path);

  function addPrompt(value: unknown, isWhole: boolean): void {
    const items: WireItem[] = [];
    for (const prompt of asArray(value) ?? [value]) {
      const text = asText(prompt);
      // Tokens instead of a text are no content that could be shown.
      if (text !== undefined) {
        items.push({ kind: 'text', text });
      }
    }
    if (items.length > 0) {
      messages.add({ role: 'user', items }, isWhole);
    }
  }

  function setParameters(body: JsonObject): void {
    setField(request, 'model', asName(body.model) ?? deploymentOf(target.path));
    setField(request, 'stream', typeof body.stream === 'boolean' ? body.stream : undefined);
    setField(request, 'maxTokens', asCount(body.max_tokens));
    setField(request, 'temperature', asNumber(body.temperature));
    setField(request, 'topP', asNumber(body.top_p));
    setField(request, 'topK', asNumber(body.top_k));
    setField(request, 'frequencyPenalty', asNumber(body.frequency_penalty));
    setField(request, 'presencePenalty', asNumber(body.presence_penalty));
    setField(request, 'seed', asNumber(body.seed));
    setField(request, 'choiceCount', asCount(body.n));
    setField(request, 'stopSequences', asTexts(body.stop));
  }

  return {
    plan: REQUEST_PLAN,
    item() {},
    end(root, isWhole) {
      const body = asObject(root);
      if (body !== undefined) {
        setParameters(body);
        addPrompt(body.prompt, isWhole);
      }
      if (isCommonPath && context.isProviderAssumed()) {
        return isWhole && body !== undefined && 'prompt' in body && request.model !== undefined;
      }
      return !isWhole || (body !== undefined && ('prompt' in body || 'model' in body));
    },
  };
}

function readAnswer(context: CallContext, answer: Answer): AnswerReader {
  const { call } = context;
  const texts = new Map<number, ReturnType<Choice['beginText']>>();
  let isDone = false;

  function readHead(root: JsonObject): void {
    answer.setId(root.id);
    answer.setModel(root.model);
    answer.setSystemFingerprint(root.system_fingerprint);
    if (context.isProviderAssumed()) {
      call.provider = providerOfAnswer(root) ?? call.provider;
    }
    const usage = readOpenAiUsage(root.usage);
    if (usage !== undefined) {
      answer.response.usage = usage;
    }
  }

  function append(index: number, choice: Choice, text: string, timeNs: bigint): void {
    if (text.length === 0) {
      return;
    }
    const slot = texts.get(index) ?? choice.beginText('text');
    texts.set(index, slot);
    if (slot !== undefined) {
      choice.append(slot, text, timeNs);
    }
  }

  /** A whole answer's choices, or what a chunk adds to each. */
  function readChoices(root: JsonObject, isChunk: boolean, timeNs: bigint): void {
    (asArray(root.choices) ?? []).forEach((value, position) => {
      const own = asObject(value);
      const index = asCount(own?.index) ?? position;
      const choice = own && answer.choice(index);
      if (own === undefined || choice === undefined) {
        return;
      }
      // Mistral fills a hole in a text by a message.
      const message = asObject(isChunk ? own.delta : own.message);
      const text = asText(own.text) ?? asText(message?.content);
      if (isChunk) {
        append(index, choice, textPrefix(text) ?? '', timeNs);
      } else if (text !== undefined) {
        choice.addItem({ kind: 'text', text }, timeNs);
      }
      choice.finishReason = asName(own.finish_reason) ?? choice.finishReason;
    });
  }

  return {
    plan: ANSWER_PLAN,
    body(root, _isWhole, timeNs) {
      const isRefused = (call.httpStatus ?? 0) >= 400;
      answer.failBy(root, isRefused);
      const body = asObject(root);
      if (body !== undefined && !isRefused) {
        readChoices(body, false, timeNs);
        readHead(body);
      }
    },
    event(name, data, timeNs) {
      if (isDone) {
        return true;
      }
      if (data.trim() === '[DONE]') {
        isDone = true;
        return true;
      }
      const root = parseObject(data);
      if (root === undefined) {
        return false;
      }
      answer.failBy(root, name === 'error');
      readChoices(root, true, timeNs);
      readHead(root);
      return true;
    },
    gap() {
      texts.clear();
    },
    get isDone() {
      return isDone;
    },
    mayEnd: () => answer.isFinished,
  };
}
