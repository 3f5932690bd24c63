/**
 * The events of one response, as the responses API streams them and the Realtime API sends them: what each says
 * goes into the answer.
 * https://platform.openai.com/docs/api-reference/responses-streaming and …/realtime-server-events
 */
import type { Answer, Choice, TextSlot, ToolSlot } from './answer.ts';
import { createDeltaAppender, type DeltaTarget } from './delta-appender.ts';
import { asArray, asCount, asName, asObject, type JsonObject } from './json-access.ts';
import { KeptText } from './kept-text.ts';
import { toolArgumentsOf, toolNameOf, typeOf } from './openai-item.ts';
import { readOpenAiUsage } from './openai-usage.ts';
import { setField } from './set-field.ts';
import type { CallContext } from './wire-api.ts';
import type { WireItem } from './wire-message.ts';

export interface ResponseEvents {
  /**
   * Takes an event, as text, that appends to what the event before it appended to: false when it is another, which
   * is to be parsed and read.
   */
  append(data: string, timeNs: bigint): boolean;
  /** An event of this type; `root` is the whole of it, `data` its text where `append` is used. */
  read(type: string, root: JsonObject, timeNs: bigint, data?: string): void;
  /** What any state of a response object says: id, model, usage. */
  head(response: JsonObject): void;
  /** What its end says: why it ended, what went wrong. */
  status(response: JsonObject): void;
  /** The error in `root`, if there is one; in a failed request's, any shape will do. */
  error(root: unknown, isFailedRequest: boolean): void;
  /** Events are missing here. */
  gap(): void;
  /** The response is over. */
  readonly isDone: boolean;
}

/** A name, or an object with one. */
export function conversationOf(body: JsonObject): string | undefined {
  return (
    asName(body.conversation) ??
    asName(asObject(body.conversation)?.id) ??
    asName(body.conversation_id)
  );
}

/** Members of deltas that differ from one to the next, and that nobody here looks at. */
const UNREAD = ['sequence_number', 'event_id', 'obfuscation'];

const deltaOf = (root: unknown): unknown => asObject(root)?.delta;

/** An item of a stream's output. */
interface OpenItem {
  /** By what they are and their numbers within the item. */
  texts: Map<string, TextSlot>;
  tool?: ToolSlot;
  /** Text of it was taken from deltas: the whole at its end says nothing new. */
  hasText: boolean;
}

const TEXT_DELTAS: ReadonlyMap<string, 'text' | 'reasoning' | 'refusal'> = new Map([
  ['response.output_text.delta', 'text'],
  ['response.refusal.delta', 'refusal'],
  ['response.reasoning_text.delta', 'reasoning'],
  ['response.reasoning_summary_text.delta', 'reasoning'],
  // Realtime, and its names before it was generally available.
  ['response.output_audio_transcript.delta', 'text'],
  ['response.audio_transcript.delta', 'text'],
  ['response.text.delta', 'text'],
]);

/** `readItem` gives what an output item is made of. */
export function createResponseEvents(
  context: CallContext,
  answer: Answer,
  readItem: (value: unknown) => readonly WireItem[],
): ResponseEvents {
  const { call, limits } = context;
  const open = new Map<number, OpenItem>();
  const deltas = createDeltaAppender(answer, UNREAD);
  let isDone = false;
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

  /** What the end of an answer says: the tier that was used, why it ended, what went wrong. */
  function readEnd(response: JsonObject): void {
    answer.setServiceTier(response.service_tier);
    const status = asName(response.status);
    const details = asObject(response.status_details) ?? {};
    const isOver = status !== undefined && status !== 'queued' && status !== 'in_progress';
    if (isOver && status !== 'failed') {
      const choice = answer.choice(0);
      const reason =
        asName(asObject(response.incomplete_details)?.reason) ?? asName(details.reason);
      if (choice !== undefined) {
        choice.finishReason = reason ?? status;
      }
    }
    if (status === 'failed') {
      answer.failBy(asObject(details.error) === undefined ? response : details, true);
    }
  }

  function addWholeItem(value: unknown, timeNs: bigint): void {
    for (const item of readItem(value)) {
      answer.choice(0)?.addItem(item, timeNs);
    }
  }

  /** The item with this number; undefined where as many as there may be are open. */
  function itemAt(index: number): OpenItem | undefined {
    let item = open.get(index);
    if (item === undefined && open.size >= limits.maxParts) {
      call.damage.add('limit');
      return undefined;
    }
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
    if (name === undefined || state === undefined || state.tool !== undefined) {
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
    data: string | undefined,
  ): void {
    const choice = answer.choice(0);
    const piece = root.delta;
    if (choice === undefined || typeof piece !== 'string' || piece.length === 0) {
      return;
    }
    const item = itemAt(asCount(root.output_index) ?? 0);
    const key = `${kind} ${asCount(root.summary_index) ?? ''} ${asCount(root.content_index) ?? ''}`;
    const slot = item?.texts.get(key) ?? choice.beginText(kind);
    if (item === undefined || slot === undefined) {
      return;
    }
    item.texts.set(key, slot);
    item.hasText = true;
    choice.append(slot, piece, timeNs);
    learn(root, data, { slot });
  }

  /** The event did nothing but append to the target, and says of itself that it is of this type. */
  function learn(root: JsonObject, data: string | undefined, target: DeltaTarget): void {
    if (data !== undefined && typeof root.type === 'string') {
      deltas.learn(data, 'delta', deltaOf, target);
    }
  }

  function appendArguments(root: JsonObject, timeNs: bigint, data: string | undefined): void {
    const tool = open.get(asCount(root.output_index) ?? 0)?.tool;
    if (tool !== undefined && typeof root.delta === 'string') {
      answer.choice(0)?.appendArguments(tool, root.delta, timeNs, true);
      learn(root, data, { tool });
    }
  }

  /** The item as a whole: all of it that no delta has brought. */
  function endItem(root: JsonObject, timeNs: bigint): void {
    const choice = answer.choice(0);
    const item = asObject(root.item);
    const index = asCount(root.output_index) ?? 0;
    const known = open.get(index);
    open.delete(index);
    deltas.forget();
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

  function readEvent(type: string, root: JsonObject, timeNs: bigint, data?: string): void {
    const kind = TEXT_DELTAS.get(type);
    if (kind !== undefined) {
      appendText(kind, root, timeNs, data);
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
        appendArguments(root, timeNs, data);
        return;
      case 'response.output_item.done':
        endItem(root, timeNs);
        return;
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
      case 'response.cancelled':
      case 'response.done':
        end(asObject(root.response) ?? {}, timeNs);
        return;
      case 'response.output_audio.delta':
      case 'response.audio.delta':
        // Heard by the user, never kept.
        answer.touch(timeNs);
        return;
      case 'error':
        answer.failBy(root, true);
        return;
      default:
        // Beginnings and ends of parts say nothing new; what is newer than this may be an error.
        answer.failBy(root, false);
    }
  }

  return {
    append: deltas.append,
    read: readEvent,
    head: readHead,
    status: readEnd,
    error: (root, isFailedRequest) => answer.failBy(root, isFailedRequest),
    gap() {
      hasGap = true;
      deltas.forget();
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
  };
}
