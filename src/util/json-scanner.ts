/**
 * Reads one JSON text (RFC 8259) from bytes that come in any pieces, and builds as much of its value as a plan
 * asks for: memory is bounded by the plan and the limits, not by the text.
 */
import { isUtf8 } from 'node:buffer';
import { TextDigest } from './text-digest.ts';

/**
 * What becomes of a value.
 * - `all`: built as JSON.parse would; strings are cut only at `maxStringBytes`.
 * - `text`: built; strings are cut at `maxTextBytes`, and a cut one carries the digest of its whole text.
 * - `raw`: an object or array is kept as its own JSON text (`RawJson`); anything else as with `all`.
 * - `skip`: checked and dropped.
 */
export type JsonKeep = 'all' | 'text' | 'raw' | 'skip';

export interface JsonPlan {
  keep: JsonKeep;
  /** Plans of an object's members by name. */
  fields?: ReadonlyMap<string, JsonPlan>;
  /** Plan of the members that `fields` does not name: without it they are skipped. */
  other?: JsonPlan;
  /** Plan of an array's items; without it they have the array's own plan. */
  items?: JsonPlan;
  /** An array with a name here hands its items to `onItem` one by one and itself stays empty. */
  emit?: string;
}

export interface JsonLimits {
  /** Nesting beyond this ends the scan (state `limit`). */
  maxDepth: number;
  /** Values built and still held; further ones are dropped unless a plan names them. */
  maxNodes: number;
  /** UTF-8 bytes kept of one string or raw value. */
  maxStringBytes: number;
  /** UTF-8 bytes kept of one string under `text`. */
  maxTextBytes: number;
  /** UTF-8 bytes kept of all strings under `text` together. */
  maxTotalTextBytes: number;
}

export const DEFAULT_JSON_LIMITS: JsonLimits = {
  maxDepth: 512,
  maxNodes: 1_000_000,
  maxStringBytes: 1024 * 1024,
  maxTextBytes: 64 * 1024,
  maxTotalTextBytes: 8 * 1024 * 1024,
};

/** Stands for a string of which only the beginning is kept. */
export class CutText {
  /** The beginning, whole code points, at most the cut's bytes of UTF-8. */
  readonly prefix: string;
  /** Length of the whole text in UTF-8 bytes, as far as it was seen. */
  readonly bytes: number;
  /** Digest of the whole text, as far as it was seen. */
  readonly digest: TextDigest;
  /** False when the text's own end was not seen. */
  readonly complete: boolean;

  constructor(prefix: string, bytes: number, digest: TextDigest, complete: boolean) {
    this.prefix = prefix;
    this.bytes = bytes;
    this.digest = digest;
    this.complete = complete;
  }
}

/** An object or array kept as the text the wire had. */
export class RawJson {
  readonly text: string;
  /** False when it is cut or its end was not seen. */
  readonly complete: boolean;

  constructor(text: string, complete: boolean) {
    this.text = text;
    this.complete = complete;
  }
}

/**
 * - `complete`: one whole JSON text.
 * - `incomplete`: the bytes ended, or a gap began, inside it.
 * - `invalid`: not JSON from `errorOffset` on; `value` holds what came before.
 * - `limit`: nested deeper than `maxDepth`.
 * - `empty`: nothing but white space.
 */
export type JsonState = 'complete' | 'incomplete' | 'invalid' | 'limit' | 'empty';

export interface JsonResult {
  state: JsonState;
  /** The value, or what was built of it; undefined when there is none. */
  value: unknown;
  /** A limit cut a string or dropped a value that the plan wanted. */
  limited: boolean;
  /** Bytes that are no UTF-8 were replaced by U+FFFD in a kept string. */
  replaced: boolean;
  /** Offset of the byte that is not JSON. */
  errorOffset?: number;
}

export interface JsonScanner {
  /** `bytes` are not needed after the call. */
  push(bytes: Uint8Array): void;
  /** Bytes are missing here: what follows is ignored. */
  gap(): void;
  /** No more bytes. A second call gives the same result. */
  end(): JsonResult;
  /** The value is complete; only white space may follow. */
  readonly isComplete: boolean;
}

export interface JsonScannerOptions {
  plan?: JsonPlan;
  limits?: Partial<JsonLimits>;
  /** Takes the items of arrays whose plan has `emit`; the last one may be incomplete when the text is. */
  onItem?(name: string, value: unknown, complete: boolean): void;
}

const KEEP_ALL: JsonPlan = { keep: 'all' };
const SKIP: JsonPlan = { keep: 'skip' };

/** Makes the scanner of one JSON text. It never throws on any input. */
export function createJsonScanner(options: JsonScannerOptions = {}): JsonScanner {
  return new Scanner(options);
}

/** The kept beginning of a text, or the string itself. */
export function textPrefix(value: unknown): string | undefined {
  if (typeof value === 'string') {
    return value;
  }
  return value instanceof CutText ? value.prefix : undefined;
}

/**
 * What the scanner expects next.
 *
 * | state | next byte |
 * |---|---|
 * | VALUE | the first of a value |
 * | FIRST_ITEM | a value, or `]` |
 * | AFTER_ITEM | `,` or `]` |
 * | FIRST_KEY | `"`, or `}` |
 * | KEY | `"` |
 * | COLON | `:` |
 * | AFTER_MEMBER | `,` or `}` |
 * | STRING, ESCAPE, UNICODE | inside a string, after its `\`, inside `\uXXXX` |
 * | NUMBER, LITERAL | inside one |
 * | DONE | white space |
 * | FAILED | nothing is read any more |
 */
const VALUE = 0;
const FIRST_ITEM = 1;
const AFTER_ITEM = 2;
const FIRST_KEY = 3;
const KEY = 4;
const COLON = 5;
const AFTER_MEMBER = 6;
const STRING = 7;
const ESCAPE = 8;
const UNICODE = 9;
const NUMBER = 10;
const LITERAL = 11;
const DONE = 12;
const FAILED = 13;

/** A number longer than this is no measurement of anything; JSON.parse would round it to infinity or zero. */
const MAX_NUMBER_CHARS = 4096;

const NUMBER_SHAPE = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;

const NOTHING: Uint8Array = new Uint8Array(0);

/** What becomes of the string being read. */
const DROP = 0;
const COLLECT_KEY = 1;
const COLLECT_VALUE = 2;

class Scanner implements JsonScanner {
  readonly #limits: JsonLimits;
  readonly #onItem: JsonScannerOptions['onItem'];
  readonly #rootPlan: JsonPlan;

  #state = VALUE;
  #failure: JsonState | undefined;
  #errorOffset: number | undefined;
  #result: JsonResult | undefined;
  #offset = 0;
  #afterGap = false;
  #root: unknown;
  #limited = false;
  #replaced = false;
  #nodes = 0;
  #textBytes = 0;

  /** One entry per open container. A container that is not kept is undefined. */
  readonly #containers: (Record<string, unknown> | unknown[] | undefined)[] = [];
  readonly #isArray: boolean[] = [];
  readonly #plans: JsonPlan[] = [];
  readonly #keys: string[] = [];

  /** Plan of the value that comes next, and whether it is to be built at all. */
  #plan: JsonPlan;
  #kept = true;

  /** Item of the innermost emitting array that is still open. */
  #openItem: unknown;
  #openItemDepth = -1;
  #itemNodes = 0;
  #itemTextBytes = 0;

  #isReadingKey = false;
  #stringUse = DROP;
  #stringParts = '';
  #stringBytes = 0;
  #stringCut = 0;
  #isText = false;
  /** The string's cut comes from the limit of all texts together. */
  #isTotalReached = false;
  /** The last piece of the string was the first half of a surrogate pair. */
  #isHalfPair = false;
  #stringDigest: TextDigest | undefined;
  #unicode = 0;
  #unicodeDigits = 0;
  /** First bytes of a UTF-8 sequence that the last push ended in. */
  #held: Uint8Array = NOTHING;

  #number = '';
  #literal = '';
  #literalIndex = 0;

  /** Depth at which the raw value being collected began, or -1. */
  #rawDepth = -1;
  #rawParts: string[] = [];
  #rawBytes = 0;

  constructor(options: JsonScannerOptions) {
    this.#limits = { ...DEFAULT_JSON_LIMITS, ...options.limits };
    this.#onItem = options.onItem;
    this.#rootPlan = options.plan ?? KEEP_ALL;
    this.#plan = this.#rootPlan;
    this.#kept = this.#rootPlan.keep !== 'skip';
  }

  get #hasFailed(): boolean {
    return this.#state === FAILED;
  }

  get isComplete(): boolean {
    return this.#state === DONE;
  }

  gap(): void {
    this.#afterGap = true;
  }

  push(bytes: Uint8Array): void {
    if (this.#afterGap || this.#state === FAILED) {
      return;
    }
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const length = buffer.length;
    let index = 0;
    if (this.#offset === 0 && buffer[0] === 0xef) {
      index = this.#skipByteOrderMark(buffer);
    }
    // Raw text that is open at the start of this push continues at its first byte.
    let rawStart = index;
    while (index < length && this.#state !== FAILED) {
      const byte = buffer[index]!;
      switch (this.#state) {
        case STRING: {
          index = this.#readString(buffer, index);
          continue;
        }
        case ESCAPE:
          this.#readEscape(byte, index);
          break;
        case UNICODE:
          this.#readUnicode(byte, index);
          break;
        case NUMBER: {
          const end = endOfNumber(buffer, index);
          this.#number += buffer.toString('latin1', index, end);
          if (this.#number.length > MAX_NUMBER_CHARS) {
            this.#fail('invalid', index);
            break;
          }
          index = end;
          if (end < length) {
            this.#endNumber(index);
          }
          continue;
        }
        case LITERAL:
          if (byte !== this.#literal.charCodeAt(this.#literalIndex)) {
            this.#fail('invalid', index);
            break;
          }
          this.#literalIndex++;
          if (this.#literalIndex === this.#literal.length) {
            this.#endLiteral();
          }
          break;
        default: {
          if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) {
            break;
          }
          const wasRaw = this.#rawDepth >= 0;
          this.#readStructure(byte, index);
          if (!wasRaw && this.#rawDepth >= 0) {
            rawStart = index;
          } else if (wasRaw && this.#containers.length === this.#rawDepth) {
            this.#collectRaw(buffer, rawStart, index + 1);
            this.#endRaw(true);
          }
        }
      }
      if (!this.#hasFailed) {
        index++;
      }
    }
    if (this.#rawDepth >= 0) {
      this.#collectRaw(buffer, rawStart, Math.min(index, length));
    }
    this.#offset += length;
  }

  end(): JsonResult {
    this.#result ??= this.#finish();
    return this.#result;
  }

  #finish(): JsonResult {
    if (this.#state === NUMBER && this.#containers.length === 0 && !this.#afterGap) {
      this.#endNumber(0);
    }
    let state: JsonState = 'incomplete';
    if (this.#state === DONE) {
      state = 'complete';
    } else if (this.#failure !== undefined) {
      state = this.#failure;
    } else if (this.#state === VALUE && this.#containers.length === 0 && !this.#afterGap) {
      state = 'empty';
    }
    if (state !== 'complete') {
      this.#salvage();
    }
    const result: JsonResult = {
      state,
      value: this.#root,
      limited: this.#limited,
      replaced: this.#replaced,
    };
    if (this.#errorOffset !== undefined) {
      result.errorOffset = this.#errorOffset;
    }
    return result;
  }

  /** RFC 8259 §8.1 lets a parser ignore a byte order mark; web clients do. */
  #skipByteOrderMark(buffer: Buffer): number {
    return buffer[1] === 0xbb && buffer[2] === 0xbf ? 3 : 0;
  }

  /** A byte outside strings, numbers and literals that is no white space. */
  #readStructure(byte: number, index: number): void {
    switch (this.#state) {
      case VALUE:
        this.#beginValue(byte, index);
        return;
      case FIRST_ITEM:
        if (byte === 0x5d) {
          this.#close();
          return;
        }
        this.#planItem();
        this.#beginValue(byte, index);
        return;
      case AFTER_ITEM:
        if (byte === 0x2c) {
          this.#planItem();
          this.#state = VALUE;
        } else if (byte === 0x5d) {
          this.#close();
        } else {
          this.#fail('invalid', index);
        }
        return;
      case FIRST_KEY:
        if (byte === 0x7d) {
          this.#close();
          return;
        }
        this.#beginKey(byte, index);
        return;
      case KEY:
        this.#beginKey(byte, index);
        return;
      case COLON:
        if (byte === 0x3a) {
          this.#state = VALUE;
        } else {
          this.#fail('invalid', index);
        }
        return;
      case AFTER_MEMBER:
        if (byte === 0x2c) {
          this.#state = KEY;
        } else if (byte === 0x7d) {
          this.#close();
        } else {
          this.#fail('invalid', index);
        }
        return;
      default:
        // DONE: something follows the value. The value itself stays good.
        this.#fail('invalid', index);
    }
  }

  #beginValue(byte: number, index: number): void {
    switch (byte) {
      case 0x22:
        this.#beginString(this.#kept ? COLLECT_VALUE : DROP, this.#plan.keep === 'text');
        return;
      case 0x7b:
        this.#open(false, index);
        return;
      case 0x5b:
        this.#open(true, index);
        return;
      case 0x74:
        this.#beginLiteral('true');
        return;
      case 0x66:
        this.#beginLiteral('false');
        return;
      case 0x6e:
        this.#beginLiteral('null');
        return;
      default:
        if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) {
          this.#number = String.fromCharCode(byte);
          this.#state = NUMBER;
          return;
        }
        this.#fail('invalid', index);
    }
  }

  #beginKey(byte: number, index: number): void {
    if (byte !== 0x22) {
      this.#fail('invalid', index);
      return;
    }
    const isKept = this.#containers[this.#containers.length - 1] !== undefined;
    this.#beginString(isKept ? COLLECT_KEY : DROP, false);
    this.#isReadingKey = true;
  }

  #beginLiteral(literal: string): void {
    this.#literal = literal;
    this.#literalIndex = 1;
    this.#state = LITERAL;
  }

  #endLiteral(): void {
    const literal = this.#literal;
    this.#store(literal === 'null' ? null : literal === 'true');
    this.#afterValue();
  }

  #endNumber(index: number): void {
    const text = this.#number;
    if (!NUMBER_SHAPE.test(text)) {
      this.#fail('invalid', index);
      return;
    }
    this.#store(Number(text));
    this.#afterValue();
  }

  #open(isArray: boolean, index: number): void {
    const depth = this.#containers.length;
    if (depth >= this.#limits.maxDepth) {
      this.#limited = true;
      this.#fail('limit', index);
      return;
    }
    let container: Record<string, unknown> | unknown[] | undefined;
    if (this.#kept) {
      if (this.#plan.keep === 'raw') {
        this.#rawDepth = depth;
        this.#rawParts = [];
        this.#rawBytes = 0;
      } else {
        container = isArray ? [] : {};
        this.#store(container);
      }
    }
    this.#containers.push(container);
    this.#isArray.push(isArray);
    this.#plans.push(this.#plan);
    this.#keys.push('');
    this.#state = isArray ? FIRST_ITEM : FIRST_KEY;
  }

  #close(): void {
    this.#containers.pop();
    this.#isArray.pop();
    this.#plans.pop();
    this.#keys.pop();
    if (this.#openItemDepth === this.#containers.length) {
      this.#emitOpenItem(true);
    }
    this.#afterValue();
  }

  #emitOpenItem(complete: boolean): void {
    const item = this.#openItem;
    const name = this.#plans[this.#openItemDepth - 1]?.emit;
    this.#openItem = undefined;
    this.#openItemDepth = -1;
    if (name !== undefined) {
      this.#onItem?.(name, item, complete);
    }
    this.#nodes = this.#itemNodes;
    this.#textBytes = this.#itemTextBytes;
  }

  #afterValue(): void {
    const depth = this.#containers.length;
    if (depth === 0) {
      this.#state = DONE;
      return;
    }
    this.#state = this.#isArray[depth - 1] ? AFTER_ITEM : AFTER_MEMBER;
  }

  /** Decides what becomes of the array item that comes next. */
  #planItem(): void {
    const depth = this.#containers.length;
    const container = this.#containers[depth - 1];
    if (container === undefined) {
      this.#kept = false;
      return;
    }
    const arrayPlan = this.#plans[depth - 1]!;
    this.#plan = arrayPlan.items ?? arrayPlan;
    this.#kept = this.#plan.keep !== 'skip' && this.#hasRoom();
  }

  /** Decides what becomes of the member whose key was just read. */
  #planMember(key: string): void {
    const depth = this.#containers.length;
    const container = this.#containers[depth - 1];
    if (container === undefined) {
      this.#kept = false;
      return;
    }
    this.#keys[depth - 1] = key;
    const objectPlan = this.#plans[depth - 1]!;
    if (objectPlan.fields === undefined) {
      this.#plan = objectPlan;
      this.#kept = this.#hasRoom();
      return;
    }
    const named = objectPlan.fields.get(key);
    this.#plan = named ?? objectPlan.other ?? SKIP;
    this.#kept = this.#plan.keep !== 'skip' && (named !== undefined || this.#hasRoom());
  }

  #hasRoom(): boolean {
    if (this.#nodes < this.#limits.maxNodes) {
      return true;
    }
    this.#limited = true;
    return false;
  }

  /** Puts a value where it belongs. Containers are stored when they open, so that a torn text leaves them. */
  #store(value: unknown): void {
    if (!this.#kept) {
      return;
    }
    const depth = this.#containers.length;
    if (depth === 0) {
      this.#root = value;
      return;
    }
    const container = this.#containers[depth - 1];
    if (container === undefined) {
      return;
    }
    this.#nodes++;
    if (!Array.isArray(container)) {
      setOwn(container, this.#keys[depth - 1]!, value);
      return;
    }
    if (this.#plans[depth - 1]!.emit === undefined) {
      container.push(value);
      return;
    }
    this.#itemNodes = this.#nodes - 1;
    this.#itemTextBytes = this.#textBytes;
    this.#openItem = value;
    this.#openItemDepth = depth;
    const isContainer =
      typeof value === 'object' &&
      value !== null &&
      !(value instanceof CutText) &&
      !(value instanceof RawJson);
    if (!isContainer) {
      this.#emitOpenItem(true);
    }
  }

  #beginString(use: number, isText: boolean): void {
    this.#state = STRING;
    this.#isReadingKey = false;
    this.#stringUse = use;
    this.#stringParts = '';
    this.#stringBytes = 0;
    this.#stringDigest = undefined;
    this.#isHalfPair = false;
    if (use === DROP) {
      return;
    }
    const limits = this.#limits;
    if (isText) {
      const room = Math.max(0, limits.maxTotalTextBytes - this.#textBytes);
      this.#stringCut = Math.min(limits.maxTextBytes, room);
      this.#isTotalReached = room < limits.maxTextBytes;
    } else {
      this.#stringCut = limits.maxStringBytes;
    }
    this.#isText = isText;
  }

  /** Reads on inside a string; gives the index of the next byte to look at. */
  #readString(buffer: Buffer, start: number): number {
    const length = buffer.length;
    let index = start;
    let seen = 0;
    while (index < length) {
      const byte = buffer[index]!;
      if (byte === 0x22 || byte === 0x5c || byte < 0x20) {
        break;
      }
      seen |= byte;
      index++;
    }
    const isAtEnd = index === length;
    if (this.#stringUse !== DROP && (index > start || this.#held.length > 0)) {
      this.#appendBytes(buffer, start, index, seen < 0x80, isAtEnd);
    }
    if (isAtEnd) {
      return index;
    }
    const byte = buffer[index]!;
    if (byte === 0x22) {
      this.#endString(true);
    } else if (byte === 0x5c) {
      this.#state = ESCAPE;
    } else {
      this.#fail('invalid', index);
      return index;
    }
    return index + 1;
  }

  #readEscape(byte: number, index: number): void {
    let text: string;
    switch (byte) {
      case 0x22:
        text = '"';
        break;
      case 0x5c:
        text = '\\';
        break;
      case 0x2f:
        text = '/';
        break;
      case 0x6e:
        text = '\n';
        break;
      case 0x74:
        text = '\t';
        break;
      case 0x72:
        text = '\r';
        break;
      case 0x62:
        text = '\b';
        break;
      case 0x66:
        text = '\f';
        break;
      case 0x75:
        this.#unicode = 0;
        this.#unicodeDigits = 0;
        this.#state = UNICODE;
        return;
      default:
        this.#fail('invalid', index);
        return;
    }
    this.#state = STRING;
    if (this.#stringUse !== DROP) {
      this.#appendString(text, 1);
    }
  }

  #readUnicode(byte: number, index: number): void {
    const digit = hexDigit(byte);
    if (digit < 0) {
      this.#fail('invalid', index);
      return;
    }
    this.#unicode = this.#unicode * 16 + digit;
    this.#unicodeDigits++;
    if (this.#unicodeDigits < 4) {
      return;
    }
    this.#state = STRING;
    if (this.#stringUse !== DROP) {
      this.#appendUnit(this.#unicode);
    }
  }

  /** Appends one UTF-16 code unit; the two halves of a pair are four bytes of UTF-8 together. */
  #appendUnit(unit: number): void {
    const isSecondHalf = unit >= 0xdc00 && unit <= 0xdfff && this.#isHalfPair;
    const bytes = isSecondHalf ? 1 : unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
    this.#appendString(String.fromCharCode(unit), bytes);
    this.#isHalfPair = unit >= 0xd800 && unit <= 0xdbff;
  }

  /**
   * Appends the bytes from `start` to `end`. A UTF-8 sequence that the end of the push tears is held back and
   * put before the next bytes, so that the result does not depend on where pushes end.
   */
  #appendBytes(
    buffer: Buffer,
    start: number,
    end: number,
    isAscii: boolean,
    isAtEnd: boolean,
  ): void {
    if (this.#held.length === 0 && isAscii) {
      this.#appendString(buffer.toString('latin1', start, end), end - start);
      return;
    }
    let bytes = buffer.subarray(start, end);
    if (this.#held.length > 0) {
      bytes = Buffer.concat([this.#held, bytes]);
      this.#held = NOTHING;
    }
    if (isAtEnd) {
      const torn = tornTailBytes(bytes);
      if (torn > 0) {
        this.#held = Uint8Array.prototype.slice.call(bytes, bytes.length - torn);
        bytes = bytes.subarray(0, bytes.length - torn);
      }
    }
    const text = bytes.toString('utf8');
    if (!this.#replaced && text.includes('\ufffd') && !isUtf8(bytes)) {
      this.#replaced = true;
    }
    this.#appendString(text, bytes.length);
  }

  #appendString(text: string, bytes: number): void {
    if (text.length === 0) {
      return;
    }
    this.#isHalfPair = false;
    const before = this.#stringBytes;
    this.#stringBytes += bytes;
    if (this.#stringDigest !== undefined) {
      this.#stringDigest.append(text);
      return;
    }
    if (this.#stringBytes <= this.#stringCut) {
      this.#stringParts += text;
      return;
    }
    // The cut falls into this piece: from here on only the digest and the length grow.
    this.#stringDigest = new TextDigest().append(this.#stringParts).append(text);
    this.#stringParts = endWhole(this.#stringParts + cutToBytes(text, this.#stringCut - before));
    if (!this.#isText || this.#isTotalReached) {
      this.#limited = true;
    }
  }

  #endString(complete: boolean): void {
    const isKey = this.#isReadingKey;
    const value = this.#stringValue(complete);
    if (isKey) {
      this.#isReadingKey = false;
      this.#planMember(typeof value === 'string' ? value : value.prefix);
      this.#state = COLON;
      return;
    }
    if (this.#stringUse === COLLECT_VALUE) {
      if (this.#isText) {
        this.#textBytes += Math.min(this.#stringBytes, this.#stringCut);
      }
      this.#store(value);
    }
    this.#afterValue();
  }

  #stringValue(complete: boolean): string | CutText {
    const parts = this.#stringParts;
    this.#stringParts = '';
    if (this.#stringDigest === undefined && complete) {
      return parts;
    }
    const digest = this.#stringDigest ?? new TextDigest().append(parts);
    return new CutText(parts, this.#stringBytes, digest, complete);
  }

  #collectRaw(buffer: Buffer, start: number, end: number): void {
    const bytes = end - start;
    const room = this.#limits.maxStringBytes - this.#rawBytes;
    this.#rawBytes += bytes;
    if (room <= 0) {
      return;
    }
    // Latin-1 keeps every byte; the text is decoded once, when it is whole.
    this.#rawParts.push(buffer.toString('latin1', start, start + Math.min(bytes, room)));
  }

  #endRaw(complete: boolean): void {
    this.#rawDepth = -1;
    const isCut = this.#rawBytes > this.#limits.maxStringBytes;
    if (isCut) {
      this.#limited = true;
    }
    const bytes = Buffer.from(this.#rawParts.join(''), 'latin1');
    const torn = isCut || !complete ? tornTailBytes(bytes) : 0;
    const text = bytes.toString('utf8', 0, bytes.length - torn);
    this.#rawParts = [];
    if (text.includes('\ufffd') && !isUtf8(bytes)) {
      this.#replaced = true;
    }
    // The plan of the value itself is that of the container it is in: `#kept` may have changed inside.
    this.#kept = true;
    this.#store(new RawJson(text, complete && !isCut));
  }

  #fail(state: JsonState, index: number): void {
    this.#state = FAILED;
    this.#failure = state;
    if (state === 'invalid') {
      this.#errorOffset = this.#offset + index;
    }
  }

  /** Keeps what a torn text had begun. */
  #salvage(): void {
    const state = this.#state;
    if (this.#rawDepth >= 0) {
      this.#containers.length = this.#rawDepth;
      this.#endRaw(false);
    } else if (
      (state === STRING || state === ESCAPE || state === UNICODE) &&
      this.#stringUse === COLLECT_VALUE
    ) {
      this.#store(this.#stringValue(false));
    }
    this.#state = FAILED;
    this.#failure ??= 'incomplete';
    if (this.#openItemDepth >= 0) {
      this.#emitOpenItem(false);
    }
  }
}

/** `__proto__` must become an ordinary member, as JSON.parse makes it. */
function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
    return;
  }
  target[key] = value;
}

function endOfNumber(buffer: Buffer, start: number): number {
  let index = start;
  const length = buffer.length;
  while (index < length) {
    const byte = buffer[index]!;
    const isPart =
      (byte >= 0x30 && byte <= 0x39) ||
      byte === 0x2e ||
      byte === 0x2b ||
      byte === 0x2d ||
      byte === 0x65 ||
      byte === 0x45;
    if (!isPart) {
      break;
    }
    index++;
  }
  return index;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) {
    return byte - 0x30;
  }
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/**
 * Length of a UTF-8 sequence that begins at the end of `bytes` and could still become whole: 0 to 3. Follows
 * Unicode's table 3-7, so that a sequence that is wrong already is not held back.
 */
export function tornTailBytes(bytes: Uint8Array): number {
  const length = bytes.length;
  for (let back = 1; back <= 3 && back <= length; back++) {
    const lead = bytes[length - back]!;
    if (lead < 0x80) {
      return 0;
    }
    if (lead < 0xc0) {
      continue;
    }
    const size = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (size <= back) {
      return 0;
    }
    if (back >= 2 && !isSecondByte(lead, bytes[length - back + 1]!)) {
      return 0;
    }
    return back;
  }
  return 0;
}

function isSecondByte(lead: number, second: number): boolean {
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  return second >= low && second <= high;
}

/** The longest beginning of `text` that is at most `maxBytes` of UTF-8 and does not split a code point. */
export function cutToBytes(text: string, maxBytes: number): string {
  if (maxBytes <= 0) {
    return '';
  }
  if (text.length * 3 <= maxBytes) {
    return text;
  }
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) {
    return text;
  }
  const head = bytes.subarray(0, maxBytes);
  return head.toString('utf8', 0, maxBytes - tornTailBytes(head));
}

/** Without the first half of a surrogate pair that the cut left at the end. */
function endWhole(text: string): string {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff ? text.slice(0, -1) : text;
}
