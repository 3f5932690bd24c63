/**
 * Chat, version 2 of Cohere's API.
 * https://docs.cohere.com/reference/chat and https://docs.cohere.com/v2/docs/streaming
 */
import { type JsonPlan, textPrefix } from '../util/json-scanner.ts';
import type { Answer, Choice, ToolSlot } from './answer.ts';
import { COHERE_PARAMETERS, setCohereParameters } from './cohere-parameters.ts';
import { COHERE_USAGE_PLAN, readCohereUsage } from './cohere-usage.ts';
import { asCount, asName, asObject, type JsonObject, parseObject } from './json-access.ts';
import { asText, OPENAI_MESSAGE_PLAN, readOpenAiMessage } from './openai-message.ts';
import { readConversationRequest } from './request-messages.ts';
import { addNestedToolDefinition, toolDefinitionPlan } from './tool-definition.ts';
import type { AnswerReader, CallContext, RequestReader, WireApiReader } from './wire-api.ts';
import type { WireItem, WireMessage } from './wire-message.ts';

const ALL: JsonPlan = { keep: 'all' };

/** OpenAI's shape, and the plan that the model makes before it calls tools. */
const MESSAGE_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map([...OPENAI_MESSAGE_PLAN.fields!, ['tool_plan', { keep: 'text' }]]),
};

function requestPlan(isContentOn: boolean): JsonPlan {
  return {
    keep: 'all',
    fields: new Map<string, JsonPlan>([
      ...COHERE_PARAMETERS,
      ['messages', { keep: 'all', emit: 'message', items: MESSAGE_PLAN }],
      [
        'tools',
        { keep: 'all', emit: 'tool', items: toolDefinitionPlan('parameters', isContentOn) },
      ],
    ]),
  };
}

const REQUEST_PLAN = requestPlan(false);
const REQUEST_PLAN_WITH_CONTENT = requestPlan(true);

const ANSWER_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['id', ALL],
    ['message', MESSAGE_PLAN],
    ['finish_reason', ALL],
    ['usage', COHERE_USAGE_PLAN],
    ['error', ALL],
    ['code', ALL],
    ['error_type', ALL],
  ]),
};

export const cohereChat: WireApiReader = {
  api: 'cohere.chat',
  operation: 'chat',
  provider: 'cohere',
  matches: ({ path }) => path.endsWith('/v2/chat'),
  readRequest,
  readAnswer,
};

function readRequest(context: CallContext): RequestReader {
  const { call } = context;
  return readConversationRequest(context, {
    plan: REQUEST_PLAN,
    planWithContent: REQUEST_PLAN_WITH_CONTENT,
    readMessage: readCohereMessage,
    addTool: addNestedToolDefinition,
    end(body, isWhole) {
      setCohereParameters(call.request, body);
      return call.request.model !== undefined && ('messages' in body || !isWhole);
    },
  });
}

function readCohereMessage(value: unknown): WireMessage {
  const message = asObject(value) ?? {};
  const wire = readOpenAiMessage(message);
  const plan = asText(message.tool_plan);
  if (plan !== undefined) {
    wire.items.unshift({ kind: 'reasoning', text: plan });
  }
  for (const item of wire.items) {
    if (item.kind === 'tool_result') {
      item.items = item.items.map(documentText);
    }
  }
  return wire;
}

/** A tool's result is a list of documents, whose data is mostly a text. */
function documentText(item: WireItem): WireItem {
  if (item.kind !== 'other') {
    return item;
  }
  const text = asText(asObject(asObject(item.value)?.document)?.data);
  return text === undefined ? item : { kind: 'text', text };
}

function readAnswer(context: CallContext, answer: Answer): AnswerReader {
  const { call } = context;
  /** Texts that are open, by the number of their content. */
  const texts = new Map<number, NonNullable<ReturnType<Choice['beginText']>>>();
  const tools = new Map<number, ToolSlot>();
  let plan: ReturnType<Choice['beginText']>;
  let isDone = false;

  function readEnd(value: JsonObject): void {
    const reason = asName(value.finish_reason);
    const choice = reason === undefined ? undefined : answer.choice(0);
    if (choice !== undefined) {
      choice.finishReason = reason;
      choice.completeToolCalls();
    }
    const usage = readCohereUsage(value.usage);
    if (usage !== undefined) {
      answer.response.usage = usage;
    }
    if (reason === 'ERROR' || reason === 'TIMEOUT') {
      answer.fail(reason, asName(value.error));
    }
  }

  function appendContent(choice: Choice, index: number, content: JsonObject, timeNs: bigint): void {
    const isThinking = content.type === 'thinking' || content.thinking !== undefined;
    const slot = texts.get(index) ?? choice.beginText(isThinking ? 'reasoning' : 'text');
    if (slot === undefined) {
      return;
    }
    texts.set(index, slot);
    const piece = isThinking ? content.thinking : content.text;
    if (typeof piece === 'string') {
      choice.append(slot, piece, timeNs);
    }
  }

  function startTool(choice: Choice, index: number, value: JsonObject, timeNs: bigint): void {
    const called = asObject(value.function) ?? {};
    const tool = choice.beginToolCall(asName(value.id), textPrefix(called.name) ?? '', timeNs);
    if (tool !== undefined) {
      tools.set(index, tool);
      choice.appendArguments(tool, textPrefix(called.arguments) ?? '', timeNs, false);
    }
  }

  function readEvent(type: unknown, root: JsonObject, timeNs: bigint): void {
    const choice = answer.choice(0);
    const delta = asObject(root.delta) ?? {};
    const message = asObject(delta.message) ?? {};
    const index = asCount(root.index) ?? 0;
    if (choice === undefined) {
      return;
    }
    answer.setId(root.id);
    switch (type) {
      case 'content-start':
      case 'content-delta':
        appendContent(choice, index, asObject(message.content) ?? {}, timeNs);
        return;
      case 'content-end':
        texts.delete(index);
        return;
      case 'tool-plan-delta':
        plan ??= choice.beginText('reasoning');
        if (plan !== undefined) {
          choice.append(plan, textPrefix(message.tool_plan) ?? '', timeNs);
        }
        return;
      case 'tool-call-start':
        startTool(choice, index, asObject(message.tool_calls) ?? {}, timeNs);
        return;
      case 'tool-call-delta': {
        const tool = tools.get(index);
        const called = asObject(asObject(message.tool_calls)?.function);
        if (tool !== undefined) {
          choice.appendArguments(tool, textPrefix(called?.arguments) ?? '', timeNs, true);
        }
        return;
      }
      case 'tool-call-end': {
        const tool = tools.get(index);
        tools.delete(index);
        if (tool !== undefined) {
          choice.completeToolCall(tool);
        }
        return;
      }
      case 'message-end':
        readEnd(delta);
        isDone = call.error === undefined;
        return;
      default:
      // `message-start`, citations, and events that are newer than this.
    }
  }

  return {
    plan: ANSWER_PLAN,
    body(root, isWhole, timeNs) {
      const isRefused = (call.httpStatus ?? 0) >= 400;
      const body = asObject(root);
      if (isRefused) {
        answer.failBy(root, true);
        return;
      }
      if (body === undefined) {
        return;
      }
      const choice = asObject(body.message) === undefined ? undefined : answer.choice(0);
      const items = readCohereMessage(body.message).items;
      items.forEach((item, position) => {
        choice?.addItem(item, timeNs, !isWhole && position === items.length - 1);
      });
      answer.setId(body.id);
      readEnd(body);
    },
    event(name, data, timeNs) {
      const root = parseObject(data);
      if (root === undefined) {
        return data.trim() === '[DONE]';
      }
      readEvent(root.type ?? name, root, timeNs);
      return true;
    },
    gap() {
      texts.clear();
      tools.clear();
      plan = undefined;
      if (call.response !== undefined) {
        answer.choice(0)?.tear();
      }
    },
    get isDone() {
      return isDone;
    },
  };
}
