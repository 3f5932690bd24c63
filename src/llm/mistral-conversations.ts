/**
 * The conversations that Mistral keeps, with models and with agents: begun, gone on with and restarted.
 * https://docs.mistral.ai/api/endpoint/beta/conversations
 */
import { type JsonPlan, textPrefix } from '../util/json-scanner.ts';
import type { Answer, Choice, TextSlot, ToolSlot } from './answer.ts';
import { createDeltaAppender, type DeltaTarget } from './delta-appender.ts';
import { ERROR_MEMBERS } from './error-body.ts';
import { createHeldRoom } from './held-room.ts';
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
import { MISTRAL_ENTRY_PLAN, readMistralContent, readMistralEntry } from './mistral-entry.ts';
import { outputType } from './openai-chat-completions.ts';
import { OPENAI_USAGE_PLAN, readOpenAiUsage } from './openai-usage.ts';
import { decodedSegment } from './path-segment.ts';
import { createRequestMessages } from './request-messages.ts';
import { setField } from './set-field.ts';
import { addNestedToolDefinition, toolDefinitionPlan } from './tool-definition.ts';
import type {
  AnswerReader,
  CallContext,
  CallTarget,
  RequestReader,
  WireApiReader,
} from './wire-api.ts';
import { partsOf, type WireItem, type WireMessage } from './wire-message.ts';

const ALL: JsonPlan = { keep: 'all' };

function plan(...members: readonly (readonly [string, JsonPlan])[]): JsonPlan {
  return { keep: 'all', fields: new Map(members) };
}

/** Only that it is there. */
const PRESENCE: JsonPlan = { keep: 'all', fields: new Map(), items: { keep: 'skip' } };

function requestPlan(isContentOn: boolean): JsonPlan {
  return plan(
    ['model', ALL],
    ['agent_id', ALL],
    ['stream', ALL],
    ['from_entry_id', ALL],
    ['tool_confirmations', PRESENCE],
    [
      'completion_args',
      plan(
        ['stop', ALL],
        ['presence_penalty', ALL],
        ['frequency_penalty', ALL],
        ['temperature', ALL],
        ['top_p', ALL],
        ['max_tokens', ALL],
        ['random_seed', ALL],
        ['reasoning_effort', ALL],
        ['response_format', plan(['type', ALL])],
      ),
    ],
    ['instructions', isContentOn ? { keep: 'text' } : { keep: 'skip' }],
    ['inputs', { keep: 'text', emit: 'entry', items: MISTRAL_ENTRY_PLAN }],
    ['tools', { keep: 'all', emit: 'tool', items: toolDefinitionPlan('parameters', isContentOn) }],
  );
}

const REQUEST_PLAN = requestPlan(false);
const REQUEST_PLAN_WITH_CONTENT = requestPlan(true);

const USAGE_PLAN: JsonPlan = {
  keep: 'all',
  fields: new Map([...OPENAI_USAGE_PLAN.fields!, ['connector_tokens', PRESENCE]]),
};

const ANSWER_PLAN: JsonPlan = plan(
  ['conversation_id', ALL],
  ['outputs', { keep: 'all', items: MISTRAL_ENTRY_PLAN }],
  ['usage', USAGE_PLAN],
  ...ERROR_MEMBERS,
);

/** A new conversation, one that goes on, or one that is taken up again at an entry. */
const PATH = /\/v1\/conversations(?:\/([^/]+)(?:\/restart)?)?$/;

export const mistralConversations: WireApiReader = {
  api: 'mistral.conversations',
  operation: 'chat',
  provider: 'mistral_ai',
  matches: ({ path }) => PATH.test(path),
  readRequest,
  readAnswer,
};

function readRequest(context: CallContext, target: CallTarget): RequestReader {
  const { call, content, limits } = context;
  const request = call.request;
  const messages = createRequestMessages(context, (value) => value as WireMessage);
  const conversation = PATH.exec(target.path)?.[1];
  /** The entries of one answer are one message: they are kept until something else follows. */
  let answered: WireMessage | undefined;
  let hasInputs = false;
  let isTorn = false;

  function flush(): void {
    if (answered !== undefined && !isTorn) {
      messages.add(answered, true);
    }
    answered = undefined;
  }

  function addEntry(value: unknown, isWhole: boolean): void {
    hasInputs = true;
    isTorn ||= !isWhole;
    if (isTorn) {
      return;
    }
    const entry = readMistralEntry(value);
    if (entry.role !== 'assistant') {
      flush();
      messages.add(entry, true);
    } else if (answered === undefined) {
      answered = entry;
    } else if (answered.items.length + entry.items.length > limits.maxParts) {
      call.damage.add('limit');
    } else {
      answered.items.push(...entry.items);
    }
  }

  function setParameters(body: JsonObject): void {
    const given = asObject(body.completion_args) ?? {};
    setField(request, 'model', asName(body.model));
    setField(request, 'stream', typeof body.stream === 'boolean' ? body.stream : undefined);
    setField(request, 'maxTokens', asCount(given.max_tokens));
    setField(request, 'temperature', asNumber(given.temperature));
    setField(request, 'topP', asNumber(given.top_p));
    setField(request, 'frequencyPenalty', asNumber(given.frequency_penalty));
    setField(request, 'presencePenalty', asNumber(given.presence_penalty));
    setField(request, 'seed', asNumber(given.random_seed));
    setField(request, 'stopSequences', asTexts(given.stop));
    setField(request, 'reasoningLevel', asName(given.reasoning_effort));
    setField(request, 'outputType', outputType(asObject(given.response_format)?.type));
    if (conversation !== undefined) {
      request.conversationId = decodedSegment(conversation);
    }
    const { instructions } = body;
    if (content.isOn && textPrefix(instructions)) {
      const item: WireItem = { kind: 'text', text: instructions as string };
      request.systemInstructions.push(...partsOf([item], content));
    }
    if (textPrefix(body.inputs) !== undefined) {
      const items: WireItem[] = [{ kind: 'text', text: body.inputs as string }];
      messages.add({ role: 'user', items }, !isTorn);
    }
  }

  return {
    plan: content.isOn ? REQUEST_PLAN_WITH_CONTENT : REQUEST_PLAN,
    item(name, value, isWhole) {
      if (name === 'entry') {
        addEntry(value, isWhole);
      } else {
        addNestedToolDefinition(context, value);
      }
    },
    end(root, isWhole) {
      const body = asObject(root) ?? {};
      // A body that broke off may have broken off within its last text.
      isTorn ||= !isWhole;
      flush();
      setParameters(body);
      if (!isWhole && !context.isProviderAssumed() && call.provider === 'mistral_ai') {
        return true;
      }
      // OpenAI's conversations have the same paths, and run no model.
      const isAsking = hasInputs || 'inputs' in body;
      if (conversation === undefined) {
        return isAsking && (request.model !== undefined || asName(body.agent_id) !== undefined);
      }
      return isAsking || 'tool_confirmations' in body || 'from_entry_id' in body;
    },
  };
}

/** An output of a stream that is still growing. */
interface OpenOutput {
  texts: Map<number, TextSlot>;
  tool?: ToolSlot;
  /** Which call the pieces are of. */
  toolCallId?: string;
  /** The beginning of the call was lost. */
  isHeadless?: boolean;
  /** Of an entry that the provider makes itself: what has come of it. */
  entry?: JsonObject;
  /** Characters of the events that brought it. */
  heldChars: number;
  /** There was no room for a piece of it: later ones do not go on where it ends. */
  isCut?: boolean;
}

/** A time that nobody here looks at. */
const UNREAD = ['created_at'];

const contentOf = (root: unknown): unknown => asObject(root)?.content;
const argumentsOf = (root: unknown): unknown => asObject(root)?.arguments;

function readAnswer(context: CallContext, answer: Answer): AnswerReader {
  const { call, limits } = context;
  const open = new Map<number, OpenOutput>();
  const room = createHeldRoom(context);
  const deltas = createDeltaAppender(answer, UNREAD);
  let isDone = false;
  let hasGap = false;

  function readUsage(value: unknown): void {
    const usage = readOpenAiUsage(value);
    if (usage === undefined) {
      return;
    }
    answer.response.usage = usage;
    // What the provider's own tools used is in neither count, and has other prices.
    if ((asCount(asObject(value)?.connector_tokens) ?? 0) > 0) {
      answer.response.hasUncountedRuns = true;
    }
  }

  function readConversation(value: unknown): void {
    // A conversation that is restarted goes on under another name.
    setField(call.request, 'conversationId', asName(value));
  }

  function outputAt(index: number): OpenOutput | undefined {
    let output = open.get(index);
    if (output === undefined) {
      if (open.size >= limits.maxParts) {
        call.damage.add('limit');
        return undefined;
      }
      output = { texts: new Map(), heldChars: 0 };
      open.set(index, output);
    }
    return output;
  }

  /** The answer's message; what is put into it behind a hole need not be whole. */
  function message(): Choice | undefined {
    const choice = answer.choice(0);
    if (hasGap && choice?.slots.length === 0) {
      choice.tear();
    }
    return choice;
  }

  /** The event did nothing but append to the target, and says of itself that it is of this type. */
  function learn(
    root: JsonObject,
    data: string,
    member: string,
    place: (value: unknown) => unknown,
    target: DeltaTarget,
  ): void {
    if (typeof root.type === 'string') {
      deltas.learn(data, member, place, target);
    }
  }

  function addMessage(root: JsonObject, data: string, timeNs: bigint): void {
    const choice = message();
    const output = outputAt(asCount(root.output_index) ?? 0);
    answer.setModel(root.model);
    if (choice === undefined || output === undefined) {
      return;
    }
    const place = asCount(root.content_index) ?? 0;
    for (const item of readMistralContent(root.content)) {
      if ((item.kind !== 'text' && item.kind !== 'reasoning') || typeof item.text !== 'string') {
        output.texts.delete(place);
        deltas.forget();
        choice.addItem(item, timeNs);
        answer.touch(timeNs);
        continue;
      }
      let slot = output.texts.get(place);
      if (slot?.kind !== item.kind) {
        slot = choice.beginText(item.kind);
        if (slot === undefined) {
          return;
        }
        output.texts.set(place, slot);
        deltas.forget();
      }
      choice.append(slot, item.text, timeNs);
    }
    const slot = output.texts.get(place);
    if (typeof root.content === 'string' && slot?.kind === 'text') {
      learn(root, data, 'content', contentOf, { slot });
    }
  }

  function addCall(root: JsonObject, data: string, timeNs: bigint): void {
    const choice = message();
    const output = outputAt(asCount(root.output_index) ?? 0);
    answer.setModel(root.model);
    if (choice === undefined || output === undefined) {
      return;
    }
    const piece = textPrefix(root.arguments) ?? '';
    const id = asName(root.tool_call_id);
    if (id !== undefined && id !== (output.toolCallId ?? id)) {
      // Another call under the same number.
      delete output.tool;
      delete output.isHeadless;
      deltas.forget();
    }
    setField(output, 'toolCallId', id);
    const isBeginning = output.tool === undefined;
    if (isBeginning) {
      // Each piece has the name: after a hole this one need not be the first, unless an object begins with it.
      output.isHeadless ??= hasGap && !piece.startsWith('{');
      const name = asName(root.name);
      const tool =
        name === undefined || output.isHeadless
          ? undefined
          : choice.beginToolCall(id, name, timeNs);
      if (tool === undefined) {
        return;
      }
      output.tool = tool;
    }
    const { tool } = output;
    if (tool !== undefined) {
      choice.appendArguments(tool, piece, timeNs, !isBeginning);
      learn(root, data, 'arguments', argumentsOf, { tool });
    }
  }

  function closeEntry(output: OpenOutput): void {
    room.release(output.heldChars);
    output.heldChars = 0;
    delete output.entry;
    delete output.isCut;
  }

  /** Of an entry that the provider makes itself: it is added when it is over. */
  function growEntry(type: string, root: JsonObject, data: string, timeNs: bigint): void {
    const output = outputAt(asCount(root.output_index) ?? 0);
    if (output === undefined) {
      return;
    }
    const [, kind = '', event] = /^(.*)\.([a-z]+)$/.exec(type) ?? [];
    const { output_index: _, type: __, created_at: ___, arguments: piece, ...rest } = root;
    if (event === 'started') {
      closeEntry(output);
      output.entry = { type: kind };
    }
    const { entry } = output;
    if (entry === undefined) {
      return;
    }
    if (!output.isCut && room.take(data.length)) {
      output.heldChars += data.length;
      Object.assign(entry, rest);
      const given = (asName(entry.arguments) ?? '') + (asName(piece) ?? '');
      if (given !== '') {
        entry.arguments = given;
      }
    } else {
      output.isCut = true;
    }
    if (event === 'done') {
      closeEntry(output);
      for (const item of readMistralEntry(entry).items) {
        answer.choice(0)?.addItem(item, timeNs);
      }
    }
  }

  function end(): void {
    const choice = answer.choice(0);
    if (choice !== undefined) {
      choice.isEnded = true;
      choice.completeToolCalls();
    }
  }

  function readEvent(type: string, root: JsonObject, data: string, timeNs: bigint): void {
    switch (type) {
      case 'conversation.response.started':
        readConversation(root.conversation_id);
        return;
      case 'message.output.delta':
        addMessage(root, data, timeNs);
        return;
      case 'function.call.delta':
        addCall(root, data, timeNs);
        return;
      case 'tool.execution.started':
      case 'tool.execution.delta':
      case 'tool.execution.done':
      case 'agent.handoff.started':
      case 'agent.handoff.done':
        growEntry(type, root, data, timeNs);
        return;
      case 'conversation.response.done':
        readConversation(root.conversation_id);
        readUsage(root.usage);
        end();
        isDone = true;
        return;
      case 'conversation.response.error':
        answer.failBy({ code: root.code, message: root.message }, true);
        return;
      default:
        // What is newer than this may be an error.
        answer.failBy(root, false);
    }
  }

  return {
    plan: ANSWER_PLAN,
    body(root, isWhole, timeNs) {
      const isRefused = (call.httpStatus ?? 0) >= 400;
      const body = asObject(root);
      if (body === undefined || isRefused || body.outputs === undefined) {
        answer.failBy(root, isRefused);
        return;
      }
      readConversation(body.conversation_id);
      const outputs = asArray(body.outputs) ?? [];
      outputs.forEach((value, position) => {
        const isTorn = !isWhole && position === outputs.length - 1;
        answer.setModel(asObject(value)?.model);
        if (isTorn && asName(asObject(value)?.type) === undefined) {
          // What it is may be what is missing.
          return;
        }
        for (const item of readMistralEntry(value).items) {
          answer.choice(0)?.addItem(item, timeNs, isTorn);
        }
      });
      readUsage(body.usage);
      if (isWhole) {
        end();
      }
    },
    event(name, data, timeNs) {
      if (isDone || deltas.append(data, timeNs)) {
        return true;
      }
      const root = parseObject(data);
      if (root === undefined) {
        isDone = data.trim() === '[DONE]';
        return isDone;
      }
      readEvent(asName(root.type) ?? name, root, data, timeNs);
      return true;
    },
    gap() {
      hasGap = true;
      deltas.forget();
      // What is open may have ended in the hole: later pieces are not added to it.
      for (const output of open.values()) {
        closeEntry(output);
      }
      open.clear();
      if (call.response !== undefined) {
        answer.choice(0)?.tear();
      }
    },
    get isDone() {
      return isDone;
    },
  };
}
