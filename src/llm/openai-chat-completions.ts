/**
 * The chat completions API of OpenAI, Azure, Mistral, Groq, OpenRouter and everyone who speaks it.
 * https://platform.openai.com/docs/api-reference/chat and …/chat-streaming
 */
import { type JsonPlan, textPrefix } from '../util/json-scanner.ts';
import type { Answer, Choice, ToolSlot } from './answer.ts';
import { deploymentOf } from './azure-deployment.ts';
import { createDeltaTemplate } from './delta-template.ts';
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
import {
  argumentsText,
  asText,
  calledOf,
  OPENAI_MESSAGE_PLAN,
  readContent,
  readOpenAiMessage,
  saysNothing,
} from './openai-message.ts';
import { OPENAI_USAGE_PLAN, readOpenAiUsage } from './openai-usage.ts';
import { providerOfAnswer, SIGNATURE_MEMBERS } from './provider-signatures.ts';
import { readConversationRequest } from './request-messages.ts';
import { setField } from './set-field.ts';
import { addNestedToolDefinition, toolDefinitionPlan } from './tool-definition.ts';
import type {
  AnswerReader,
  CallContext,
  CallTarget,
  RequestReader,
  WireApiReader,
} from './wire-api.ts';

const ALL: JsonPlan = { keep: 'all' };

const SCALARS = [
  'model',
  'stream',
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'top_k',
  'frequency_penalty',
  'presence_penalty',
  'stop',
  'seed',
  'n',
  'service_tier',
  'reasoning_effort',
  'modalities',
] as const;

function requestPlan(isContentOn: boolean): JsonPlan {
  const tools: JsonPlan = {
    keep: 'all',
    emit: 'tool',
    items: toolDefinitionPlan('parameters', isContentOn),
  };
  const fields = new Map<string, JsonPlan>(SCALARS.map((name) => [name, ALL]));
  fields.set('messages', { keep: 'all', emit: 'message', items: OPENAI_MESSAGE_PLAN });
  fields.set('tools', tools);
  fields.set('functions', tools);
  fields.set('response_format', { keep: 'all', fields: new Map([['type', ALL]]) });
  return { keep: 'all', fields };
}

const REQUEST_PLAN = requestPlan(false);
const REQUEST_PLAN_WITH_CONTENT = requestPlan(true);

const ANSWER_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map<string, JsonPlan>([
    ['id', ALL],
    ['model', ALL],
    ['service_tier', ALL],
    ['system_fingerprint', ALL],
    ['usage', OPENAI_USAGE_PLAN],
    ['x_groq', { keep: 'all', fields: new Map([['usage', OPENAI_USAGE_PLAN]]) }],
    [
      'choices',
      {
        keep: 'all',
        items: {
          keep: 'all',
          fields: new Map<string, JsonPlan>([
            ['index', ALL],
            ['finish_reason', ALL],
            ['stop_reason', ALL],
            ['message', OPENAI_MESSAGE_PLAN],
            ['usage', OPENAI_USAGE_PLAN],
            ['error', ALL],
          ]),
        },
      },
    ],
    ...SIGNATURE_MEMBERS,
    ...ERROR_MEMBERS,
  ]),
};
// Google answers errors as a list of one.
ANSWER_PLAN.items = ANSWER_PLAN;

export const openAiChatCompletions: WireApiReader = {
  api: 'openai.chat_completions',
  operation: 'chat',
  provider: 'openai',
  matches: isChatCompletions,
  readRequest,
  readAnswer,
};

function isChatCompletions({ path }: CallTarget): boolean {
  // Perplexity's asynchronous jobs have the same ending but answer with a job.
  const isChat = path.endsWith('/chat/completions') && !path.endsWith('/async/chat/completions');
  // An agent of Mistral stands for a model.
  return isChat || path.endsWith('/v1/agents/completions');
}

function readRequest(context: CallContext, target: CallTarget): RequestReader {
  const request = context.call.request;

  function setParameters(body: JsonObject): void {
    setField(request, 'model', asName(body.model) ?? deploymentOf(target.path));
    setField(request, 'stream', typeof body.stream === 'boolean' ? body.stream : undefined);
    const limit = asCount(body.max_completion_tokens) ?? asCount(body.max_tokens);
    setField(request, 'maxTokens', limit);
    setField(request, 'temperature', asNumber(body.temperature));
    setField(request, 'topP', asNumber(body.top_p));
    setField(request, 'topK', asNumber(body.top_k));
    setField(request, 'frequencyPenalty', asNumber(body.frequency_penalty));
    setField(request, 'presencePenalty', asNumber(body.presence_penalty));
    setField(request, 'stopSequences', asTexts(body.stop));
    setField(request, 'seed', asNumber(body.seed));
    setField(request, 'choiceCount', asCount(body.n));
    const format = outputType(asObject(body.response_format)?.type);
    setField(request, 'outputType', format ?? outputTypeOfModalities(body.modalities));
    setField(request, 'serviceTier', asName(body.service_tier));
    setField(request, 'reasoningLevel', asName(body.reasoning_effort));
  }

  return readConversationRequest(context, {
    plan: REQUEST_PLAN,
    planWithContent: REQUEST_PLAN_WITH_CONTENT,
    readMessage: readOpenAiMessage,
    addTool: addNestedToolDefinition,
    end(body, isWhole) {
      setParameters(body);
      return !isWhole || 'messages' in body || 'model' in body;
    },
  });
}

/** gen_ai.output.type of a list of what an answer may hold: text is always among it. */
function outputTypeOfModalities(modalities: unknown): string | undefined {
  const list = asArray(modalities) ?? [];
  if (list.includes('image')) {
    return 'image';
  }
  return list.includes('audio') ? 'speech' : undefined;
}

/** gen_ai.output.type of a format that a request asks for. */
export function outputType(format: unknown): string | undefined {
  switch (format) {
    case 'text':
      return 'text';
    case 'json_object':
    case 'json_schema':
      return 'json';
    default:
      return undefined;
  }
}

type TextKind = Parameters<Choice['beginText']>[0];

/** What a stream's choice has grown so far. */
interface ChoiceState {
  choice: Choice;
  texts: Map<TextKind, ReturnType<Choice['beginText']>>;
  tools: ToolSlot[];
  /** Positions that deltas name, where they do. */
  toolsByIndex: Map<number, ToolSlot>;
}

function readAnswer(context: CallContext, answer: Answer): AnswerReader {
  const { call } = context;
  const states = new Map<number, ChoiceState>();
  const template = createDeltaTemplate();
  /** What the template's text is a piece of. */
  let templatePiece: OnlyPiece | undefined;
  let isDone = false;
  let hasGap = false;

  function state(index: number): ChoiceState | undefined {
    let known = states.get(index);
    if (known === undefined) {
      const choice = answer.choice(index);
      if (choice === undefined) {
        return undefined;
      }
      known = { choice, texts: new Map(), tools: [], toolsByIndex: new Map() };
      states.set(index, known);
    }
    return known;
  }

  function readHead(root: JsonObject): void {
    answer.setId(root.id);
    answer.setModel(root.model);
    answer.setServiceTier(root.service_tier);
    answer.setSystemFingerprint(root.system_fingerprint);
    if (context.isProviderAssumed()) {
      call.provider = providerOfAnswer(root) ?? call.provider;
    }
    readUsage(asObject(root.x_groq)?.usage);
    readUsage(root.usage);
  }

  function readUsage(value: unknown): void {
    const usage = readOpenAiUsage(value);
    if (usage !== undefined) {
      answer.response.usage = usage;
    }
  }

  function readFinish(choice: Choice, reason: unknown): void {
    const name = asName(reason) ?? (typeof reason === 'number' ? String(reason) : undefined);
    if (name !== undefined) {
      choice.finishReason = name;
      choice.completeToolCalls();
    }
  }

  function append(target: ChoiceState, kind: TextKind, text: string, timeNs: bigint): void {
    if (text.length === 0) {
      return;
    }
    let slot = target.texts.get(kind);
    if (slot === undefined) {
      slot = target.choice.beginText(kind);
      target.texts.set(kind, slot);
    }
    if (slot !== undefined) {
      target.choice.append(slot, text, timeNs);
    }
  }

  function appendContent(target: ChoiceState, content: unknown, timeNs: bigint): void {
    if (typeof content === 'string') {
      append(target, 'text', content, timeNs);
      return;
    }
    for (const item of readContent(content)) {
      if (item.kind === 'text' || item.kind === 'reasoning' || item.kind === 'refusal') {
        append(target, item.kind, textPrefix(item.text) ?? '', timeNs);
      } else {
        target.choice.addItem(item, timeNs);
      }
    }
  }

  /** Sound is not kept, but a piece of the answer; what is spoken comes as a text, too. */
  function appendAudio(target: ChoiceState, audio: JsonObject | undefined, timeNs: bigint): void {
    const transcript = textPrefix(audio?.transcript) ?? '';
    append(target, 'transcript', transcript, timeNs);
    if (transcript === '' && asName(audio?.data) !== undefined) {
      answer.touch(timeNs);
    }
  }

  /** Pictures come whole, beside the text. */
  function addImages(target: ChoiceState, images: unknown, timeNs: bigint): void {
    const items = readContent(images);
    if (items.length > 0) {
      answer.touch(timeNs);
    }
    for (const item of items) {
      target.choice.addItem(item, timeNs);
    }
  }

  /** The call that a delta belongs to: by position, else by id, else a new one when it has a name. */
  function toolOf(
    target: ChoiceState,
    delta: JsonObject,
    name: string,
    timeNs: bigint,
  ): { tool: ToolSlot; isNew: boolean } | undefined {
    const id = asName(delta.id);
    const index = asCount(delta.index);
    let tool: ToolSlot | undefined;
    if (index !== undefined) {
      tool = target.toolsByIndex.get(index);
    } else if (id !== undefined) {
      tool = target.tools.find((known) => known.id === id);
    } else if (name === '') {
      tool = target.tools[target.tools.length - 1];
    }
    // Some gateways number every call 0: another id with a name of its own is another call.
    const isOther =
      tool !== undefined && id !== undefined && tool.id !== undefined && tool.id !== id;
    if (tool !== undefined && !(isOther && name !== '')) {
      return { tool, isNew: false };
    }
    if (hasGap && name === '') {
      // The piece with the name may be what was lost.
      return undefined;
    }
    tool = target.choice.beginToolCall(id, name, timeNs);
    if (tool === undefined) {
      return undefined;
    }
    // Without an id it may be the second half of a name.
    tool.isTorn = hasGap && id === undefined;
    target.tools.push(tool);
    if (index !== undefined) {
      target.toolsByIndex.set(index, tool);
    }
    return { tool, isNew: true };
  }

  function appendToolCall(target: ChoiceState, value: unknown, timeNs: bigint): void {
    const delta = asObject(value);
    if (delta === undefined) {
      return;
    }
    const called = calledOf(delta) ?? {};
    const name = typeof called.name === 'string' ? called.name : '';
    const found = toolOf(target, delta, name, timeNs);
    if (found === undefined) {
      return;
    }
    const { tool, isNew } = found;
    if (!isNew) {
      tool.id ??= asName(delta.id);
      // A name may come in pieces; some servers repeat the whole of it instead.
      if (name !== tool.name) {
        tool.name += name;
      }
    }
    const given = called.arguments ?? called.input;
    target.choice.appendArguments(tool, argumentsText(given), timeNs, !isNew);
  }

  /** The older form: one call without an id, in pieces. */
  function appendFunctionCall(target: ChoiceState, value: unknown, timeNs: bigint): void {
    const called = asObject(value);
    if (called !== undefined && !saysNothing(called)) {
      appendToolCall(target, { index: 0, function: called }, timeNs);
    }
  }

  function readChunkChoice(value: unknown, position: number, timeNs: bigint): void {
    const choice = asObject(value);
    const target = choice && state(asCount(choice.index) ?? position);
    if (choice === undefined || target === undefined) {
      return;
    }
    // Perplexity repeats the message so far beside each delta: only the delta is new.
    const delta = asObject(choice.delta) ?? wholeMessage(choice, target) ?? {};
    const role = asName(delta.role);
    if (role !== undefined) {
      target.choice.role = role;
    }
    const reasoning = asText(delta.reasoning_content) ?? asText(delta.reasoning);
    append(target, 'reasoning', textPrefix(reasoning) ?? '', timeNs);
    appendContent(target, delta.content, timeNs);
    append(target, 'refusal', textPrefix(delta.refusal) ?? '', timeNs);
    appendAudio(target, asObject(delta.audio), timeNs);
    addImages(target, delta.images, timeNs);
    for (const call of asArray(delta.tool_calls) ?? []) {
      appendToolCall(target, call, timeNs);
    }
    appendFunctionCall(target, delta.function_call, timeNs);
    readUsage(choice.usage);
    answer.failBy(choice, false);
    readFinish(target.choice, choice.finish_reason ?? choice.stop_reason);
  }

  /** The same as `readChunk` does with a chunk that brings this piece alone; false when it cannot be done. */
  function appendPiece(piece: OnlyPiece, text: string, timeNs: bigint): boolean {
    const target = states.get(piece.choice);
    if (target === undefined) {
      return false;
    }
    if (piece.kind !== 'arguments') {
      append(target, piece.kind, text, timeNs);
      return true;
    }
    const tool = target.toolsByIndex.get(piece.tool);
    if (tool === undefined) {
      return false;
    }
    target.choice.appendArguments(tool, text, timeNs, true);
    return true;
  }

  function readChunk(root: JsonObject, timeNs: bigint): void {
    answer.failBy(root, false);
    const choices = asArray(root.choices) ?? [];
    choices.forEach((choice, position) => {
      readChunkChoice(choice, position, timeNs);
    });
    // After the choices: a usage of the whole counts more than one of a choice.
    readHead(root);
  }

  return {
    plan: ANSWER_PLAN,
    body(root, isWhole, timeNs) {
      const body = asObject(root);
      const choices = asArray(body?.choices);
      answer.failBy(root, choices === undefined && (call.httpStatus ?? 0) >= 400);
      if (body === undefined || (call.httpStatus ?? 0) >= 400) {
        return;
      }
      choices?.forEach((value, position) => {
        const choice = asObject(value);
        const target = choice && answer.choice(asCount(choice.index) ?? position);
        if (choice === undefined || target === undefined) {
          return;
        }
        const message = readOpenAiMessage(choice.message);
        target.role = message.role || 'assistant';
        const isTorn = !isWhole && position === choices.length - 1;
        for (const item of message.items) {
          target.addItem(item, timeNs, isTorn);
        }
        readUsage(choice.usage);
        answer.failBy(choice, false);
        readFinish(target, choice.finish_reason ?? choice.stop_reason);
      });
      readHead(body);
    },
    event(name, data, timeNs) {
      if (isDone) {
        return true;
      }
      const text = templatePiece === undefined ? undefined : template.match(data);
      if (text !== undefined && appendPiece(templatePiece!, text, timeNs)) {
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
      if (name === 'error') {
        answer.failBy(root, true);
        return true;
      }
      readChunk(root, timeNs);
      const piece = onlyPieceOf(root);
      if (piece !== undefined && template.learn(data, piece.member, placeOf(piece))) {
        templatePiece = piece;
      }
      return true;
    },
    gap() {
      hasGap = true;
      for (const known of states.values()) {
        known.texts.clear();
        known.choice.tear();
      }
    },
    get isDone() {
      return isDone;
    },
    mayEnd: () => answer.isFinished,
  };
}

/** Some servers send a whole message where the delta should be. */
function wholeMessage(choice: JsonObject, target: ChoiceState): JsonObject | undefined {
  return target.choice.slots.length === 0 ? asObject(choice.message) : undefined;
}

/** The one piece of one choice that a chunk brings, when it brings nothing else. */
interface OnlyPiece {
  choice: number;
  kind: 'text' | 'reasoning' | 'refusal' | 'arguments';
  /** Name of the member that holds it. */
  member: string;
  /** Position of the tool call that arguments belong to. */
  tool: number;
}

const PIECES: ReadonlyMap<string, OnlyPiece['kind']> = new Map([
  ['content', 'text'],
  ['reasoning_content', 'reasoning'],
  ['reasoning', 'reasoning'],
  ['refusal', 'refusal'],
  ['tool_calls', 'arguments'],
]);

/** Undefined when the chunk does anything that would count a second time. */
function onlyPieceOf(root: JsonObject): OnlyPiece | undefined {
  const choices = asArray(root.choices);
  if (choices?.length !== 1 || isSet(root.error) || isSet(root.usage) || isSet(root.x_groq)) {
    return undefined;
  }
  const choice = asObject(choices[0]);
  const delta = asObject(choice?.delta);
  if (choice === undefined || delta === undefined) {
    return undefined;
  }
  if (isSet(choice.finish_reason) || isSet(choice.usage) || isSet(choice.error)) {
    return undefined;
  }
  const set = Object.keys(delta).filter((name) => name !== 'role' && isSet(delta[name]));
  const member = set[0];
  const kind = PIECES.get(member ?? '');
  if (set.length !== 1 || member === undefined || kind === undefined) {
    return undefined;
  }
  const index = asCount(choice.index) ?? 0;
  if (kind !== 'arguments') {
    return typeof delta[member] === 'string' ? { choice: index, kind, member, tool: 0 } : undefined;
  }
  const tool = onlyArgumentsOf(delta.tool_calls);
  return tool === undefined ? undefined : { choice: index, kind, member: 'arguments', tool };
}

/** Position of the one call to which a delta adds arguments and nothing else. */
function onlyArgumentsOf(toolCalls: unknown): number | undefined {
  const calls = asArray(toolCalls);
  const call = asObject(calls?.[0]);
  const called = asObject(call?.function);
  if (calls?.length !== 1 || call === undefined || called === undefined) {
    return undefined;
  }
  const isMore = isSet(call.id) || isSet(call.custom) || isSet(called.name);
  return isMore || typeof called.arguments !== 'string' ? undefined : asCount(call.index);
}

/** Null and the empty string are what servers write for nothing. */
function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

/** Finds the piece in the parsed value of another chunk like it. */
function placeOf({ kind, member }: OnlyPiece): (value: unknown) => unknown {
  return (value) => {
    const choice = asObject(asArray(asObject(value)?.choices)?.[0]);
    const delta = asObject(choice?.delta);
    if (kind !== 'arguments') {
      return delta?.[member];
    }
    return asObject(asObject(asArray(delta?.tool_calls)?.[0])?.function)?.arguments;
  };
}
