/**
 * Puts an answer together from whatever pieces its wire API sends, and completes the call's response in place:
 * the stream readers say what a piece is, this keeps it in order, within the limits, and fingerprints it.
 */

import type { ChunkClock } from './chunk-clock.ts';
import type { ContentKeeper } from './content-keeper.ts';
import { errorOf } from './error-body.ts';
import { KeptText } from './kept-text.ts';
import type { LlmLimits } from './limits.ts';
import type { CallResponse, ModelCall, OutputMessage, Part, ToolCall } from './model-call.ts';
import { isCompaction, MessageFingerprint, partsOf, type WireItem } from './wire-message.ts';

export interface AnswerOptions {
  call: ModelCall;
  content: ContentKeeper;
  limits: LlmLimits;
  clock: ChunkClock;
  onToolCall(toolCall: ToolCall): void;
}

/** A text of the answer that is still growing. */
export interface TextSlot {
  /** A transcript is the text of what is spoken: clients do not repeat it. */
  kind: 'text' | 'reasoning' | 'refusal' | 'transcript';
  kept: KeptText | undefined;
}

/** A tool call of the answer that is still growing. */
export interface ToolSlot {
  kind: 'tool';
  id: string | undefined;
  name: string;
  argumentsText: KeptText;
  /** Time of its latest piece. */
  timeNs: bigint;
  isComplete: boolean;
  /** Bytes of it were lost: it stays as it was before, and is never reported as complete. */
  isTorn: boolean;
}

/** A piece that came whole; its content, cut to what is kept, is absent when content is off. */
interface ItemSlot {
  kind: 'item';
  parts: Part[];
}

type Slot = TextSlot | ToolSlot | ItemSlot;

export interface Answer {
  /** The call's response; made by the first thing that is known of it. */
  readonly response: CallResponse;
  /** The first name that is not empty counts: Azure begins with empty ones, gateways change them midway. */
  setId(value: unknown): void;
  setModel(value: unknown): void;
  setServiceTier(value: unknown): void;
  setSystemFingerprint(value: unknown): void;
  /** The choice with this number; undefined beyond the limit. */
  choice(index: number): Choice | undefined;
  /** A piece of the answer came of which nothing is kept: audio. */
  touch(timeNs: bigint): void;
  /** The provider says that the call failed. The first error counts. */
  fail(type: string | undefined, message: string | undefined): void;
  /** The same by the error in `root`; false when there is none. In a failed request's, any shape will do. */
  failBy(root: unknown, isFailedRequest: boolean): boolean;
  /** No more pieces: fills in messages, fingerprints and finish reasons. */
  finish(): void;
  /** A choice was begun, and every choice has its finish reason. */
  readonly isFinished: boolean;
}

/** One message of the answer. */
export class Choice {
  role = 'assistant';
  /** As the wire has it; the last one that is not empty. */
  finishReason: string | undefined;
  /** The message is there to its end, as an API says that has no reasons. */
  isEnded = false;
  readonly slots: Slot[] = [];
  readonly #options: AnswerOptions;
  readonly #text: MessageFingerprint;
  #hasGap = false;

  constructor(options: AnswerOptions) {
    this.#options = options;
    this.#text = new MessageFingerprint('assistant');
  }

  /** Begins a text; give it to `append`. Undefined beyond the limit of parts. */
  beginText(kind: TextSlot['kind']): TextSlot | undefined {
    if (!this.#hasRoom()) {
      return undefined;
    }
    const content = this.#options.content;
    const kept = content.isOn ? new KeptText(content.maxFieldBytes) : undefined;
    const slot: TextSlot = { kind, kept };
    this.slots.push(slot);
    return slot;
  }

  append(slot: TextSlot, piece: string, timeNs: bigint): void {
    if (piece.length === 0) {
      return;
    }
    this.#options.clock.chunk(timeNs);
    if (slot.kind === 'text' || slot.kind === 'refusal') {
      this.#text.appendText(piece);
    }
    if (slot.kept?.append(piece) === false) {
      this.#options.call.damage.add('limit');
    }
  }

  beginToolCall(id: string | undefined, name: string, timeNs: bigint): ToolSlot | undefined {
    if (!this.#hasRoom()) {
      return undefined;
    }
    const slot: ToolSlot = {
      kind: 'tool',
      id,
      name,
      argumentsText: new KeptText(this.#options.limits.maxArgumentBytes),
      timeNs,
      isComplete: false,
      isTorn: false,
    };
    this.slots.push(slot);
    this.#options.clock.chunk(timeNs);
    return slot;
  }

  /** `isChunk` is false for the piece that began the call. */
  appendArguments(slot: ToolSlot, piece: string, timeNs: bigint, isChunk: boolean): void {
    if (slot.isTorn) {
      return;
    }
    slot.timeNs = timeNs;
    if (piece.length === 0) {
      return;
    }
    if (isChunk) {
      this.#options.clock.chunk(timeNs);
    }
    if (!slot.argumentsText.append(piece)) {
      this.#options.call.damage.add('limit');
    }
  }

  /**
   * A piece that came whole. `timeNs` is the time of its last byte. A tool call that is torn, because the answer
   * ended inside it, is never reported as complete.
   */
  addItem(item: WireItem, timeNs: bigint, isTorn = false): void {
    if (item.kind === 'tool_call') {
      const slot = this.beginToolCall(item.id, item.name, timeNs);
      if (slot !== undefined) {
        this.appendArguments(slot, item.argumentsText, timeNs, false);
        slot.isTorn = isTorn;
        this.completeToolCall(slot);
      }
      return;
    }
    if (!this.#hasRoom()) {
      return;
    }
    if (isCompaction(item)) {
      this.#options.call.isCompacted = true;
    }
    this.#text.appendItem(item);
    const { content } = this.#options;
    this.slots.push({ kind: 'item', parts: content.isOn ? partsOf([item], content) : [] });
  }

  /** Nothing more comes for this tool call. */
  completeToolCall(slot: ToolSlot): void {
    if (this.#hasGap && !slot.isComplete && !isJson(slot.argumentsText.toString())) {
      // Its first pieces were lost without a trace.
      slot.isTorn = true;
    }
    if (slot.isComplete || slot.isTorn) {
      return;
    }
    slot.isComplete = true;
    const toolCall = toolCallOf(slot);
    this.#options.call.response?.toolCalls.push(toolCall);
    this.#options.onToolCall(toolCall);
  }

  /** Tool calls are complete when their choice is. */
  completeToolCalls(): void {
    for (const slot of this.slots) {
      if (slot.kind === 'tool') {
        this.completeToolCall(slot);
      }
    }
  }

  /** Bytes of the answer were lost here. */
  tear(): void {
    this.#hasGap = true;
    for (const slot of this.slots) {
      if (slot.kind === 'tool' && !slot.isComplete) {
        slot.isTorn = true;
      }
    }
  }

  /** Fingerprint, message and the tool calls that broke off. Called once, last. */
  finish(finishReason: string): { message: OutputMessage; fingerprint: string; torn: ToolCall[] } {
    const { content } = this.#options;
    const parts: Part[] = [];
    const torn: ToolCall[] = [];
    for (const slot of this.slots) {
      if (slot.kind === 'tool') {
        const argumentsText = slot.argumentsText.toString();
        this.#text.appendToolCall(slot.name, argumentsText);
        if (!slot.isComplete) {
          torn.push(toolCallOf(slot));
        }
      }
      if (content.isOn) {
        parts.push(...partsOfSlot(slot, content));
      }
    }
    const message: OutputMessage = { role: this.role, parts, finish_reason: finishReason };
    return { message, fingerprint: this.#text.hex(), torn };
  }

  #hasRoom(): boolean {
    if (this.slots.length < this.#options.limits.maxParts) {
      return true;
    }
    this.#options.call.damage.add('limit');
    return false;
  }
}

/** Makes the builder of one call's answer. */
export function createAnswer(options: AnswerOptions): Answer {
  const { call, limits } = options;
  const choices = new Map<number, Choice>();

  function response(): CallResponse {
    call.response ??= {
      finishReasons: [],
      usage: {},
      messages: [],
      fingerprints: [],
      toolCalls: [],
    };
    return call.response;
  }

  function set(field: 'id' | 'model' | 'serviceTier' | 'systemFingerprint', value: unknown): void {
    if (typeof value === 'string' && value.length > 0 && call.response?.[field] === undefined) {
      response()[field] = value;
    }
  }

  function fail(type: string | undefined, message: string | undefined): void {
    if (call.error !== undefined) {
      return;
    }
    call.error = { type: type ?? '_OTHER' };
    if (message !== undefined) {
      call.error.message = message;
    }
  }

  return {
    get response() {
      return response();
    },
    setId: (value) => set('id', value),
    setModel: (value) => set('model', value),
    setServiceTier: (value) => set('serviceTier', value),
    setSystemFingerprint: (value) => set('systemFingerprint', value),
    choice(index) {
      let choice = choices.get(index);
      if (choice === undefined) {
        if (choices.size >= limits.maxChoices) {
          call.damage.add('limit');
          return undefined;
        }
        response();
        choice = new Choice(options);
        choices.set(index, choice);
      }
      return choice;
    },
    touch: (timeNs) => options.clock.chunk(timeNs),
    fail,
    failBy(root, isFailedRequest) {
      const error = errorOf(root, isFailedRequest);
      if (error !== undefined) {
        fail(error.type, error.message);
      }
      return error !== undefined;
    },
    finish() {
      if (call.response === undefined) {
        return;
      }
      const inOrder = [...choices].sort(([first], [second]) => first - second);
      if (inOrder.some(([, choice]) => choice.finishReason === undefined)) {
        call.response.finishReasonByChoice = inOrder.map(([, choice]) => choice.finishReason);
      }
      for (const [, choice] of inOrder) {
        const reason = choice.finishReason;
        const hasToolCall = choice.slots.some((slot) => slot.kind === 'tool');
        const { message, fingerprint, torn } = choice.finish(
          conventionalReason(reason ?? (choice.isEnded ? 'completed' : undefined), hasToolCall),
        );
        call.response.messages.push(message);
        call.response.fingerprints.push(fingerprint);
        call.response.toolCalls.push(...torn);
        if (reason !== undefined) {
          call.response.finishReasons.push(reason);
        }
      }
    },
    get isFinished() {
      for (const choice of choices.values()) {
        if (choice.finishReason === undefined) {
          return false;
        }
      }
      return choices.size > 0;
    },
  };
}

/** What a piece of the answer is in its message, at most one part. */
function partsOfSlot(slot: Slot, content: ContentKeeper): Part[] {
  switch (slot.kind) {
    case 'item':
      return slot.parts;
    case 'tool': {
      const { id, name, argumentsText } = slot;
      const item: WireItem = {
        kind: 'tool_call',
        name,
        argumentsText: argumentsText.toString(),
        isCut: argumentsText.isCut,
      };
      return partsOf([id === undefined ? item : { ...item, id }], content);
    }
    default: {
      const kind = slot.kind === 'transcript' ? 'text' : slot.kind;
      const { kept } = slot;
      return kept === undefined
        ? []
        : partsOf([{ kind, text: kept.toString(), isCut: kept.isCut }], content);
    }
  }
}

function toolCallOf(slot: ToolSlot): ToolCall {
  const toolCall: ToolCall = {
    name: slot.name,
    argumentsText: slot.argumentsText.toString(),
    timeNs: slot.timeNs,
  };
  if (slot.id !== undefined) {
    toolCall.id = slot.id;
  }
  return toolCall;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return text === '';
  }
}

/** finish_reason of an output message as the conventions name it; providers' other reasons stay as they are. */
function conventionalReason(reason: string | undefined, hasToolCall: boolean): string {
  switch (reason) {
    case undefined:
      return 'error';
    case 'tool_calls':
    case 'function_call':
    case 'tool_use':
    case 'TOOL_CALL':
    case 'requires_action':
      return 'tool_call';
    case 'end_turn':
    case 'stop_sequence':
    case 'STOP_SEQUENCE':
    case 'FINISH':
      return 'stop';
    case 'completed':
    case 'COMPLETE':
    case 'STOP':
      return hasToolCall ? 'tool_call' : 'stop';
    case 'max_tokens':
    case 'max_output_tokens':
    case 'MAX_TOKENS':
    case 'LENGTH':
    case 'requires_continuation':
    case 'model_context_window_exceeded':
      return 'length';
    case 'refusal':
    case 'SAFETY':
    case 'RECITATION':
    case 'BLOCKLIST':
    case 'PROHIBITED_CONTENT':
    case 'SPII':
    case 'IMAGE_SAFETY':
    case 'IMAGE_PROHIBITED_CONTENT':
    case 'ERROR_TOXIC':
    case 'CONTENT_FILTERED':
    case 'content_filtered':
    case 'guardrail_intervened':
      return 'content_filter';
    case 'failed':
    case 'cancelled':
    case 'ERROR':
    case 'TIMEOUT':
    case 'ERROR_LIMIT':
    case 'MALFORMED_FUNCTION_CALL':
      return 'error';
    default:
      return reason;
  }
}
