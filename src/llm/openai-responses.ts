/**
 * The responses API of OpenAI, Azure and everyone who speaks it.
 * https://platform.openai.com/docs/api-reference/responses and …/responses-streaming
 */
import { type JsonPlan, textPrefix } from '../util/json-scanner.ts';
import type { Answer } from './answer.ts';
import { ERROR_MEMBERS } from './error-body.ts';
import {
  asArray,
  asCount,
  asName,
  asNumber,
  asObject,
  type JsonObject,
  parseObject,
} from './json-access.ts';
import { outputType } from './openai-chat-completions.ts';
import { isNamedCall, OPENAI_ITEM_PLAN, qualifiedName, readOpenAiItem } from './openai-item.ts';
import { asText } from './openai-message.ts';
import { conversationOf, createResponseEvents } from './openai-response-events.ts';
import { OPENAI_USAGE_PLAN } from './openai-usage.ts';
import { createRequestMessages } from './request-messages.ts';
import { setField } from './set-field.ts';
import { readToolDefinition, toolDefinitionPlan } from './tool-definition.ts';
import type {
  AnswerReader,
  CallContext,
  CallTarget,
  RequestReader,
  WireApiReader,
} from './wire-api.ts';
import { partsOf, type WireMessage } from './wire-message.ts';

const ALL: JsonPlan = { keep: 'all' };
const SKIP: JsonPlan = { keep: 'skip' };

const SCALARS = [
  'model',
  'stream',
  'max_output_tokens',
  'temperature',
  'top_p',
  'service_tier',
  'previous_response_id',
  'background',
] as const;

const CONVERSATION: JsonPlan = { keep: 'all', fields: new Map([['id', ALL]]) };

function requestPlan(isContentOn: boolean): JsonPlan {
  const tool = toolDefinitionPlan('parameters', isContentOn);
  const fields = new Map<string, JsonPlan>(SCALARS.map((name) => [name, ALL]));
  fields.set('conversation', CONVERSATION);
  fields.set('prompt', {
    keep: 'all',
    fields: new Map<string, JsonPlan>([
      ['id', ALL],
      ['version', ALL],
      ['variables', isContentOn ? { keep: 'text' } : SKIP],
    ]),
  });
  fields.set('input', { keep: 'text', emit: 'item', items: OPENAI_ITEM_PLAN });
  fields.set('instructions', isContentOn ? { keep: 'text' } : SKIP);
  fields.set('tools', {
    keep: 'all',
    emit: 'tool',
    items: {
      keep: 'all',
      fields: new Map<string, JsonPlan>([
        ...(tool.fields ?? []),
        ['server_label', ALL],
        ['tools', { keep: 'all', items: tool }],
      ]),
    },
  });
  fields.set('reasoning', { keep: 'all', fields: new Map([['effort', ALL]]) });
  fields.set('text', {
    keep: 'all',
    fields: new Map([['format', { keep: 'all', fields: new Map([['type', ALL]]) }]]),
  });
  return { keep: 'all', fields };
}

const REQUEST_PLAN = requestPlan(false);
const REQUEST_PLAN_WITH_CONTENT = requestPlan(true);

const ANSWER_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['id', ALL],
    ['object', ALL],
    ['model', ALL],
    ['status', ALL],
    ['incomplete_details', { keep: 'all', fields: new Map([['reason', ALL]]) }],
    ['service_tier', ALL],
    ['conversation', CONVERSATION],
    ['output', { keep: 'all', items: OPENAI_ITEM_PLAN }],
    ['usage', OPENAI_USAGE_PLAN],
    ...ERROR_MEMBERS,
  ]),
};
// Google answers errors as a list of one.
ANSWER_PLAN.items = ANSWER_PLAN;

export const openAiResponses: WireApiReader = {
  api: 'openai.responses',
  operation: 'chat',
  provider: 'openai',
  matches: ({ path }) => path.endsWith('/responses'),
  readRequest: readResponsesRequest,
  readAnswer,
};

/** Makes the reader of one request, whatever carries it. */
export function readResponsesRequest(
  context: CallContext,
  target: Pick<CallTarget, 'path'>,
): RequestReader {
  const { call, content, limits } = context;
  const request = call.request;
  const messages = createRequestMessages(context, (value) => value as WireMessage);
  /** The items of one answer are one message: they are kept until something else follows. */
  let answered: WireMessage | undefined;
  let isTorn = false;

  function flush(): void {
    if (answered !== undefined && !isTorn) {
      messages.add(answered, true);
    }
    answered = undefined;
  }

  function addItem(value: unknown, isWhole: boolean): void {
    isTorn ||= !isWhole;
    if (isTorn) {
      return;
    }
    const { role, items } = readOpenAiItem(value);
    if (role !== 'assistant') {
      flush();
      messages.add({ role, items }, true);
      return;
    }
    answered ??= { role, items: [] };
    if (answered.items.length + items.length > limits.maxParts) {
      call.damage.add('limit');
      return;
    }
    answered.items.push(...items);
  }

  function addTool(value: unknown): void {
    const tool = asObject(value);
    if (tool === undefined) {
      return;
    }
    const namespace = tool.type === 'namespace' ? asName(tool.name) : undefined;
    if (namespace === undefined) {
      addDefinition(tool, asName(tool.server_label));
      return;
    }
    for (const inner of asArray(tool.tools) ?? []) {
      const own = asObject(inner) ?? {};
      addDefinition(own, qualifiedName(namespace, textPrefix(own.name) ?? ''));
    }
  }

  function addDefinition(tool: JsonObject, name: string | undefined): void {
    if (request.toolDefinitions.length >= limits.maxToolDefinitions) {
      call.damage.add('limit');
      return;
    }
    const type = asName(tool.type) ?? 'function';
    const definition = readToolDefinition(type, tool, 'parameters', content);
    request.toolDefinitions.push(name === undefined ? definition : { ...definition, name });
  }

  function setParameters(body: JsonObject): void {
    setField(request, 'model', asName(body.model));
    setField(request, 'stream', typeof body.stream === 'boolean' ? body.stream : undefined);
    setField(request, 'maxTokens', asCount(body.max_output_tokens));
    setField(request, 'temperature', asNumber(body.temperature));
    setField(request, 'topP', asNumber(body.top_p));
    setField(request, 'serviceTier', asName(body.service_tier));
    setField(request, 'reasoningLevel', asName(asObject(body.reasoning)?.effort));
    setField(request, 'outputType', outputType(asObject(asObject(body.text)?.format)?.type));
    setField(request, 'previousResponseId', asName(body.previous_response_id));
    setField(request, 'conversationId', conversationOf(body));
    const prompt = asObject(body.prompt);
    setField(request, 'promptVersion', asName(prompt?.version));
    if (content.isOn) {
      setField(request, 'promptVariables', readVariables(asObject(prompt?.variables)));
    }
    setField(request, 'isBackground', body.background === true || undefined);
    const instructions = asText(body.instructions);
    if (content.isOn && instructions !== undefined) {
      request.systemInstructions = partsOf([{ kind: 'text', text: instructions }], content);
    }
    const input = textPrefix(body.input);
    if (input !== undefined) {
      const text = asText(body.input) ?? input;
      messages.add({ role: 'user', items: [{ kind: 'text', text }] }, !isTorn);
    }
  }

  function readVariables(variables: JsonObject | undefined): JsonObject | undefined {
    const entries = Object.entries(variables ?? {});
    if (entries.length > limits.maxParts) {
      call.damage.add('limit');
    }
    const kept = entries.slice(0, limits.maxParts);
    return kept.length === 0
      ? undefined
      : (content.keepValue(Object.fromEntries(kept)) as JsonObject);
  }

  return {
    plan: content.isOn ? REQUEST_PLAN_WITH_CONTENT : REQUEST_PLAN,
    item(name, value, isWhole) {
      if (name === 'item') {
        addItem(value, isWhole);
      } else {
        addTool(value);
      }
    },
    end(root, isWhole) {
      const body = asObject(root);
      // A body that broke off may have broken off within its last text.
      isTorn ||= !isWhole;
      flush();
      if (body !== undefined) {
        setParameters(body);
      }
      // The path alone is a common one: forms and surveys have responses, too.
      const isNamed = request.model !== undefined || asObject(body?.prompt) !== undefined;
      if (!isWhole) {
        return isNamed || target.path.endsWith('/v1/responses');
      }
      const isAsking =
        body !== undefined && ['input', 'instructions', 'prompt'].some((name) => name in body);
      return isNamed && (isAsking || request.previousResponseId !== undefined);
    },
  };
}

function readAnswer(context: CallContext, answer: Answer): AnswerReader {
  const { call } = context;
  const events = createResponseEvents(context, answer, (value) => readOpenAiItem(value).items);

  return {
    plan: ANSWER_PLAN,
    body(root, isWhole, timeNs) {
      const isRefused = (call.httpStatus ?? 0) >= 400;
      const body = asObject(root);
      if (body === undefined || isRefused || !Array.isArray(body.output)) {
        events.error(root, isRefused);
      }
      if (body === undefined || isRefused) {
        return;
      }
      const choice = Array.isArray(body.output) ? answer.choice(0) : undefined;
      const output = asArray(body.output) ?? [];
      output.forEach((value, position) => {
        const isTorn = !isWhole && position === output.length - 1;
        for (const item of readOpenAiItem(value).items) {
          const isSure = item.kind !== 'tool_call' || isNamedCall(asObject(value) ?? {});
          // What says that the provider runs it may be what is missing.
          if (!isTorn || isSure) {
            choice?.addItem(item, timeNs, isTorn);
          }
        }
      });
      events.head(body);
      events.status(body);
    },
    event(name, data, timeNs) {
      if (events.isDone || events.append(data, timeNs)) {
        return true;
      }
      const root = parseObject(data);
      if (root === undefined) {
        return data.trim() === '[DONE]';
      }
      events.read(asName(root.type) ?? name, root, timeNs, data);
      return true;
    },
    gap: () => events.gap(),
    get isDone() {
      return events.isDone;
    },
  };
}
