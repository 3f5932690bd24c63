/**
 * The events of one interaction as it is streamed: steps that begin, grow and end, and the interaction around them.
 * https://ai.google.dev/gemini-api/docs/interactions/streaming
 */
import { CutText, cutToBytes, type JsonPlan } from '../util/json-scanner.ts';
import { TextDigest } from '../util/text-digest.ts';
import type { Answer, Choice, TextSlot, ToolSlot } from './answer.ts';
import { createDeltaAppender } from './delta-appender.ts';
import { errorOf } from './error-body.ts';
import { asReasoning, readAnsweredStep, readGeminiContent } from './gemini-step.ts';
import { readInteractionUsage } from './gemini-usage.ts';
import { createHeldRoom } from './held-room.ts';
import { asArray, asCount, asName, asObject, type JsonObject } from './json-access.ts';
import { argumentsText } from './openai-message.ts';
import { type RecordPlan, readRecord } from './record-json.ts';
import type { CallContext } from './wire-api.ts';
import type { WireItem } from './wire-message.ts';

export interface InteractionEvents {
  /** An event of the stream; false when its data is not what the API sends. */
  read(name: string, data: string, timeNs: bigint): boolean;
  /** What any state of an interaction says: id, model, usage. */
  head(interaction: JsonObject): void;
  /** What its end says: why it ended, what went wrong. */
  status(interaction: JsonObject): void;
  /** Events are missing here. */
  gap(): void;
  readonly isDone: boolean;
}

const ALL: JsonPlan = { keep: 'all' };

const STEP: JsonPlan = {
  keep: 'all',
  other: ALL,
  fields: new Map([['arguments', { keep: 'raw' }]]),
};

/** An event that begins or repeats function calls: all of it, with their arguments as they are. */
const RECORD: RecordPlan = {
  mark: '"function_call"',
  plan: {
    keep: 'all',
    other: ALL,
    fields: new Map<string, JsonPlan>([
      ['step', STEP],
      [
        'interaction',
        { keep: 'all', other: ALL, fields: new Map([['steps', { keep: 'all', items: STEP }]]) },
      ],
    ]),
  },
};

/** States in which more is to come. */
const UNFINISHED: ReadonlySet<string> = new Set(['queued', 'in_progress']);

/** A step that is still growing. */
interface OpenStep {
  text?: TextSlot;
  tool?: ToolSlot;
  /** What came with its beginning; of a step that the provider runs itself, with what came since. */
  start: JsonObject;
  /** Characters of the events that `start` was made of. */
  heldChars: number;
  /** The step is none of texts or a function call: it is added when it is over. */
  isWhole: boolean;
}

/** A running number that nobody here looks at. */
const UNREAD = ['event_id'];

const textOf = (root: unknown): unknown => asObject(asObject(root)?.delta)?.text;
const argumentsOf = (root: unknown): unknown => asObject(asObject(root)?.delta)?.arguments;

export function createInteractionEvents(context: CallContext, answer: Answer): InteractionEvents {
  const { call, content, limits } = context;
  const open = new Map<number, OpenStep>();
  const deltas = createDeltaAppender(answer, UNREAD);
  let mediaRoomBytes = limits.maxCallContentBytes;
  const room = createHeldRoom(context);
  let isDone = false;

  function readHead(interaction: JsonObject): void {
    answer.setId(interaction.id);
    answer.setModel(interaction.model);
    readUsage(interaction.usage);
  }

  /** The last one counts: each is of all that was used so far. */
  function readUsage(value: unknown): void {
    const usage = readInteractionUsage(value);
    if (usage !== undefined) {
      answer.response.usage = usage;
    }
  }

  function readStatus(interaction: JsonObject): void {
    answer.setServiceTier(interaction.service_tier);
    const status = asName(interaction.status);
    if (status === undefined || UNFINISHED.has(status)) {
      return;
    }
    if (status === 'failed') {
      const error = failureOf(interaction);
      answer.fail(error?.type ?? status, error?.message);
      return;
    }
    const choice = answer.choice(0);
    if (choice !== undefined) {
      choice.finishReason = status;
    }
  }

  function stepAt(index: number): OpenStep | undefined {
    let step = open.get(index);
    if (step === undefined) {
      if (open.size >= limits.maxParts) {
        call.damage.add('limit');
        return undefined;
      }
      step = { start: {}, heldChars: 0, isWhole: false };
      open.set(index, step);
    }
    return step;
  }

  /** Undefined when none is open under this number. */
  function closeStep(index: number): OpenStep | undefined {
    const step = open.get(index);
    open.delete(index);
    room.release(step?.heldChars ?? 0);
    deltas.forget();
    return step;
  }

  /** Makes what came the step's own, unless too much is held already: `data` is the event that brought it. */
  function hold(step: OpenStep, came: JsonObject, data: string): boolean {
    const isHeld = room.take(data.length);
    if (isHeld) {
      step.heldChars += data.length;
      Object.assign(step.start, came);
    }
    return isHeld;
  }

  function beginStep(root: JsonObject, data: string, timeNs: bigint): void {
    const choice = answer.choice(0);
    const start = asObject(root.step) ?? {};
    const index = asCount(root.index) ?? 0;
    // A number that is used again is another step's.
    closeStep(index);
    const step = stepAt(index);
    if (choice === undefined || step === undefined) {
      return;
    }
    switch (start.type) {
      case 'function_call': {
        const tool = choice.beginToolCall(asName(start.id), asName(start.name) ?? '', timeNs);
        if (tool !== undefined) {
          tool.isTorn = !hold(step, start, data);
          step.tool = tool;
        }
        return;
      }
      case 'model_output':
      case 'thought':
        for (const item of readAnsweredStep(start)) {
          addContent(choice, step, item, timeNs);
        }
        return;
      default:
        step.isWhole = hold(step, start, data);
    }
  }

  /** A text goes on in the one before it, if that is the step's last content. */
  function addContent(choice: Choice, step: OpenStep, item: WireItem, timeNs: bigint): void {
    const isText = item.kind === 'text' || item.kind === 'reasoning';
    if (!isText || typeof item.text !== 'string') {
      delete step.text;
      deltas.forget();
      choice.addItem(item, timeNs);
      answer.touch(timeNs);
      return;
    }
    if (step.text?.kind !== item.kind) {
      const slot = choice.beginText(item.kind);
      if (slot === undefined) {
        return;
      }
      step.text = slot;
      deltas.forget();
    }
    choice.append(step.text, item.text, timeNs);
  }

  function readDelta(root: JsonObject, data: string, timeNs: bigint): void {
    const choice = answer.choice(0);
    const delta = asObject(root.delta) ?? {};
    const step = stepAt(asCount(root.index) ?? 0);
    readUsage(asObject(root.metadata)?.total_usage);
    if (choice === undefined || step === undefined) {
      return;
    }
    // It does nothing but append, and says of itself what it is.
    const isPlain = root.metadata === undefined && typeof root.event_type === 'string';
    switch (delta.type) {
      case 'text': {
        const item = readGeminiContent(delta);
        if (item !== undefined) {
          addContent(choice, step, item, timeNs);
        }
        if (isPlain && step.text?.kind === 'text') {
          deltas.learn(data, 'text', textOf, { slot: step.text });
        }
        return;
      }
      case 'thought_summary': {
        const item = readGeminiContent(asObject(delta.content) ?? {});
        if (item !== undefined) {
          addContent(choice, step, asReasoning(item), timeNs);
        }
        return;
      }
      case 'arguments_delta':
        if (step.tool !== undefined) {
          choice.appendArguments(step.tool, asName(delta.arguments) ?? '', timeNs, true);
          if (isPlain) {
            deltas.learn(data, 'arguments', argumentsOf, { tool: step.tool });
          }
        }
        return;
      case 'image':
      case 'audio':
      case 'video':
      case 'document':
        addContent(choice, step, readGeminiContent(boundedMedia(delta))!, timeNs);
        return;
      case 'thought_signature':
      case 'text_annotation_delta':
        return;
      default:
        if (step.isWhole) {
          hold(step, { ...delta, type: step.start.type }, data);
        }
    }
  }

  /** What is kept of a picture or a sound is all that is held of it until the answer is over. */
  function boundedMedia(delta: JsonObject): JsonObject {
    const { data, ...rest } = delta;
    if (typeof data !== 'string') {
      return delta;
    }
    // A copy, as a slice would hold all that it was cut from.
    const prefix = cutToBytes(data, Math.min(content.maxFieldBytes, mediaRoomBytes));
    mediaRoomBytes -= prefix.length;
    if (prefix.length === data.length) {
      return delta;
    }
    if (content.isOn) {
      call.damage.add('limit');
    }
    const text = new CutText(prefix, data.length, new TextDigest().append(data), true);
    return { ...rest, data: text };
  }

  function endStep(root: JsonObject, timeNs: bigint): void {
    readUsage(root.usage);
    const step = closeStep(asCount(root.index) ?? 0);
    const choice = answer.choice(0);
    if (step === undefined || choice === undefined) {
      return;
    }
    if (step.tool !== undefined) {
      endTool(choice, step.tool, step.start, timeNs);
    } else if (step.isWhole) {
      for (const item of readAnsweredStep(step.start)) {
        choice.addItem(item, timeNs);
      }
    }
  }

  function endTool(choice: Choice, tool: ToolSlot, start: JsonObject, timeNs: bigint): void {
    if (tool.argumentsText.bytes === 0) {
      // No pieces: what came with the beginning is all of it, mostly `{}`.
      choice.appendArguments(tool, argumentsText(start.arguments), timeNs, false);
    }
    if (!tool.isTorn) {
      tool.timeNs = timeNs;
    }
    choice.completeToolCall(tool);
  }

  function end(interaction: JsonObject, timeNs: bigint): void {
    readHead(interaction);
    const choice = answer.choice(0);
    if (choice?.slots.length === 0) {
      // Steps that are repeated here say nothing new, unless none of them has come.
      for (const item of (asArray(interaction.steps) ?? []).flatMap(readAnsweredStep)) {
        choice.addItem(item, timeNs);
      }
    }
    readStatus(interaction);
    isDone = true;
  }

  function readEvent(type: string, root: JsonObject, data: string, timeNs: bigint): void {
    switch (type) {
      case 'interaction.created':
        readHead(asObject(root.interaction) ?? {});
        return;
      case 'interaction.status_update':
        answer.setId(root.interaction_id);
        readUsage(root.usage);
        return;
      case 'step.start':
        beginStep(root, data, timeNs);
        return;
      case 'step.delta':
        readDelta(root, data, timeNs);
        return;
      case 'step.stop':
        endStep(root, timeNs);
        return;
      case 'interaction.completed':
        end(asObject(root.interaction) ?? {}, timeNs);
        return;
      default:
        // What is newer than this may be an error.
        answer.failBy(root, type === 'error');
    }
  }

  return {
    read(name, data, timeNs) {
      if (isDone || deltas.append(data, timeNs)) {
        return true;
      }
      const root = readRecord(data, RECORD, limits);
      if (root === undefined) {
        isDone = data.trim() === '[DONE]';
        return isDone;
      }
      readEvent(asName(root.event_type) ?? name, root, data, timeNs);
      return true;
    },
    head: readHead,
    status: readStatus,
    gap() {
      deltas.forget();
      // What is open may have ended in the hole: later pieces are not added to it.
      for (const index of open.keys()) {
        closeStep(index);
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

/** Of an interaction that failed: what is listed on it, or what its last step says. */
function failureOf(interaction: JsonObject): { type?: string; message?: string } | undefined {
  const [listed] = asArray(interaction.errors) ?? [];
  const steps = asArray(interaction.steps) ?? [];
  return (
    errorOf(listed, true) ??
    errorOf(
      steps.map(asObject).findLast((step) => step?.error),
      true,
    )
  );
}
