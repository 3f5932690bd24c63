/**
 * Chat, version 1 of Cohere's API: one message and a history, and streams of JSON lines.
 * https://docs.cohere.com/v1/reference/chat
 */
import { type JsonPlan, textPrefix } from '../util/json-scanner.ts';
import type { Answer, Choice, ToolSlot } from './answer.ts';
import { cohereLines } from './cohere-lines.ts';
import { COHERE_PARAMETERS, setCohereParameters } from './cohere-parameters.ts';
import { COHERE_USAGE_PLAN, readCohereUsage } from './cohere-usage.ts';
import { createGrowingText } from './growing-text.ts';
import { asArray, asCount, asName, asObject, type JsonObject } from './json-access.ts';
import { argumentsText, asText } from './openai-message.ts';
import { type RecordPlan, readRecord } from './record-json.ts';
import { readConversationRequest } from './request-messages.ts';
import { addToolDefinition, toolDefinitionPlan } from './tool-definition.ts';
import type { AnswerReader, CallContext, RequestReader, WireApiReader } from './wire-api.ts';
import { partsOf, type WireItem, type WireMessage } from './wire-message.ts';

const ALL: JsonPlan = { keep: 'all' };
const TEXT: JsonPlan = { keep: 'text' };
const RAW: JsonPlan = { keep: 'raw' };

const TOOL_CALL: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['name', ALL],
    ['parameters', RAW],
  ]),
};

const TOOL_RESULTS: JsonPlan = {
  keep: 'all',
  items: { keep: 'all', fields: new Map([['outputs', RAW]]) },
};

const MESSAGE_MEMBERS: readonly (readonly [string, JsonPlan])[] = [
  ['message', TEXT],
  ['tool_calls', { keep: 'all', items: TOOL_CALL }],
  ['tool_results', TOOL_RESULTS],
];

const HISTORY_MESSAGE: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([['role', ALL], ...MESSAGE_MEMBERS]),
};

function requestPlan(isContentOn: boolean): JsonPlan {
  return {
    keep: 'all',
    fields: new Map<string, JsonPlan>([
      ...COHERE_PARAMETERS,
      ['message', TEXT],
      ['tool_results', TOOL_RESULTS],
      ['conversation_id', ALL],
      ['preamble', isContentOn ? TEXT : { keep: 'skip' }],
      ['chat_history', { keep: 'all', emit: 'message', items: HISTORY_MESSAGE }],
      [
        'tools',
        {
          keep: 'all',
          emit: 'tool',
          items: toolDefinitionPlan('parameter_definitions', isContentOn),
        },
      ],
    ]),
  };
}

const REQUEST_PLAN = requestPlan(false);
const REQUEST_PLAN_WITH_CONTENT = requestPlan(true);

const ANSWER_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['text', TEXT],
    ['tool_calls', { keep: 'all', items: TOOL_CALL }],
    ['generation_id', ALL],
    ['response_id', ALL],
    ['finish_reason', ALL],
    ['meta', COHERE_USAGE_PLAN],
    ['message', ALL],
    ['error_type', ALL],
    ['error', ALL],
  ]),
};

/** A line with tool calls: all of it, with their arguments as they are. */
const RECORD: RecordPlan = {
  mark: '"tool_calls"',
  plan: {
    keep: 'all',
    other: ALL,
    fields: new Map([['tool_calls', { keep: 'all', items: TOOL_CALL }]]),
  },
};

export const cohereChatV1: WireApiReader = {
  api: 'cohere.chat_v1',
  operation: 'chat',
  provider: 'cohere',
  matches: ({ path }) => path.endsWith('/v1/chat'),
  readRequest,
  readAnswer,
};

function readRequest(context: CallContext): RequestReader {
  const { call, content } = context;
  return readConversationRequest(context, {
    plan: REQUEST_PLAN,
    planWithContent: REQUEST_PLAN_WITH_CONTENT,
    readMessage,
    addTool(_, value) {
      addToolDefinition(context, 'function', asObject(value) ?? {}, 'parameter_definitions');
    },
    end(body, isWhole, messages) {
      setCohereParameters(call.request, body);
      const conversation = asName(body.conversation_id);
      if (conversation !== undefined) {
        call.request.conversationId = conversation;
      }
      const preamble = asText(body.preamble);
      if (content.isOn && preamble !== undefined) {
        const item: WireItem = { kind: 'text', text: preamble };
        call.request.systemInstructions = partsOf([item], content);
      }
      if (asText(body.message) !== undefined) {
        messages.add({ role: 'USER', message: body.message }, isWhole);
      }
      if (asArray(body.tool_results) !== undefined) {
        messages.add({ role: 'TOOL', tool_results: body.tool_results }, isWhole);
      }
      return textPrefix(body.message) !== undefined || !isWhole;
    },
  });
}

/** Some clients write them `Chatbot`, `User`. */
const ROLES: ReadonlyMap<string, string> = new Map([
  ['CHATBOT', 'assistant'],
  ['USER', 'user'],
  ['SYSTEM', 'system'],
  ['TOOL', 'tool'],
]);

/** The names that the conventions have for the roles. */
export function cohereRole(role: unknown): string {
  const name = textPrefix(role) ?? '';
  return ROLES.get(name.toUpperCase()) ?? name;
}

function readMessage(value: unknown): WireMessage {
  const message = asObject(value) ?? {};
  const text = asText(message.message);
  const said: WireItem[] = text === undefined ? [] : [{ kind: 'text', text }];
  const items = [...said, ...toolCallsOf(message.tool_calls)];
  for (const entry of asArray(message.tool_results) ?? []) {
    const outputs = argumentsText(asObject(entry)?.outputs);
    items.push({ kind: 'tool_result', items: [{ kind: 'text', text: outputs }] });
  }
  return { role: cohereRole(message.role), items };
}

/** They have no ids. */
function toolCallsOf(value: unknown): WireItem[] {
  const items: WireItem[] = [];
  for (const entry of asArray(value) ?? []) {
    const called = asObject(entry) ?? {};
    items.push({
      kind: 'tool_call',
      name: textPrefix(called.name) ?? '',
      argumentsText: argumentsText(called.parameters),
    });
  }
  return items;
}

/** Without tool calls that the stream has told in pieces before: the list repeats them. */
function readAnswer(context: CallContext, answer: Answer): AnswerReader {
  const { call, limits } = context;
  const text = createGrowingText();
  const tools = new Map<number, ToolSlot>();
  let hasToolCalls = false;
  let isDone = false;

  function readEnd(value: JsonObject): void {
    answer.setId(value.generation_id ?? value.response_id);
    const usage = readCohereUsage(value.meta);
    if (usage !== undefined) {
      answer.response.usage = usage;
    }
    readFinish(value.finish_reason);
  }

  function readFinish(value: unknown): void {
    const reason = asName(value);
    const choice = reason === undefined ? undefined : answer.choice(0);
    if (choice === undefined) {
      return;
    }
    choice.finishReason = reason;
    choice.completeToolCalls();
    if (reason === 'ERROR') {
      answer.fail(reason, undefined);
    }
  }

  function addToolPiece(choice: Choice, delta: JsonObject, timeNs: bigint): void {
    const index = asCount(delta.index) ?? 0;
    const name = asName(delta.name);
    if (name !== undefined) {
      const tool = choice.beginToolCall(undefined, name, timeNs);
      if (tool !== undefined) {
        tools.set(index, tool);
        hasToolCalls = true;
      }
    }
    const tool = tools.get(index);
    if (tool !== undefined) {
      choice.appendArguments(tool, textPrefix(delta.parameters) ?? '', timeNs, true);
    }
  }

  function readLine(root: JsonObject, timeNs: bigint): void {
    const choice = answer.choice(0);
    if (choice === undefined) {
      return;
    }
    switch (root.event_type) {
      case 'stream-start':
        answer.setId(root.generation_id);
        return;
      case 'text-generation':
        text.append(choice, 'text', textPrefix(root.text) ?? '', timeNs);
        return;
      case 'tool-calls-chunk': {
        const delta = asObject(root.tool_call_delta);
        if (delta === undefined) {
          // The plan that precedes the calls.
          text.append(choice, 'text', textPrefix(root.text) ?? '', timeNs);
        } else {
          addToolPiece(choice, delta, timeNs);
        }
        return;
      }
      case 'tool-calls-generation':
        text.close();
        for (const item of hasToolCalls ? [] : toolCallsOf(root.tool_calls)) {
          choice.addItem(item, timeNs);
        }
        choice.completeToolCalls();
        return;
      case 'stream-end':
        readEnd(asObject(root.response) ?? {});
        readFinish(root.finish_reason);
        isDone = call.error === undefined;
        return;
      default:
      // Searches, citations, and events that are newer than this.
    }
  }

  return {
    plan: ANSWER_PLAN,
    formatOf: cohereLines(call),
    body(root, isWhole, timeNs) {
      const body = asObject(root);
      if ((call.httpStatus ?? 0) >= 400) {
        answer.failBy(root, true);
        return;
      }
      if (body === undefined) {
        return;
      }
      const said = asText(body.text);
      const calls = toolCallsOf(body.tool_calls);
      const hasMessage = said !== undefined || calls.length > 0;
      const choice = hasMessage ? answer.choice(0) : undefined;
      if (said !== undefined) {
        choice?.addItem({ kind: 'text', text: said }, timeNs);
      }
      calls.forEach((item, position) => {
        choice?.addItem(item, timeNs, !isWhole && position === calls.length - 1);
      });
      readEnd(body);
    },
    event(_name, data, timeNs) {
      const root = readRecord(data, RECORD, limits);
      if (root === undefined) {
        return data.trim() === '[DONE]';
      }
      readLine(root, timeNs);
      return true;
    },
    gap() {
      text.close();
      tools.clear();
      if (call.response !== undefined) {
        answer.choice(0)?.tear();
      }
    },
    get isDone() {
      return isDone;
    },
  };
}
