/**
 * The responses API of OpenAI, Azure and everyone who speaks it.
 * https://platform.openai.com/docs/api-reference/responses and …/responses-streaming
 */
import { type JsonPlan, textPrefix } from '../util/json-scanner.ts';
import type { Answer, Choice, ToolSlot } from './answer.ts';
import { errorOf } from './error-body.ts';
import { asArray, asCount, asName, asNumber, asObject, type JsonObject } from './json-access.ts';
import { KeptText } from './kept-text.ts';
import { outputType } from './openai-chat-completions.ts';
import {
  OPENAI_ITEM_PLAN,
  qualifiedName,
  readOpenAiItem,
  toolArgumentsOf,
  toolNameOf,
  typeOf,
} from './openai-item.ts';
import { OPENAI_USAGE_PLAN, readOpenAiUsage } from './openai-usage.ts';
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
import type { WireMessage } from './wire-message.ts';

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
] as const;

const CONVERSATION: JsonPlan = { keep: 'all', fields: new Map([['id', ALL]]) };

function requestPlan(isContentOn: boolean): JsonPlan {
  const tool = toolDefinitionPlan('parameters', isContentOn);
  const fields = new Map<string, JsonPlan>(SCALARS.map((name) => [name, ALL]));
  fields.set('conversation', CONVERSATION);
  fields.set('prompt', { keep: 'all', fields: new Map([['id', ALL]]) });
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
    ['error', ALL],
    ['message', ALL],
    ['detail', ALL],
    ['code', ALL],
    ['type', ALL],
  ]),
};
// Google answers errors as a list of one.
ANSWER_PLAN.items = ANSWER_PLAN;

export const openAiResponses: WireApiReader = {
  api: 'openai.responses',
  operation: 'chat',
  provider: 'openai',
  matches: ({ path }) => path.endsWith('/responses'),
  readRequest,
  readAnswer,
};

function readRequest(context: CallContext, target: CallTarget): RequestReader {
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
    const instructions = body.instructions;
    if (content.isOn && textPrefix(instructions)) {
      const text = content.keep(instructions as string);
      request.systemInstructions.push({ type: 'text', content: text });
    }
    if (textPrefix(body.input) !== undefined) {
      const text = body.input as string;
      messages.add({ role: 'user', items: [{ kind: 'text', text }] }, !isTorn);
    }
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

/** A name, or an object with one. */
function conversationOf(body: JsonObject): string | undefined {
  return asName(body.conversation) ?? asName(asObject(body.conversation)?.id);
}

/** An item of a stream's output. */
interface OpenItem {
  /** By what they are and their numbers within the item. */
  texts: Map<string, NonNullable<ReturnType<Choice['beginText']>>>;
  tool?: ToolSlot;
  /** Text of it was taken from deltas: the whole at its end says nothing new. */
  hasText: boolean;
}

const TEXT_DELTAS: ReadonlyMap<string, 'text' | 'reasoning' | 'refusal'> = new Map([
  ['response.output_text.delta', 'text'],
  ['response.refusal.delta', 'refusal'],
  ['response.reasoning_text.delta', 'reasoning'],
  ['response.reasoning_summary_text.delta', 'reasoning'],
]);

function readAnswer(context: CallContext, answer: Answer): AnswerReader {
  const { call, limits } = context;
  const open = new Map<number, OpenItem>();
  let isDone = false;
  let hasFailed = false;
  let hasGap = false;

  function readHead(response: JsonObject): void {
    answer.setId(response.id);
    answer.setModel(response.model);
    const usage = readOpenAiUsage(response.usage);
    if (usage !== undefined) {
      answer.response.usage = usage;
    }
    const conversation = conversationOf(response);
    if (call.request.conversationId === undefined) {
      setField(call.request, 'conversationId', conversation);
    }
  }

  function readError(root: unknown, isFailedRequest: boolean): void {
    const error = errorOf(root, isFailedRequest);
    if (error !== undefined) {
      hasFailed = true;
      answer.fail(error.type, error.message);
    }
  }

  /** What the end of an answer says: the tier that was used, why it ended, what went wrong. */
  function readEnd(response: JsonObject): void {
    answer.setServiceTier(response.service_tier);
    const status = asName(response.status);
    const isOver = status !== undefined && status !== 'queued' && status !== 'in_progress';
    if (isOver && status !== 'failed') {
      const choice = answer.choice(0);
      const reason = asName(asObject(response.incomplete_details)?.reason);
      if (choice !== undefined) {
        choice.finishReason = reason ?? status;
      }
    }
    if (status === 'failed') {
      readError(response, true);
    }
  }

  function addWholeItem(value: unknown, timeNs: bigint): void {
    for (const item of readOpenAiItem(value).items) {
      answer.choice(0)?.addItem(item, timeNs);
    }
  }

  function itemAt(index: number): OpenItem {
    let item = open.get(index);
    if (item === undefined) {
      item = { texts: new Map(), hasText: false };
      open.set(index, item);
    }
    return item;
  }

  function beginItem(root: JsonObject, timeNs: bigint): void {
    const item = asObject(root.item) ?? {};
    const name = toolNameOf(item);
    const state = itemAt(asCount(root.output_index) ?? 0);
    if (name === undefined || state.tool !== undefined) {
      return;
    }
    const tool = answer.choice(0)?.beginToolCall(asName(item.call_id), name, timeNs);
    if (tool !== undefined) {
      state.tool = tool;
    }
  }

  function appendText(
    kind: 'text' | 'reasoning' | 'refusal',
    root: JsonObject,
    timeNs: bigint,
  ): void {
    const choice = answer.choice(0);
    const piece = root.delta;
    if (choice === undefined || typeof piece !== 'string' || piece.length === 0) {
      return;
    }
    const item = itemAt(asCount(root.output_index) ?? 0);
    const key = `${kind} ${asCount(root.summary_index) ?? ''} ${asCount(root.content_index) ?? ''}`;
    const slot = item.texts.get(key) ?? choice.beginText(kind);
    if (slot === undefined) {
      return;
    }
    item.texts.set(key, slot);
    item.hasText = true;
    choice.append(slot, piece, timeNs);
  }

  function appendArguments(root: JsonObject, timeNs: bigint): void {
    const tool = open.get(asCount(root.output_index) ?? 0)?.tool;
    if (tool !== undefined && typeof root.delta === 'string') {
      answer.choice(0)?.appendArguments(tool, root.delta, timeNs, true);
    }
  }

  /** The item as a whole: all of it that no delta has brought. */
  function endItem(root: JsonObject, timeNs: bigint): void {
    const choice = answer.choice(0);
    const item = asObject(root.item);
    const index = asCount(root.output_index) ?? 0;
    const known = open.get(index);
    open.delete(index);
    if (choice === undefined || item === undefined) {
      return;
    }
    const tool = known?.tool;
    if (tool !== undefined) {
      endTool(choice, tool, item, timeNs);
      return;
    }
    const isText = typeOf(item) === 'message' || typeOf(item) === 'reasoning';
    if (isText && (known?.hasText || hasGap)) {
      // After a hole it is not known how much of the text was taken before.
      return;
    }
    addWholeItem(item, timeNs);
  }

  function endTool(choice: Choice, tool: ToolSlot, item: JsonObject, timeNs: bigint): void {
    if (tool.isTorn || tool.argumentsText.bytes === 0) {
      // The whole of it is here, whatever became of its pieces.
      tool.argumentsText = new KeptText(limits.maxArgumentBytes);
      tool.isTorn = false;
      choice.appendArguments(tool, toolArgumentsOf(item), timeNs, false);
    }
    tool.timeNs = timeNs;
    choice.completeToolCall(tool);
  }

  function end(response: JsonObject, timeNs: bigint): void {
    readHead(response);
    const choice = answer.choice(0);
    if (choice?.slots.length === 0) {
      for (const item of asArray(response.output) ?? []) {
        addWholeItem(item, timeNs);
      }
    }
    readEnd(response);
    isDone = true;
  }

  function readEvent(type: string, root: JsonObject, timeNs: bigint): void {
    const kind = TEXT_DELTAS.get(type);
    if (kind !== undefined) {
      appendText(kind, root, timeNs);
      return;
    }
    switch (type) {
      case 'response.created':
      case 'response.in_progress':
      case 'response.queued':
        readHead(asObject(root.response) ?? {});
        return;
      case 'response.output_item.added':
        beginItem(root, timeNs);
        return;
      case 'response.function_call_arguments.delta':
      case 'response.custom_tool_call_input.delta':
        appendArguments(root, timeNs);
        return;
      case 'response.output_item.done':
        endItem(root, timeNs);
        return;
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
      case 'response.cancelled':
        end(asObject(root.response) ?? {}, timeNs);
        return;
      case 'error':
        readError(root, true);
        return;
      default:
        // Beginnings and ends of parts say nothing new; what is newer than this may be an error.
        readError(root, false);
    }
  }

  return {
    plan: ANSWER_PLAN,
    body(root, isWhole, timeNs) {
      const isRefused = (call.httpStatus ?? 0) >= 400;
      const body = asObject(root);
      if (body === undefined || isRefused || !Array.isArray(body.output)) {
        readError(root, isRefused);
      }
      if (body === undefined || isRefused) {
        return;
      }
      const choice = Array.isArray(body.output) ? answer.choice(0) : undefined;
      const output = asArray(body.output) ?? [];
      output.forEach((value, position) => {
        const isTorn = !isWhole && position === output.length - 1;
        for (const item of readOpenAiItem(value).items) {
          if (!isTorn || item.kind !== 'tool_call') {
            choice?.addItem(item, timeNs);
            continue;
          }
          const tool = choice?.beginToolCall(item.id, item.name, timeNs);
          if (tool !== undefined) {
            choice?.appendArguments(tool, item.argumentsText, timeNs, false);
          }
        }
      });
      readHead(body);
      readEnd(body);
    },
    event(name, data, timeNs) {
      if (isDone) {
        return true;
      }
      let root: JsonObject | undefined;
      try {
        root = asObject(JSON.parse(data));
      } catch {
        root = undefined;
      }
      if (root === undefined) {
        return data.trim() === '[DONE]';
      }
      readEvent(asName(root.type) ?? name, root, timeNs);
      return true;
    },
    gap() {
      hasGap = true;
      for (const item of open.values()) {
        item.texts.clear();
      }
      if (call.response !== undefined) {
        answer.choice(0)?.tear();
      }
    },
    get isDone() {
      return isDone;
    },
    mayEnd: () => hasFailed,
  };
}
