/**
 * Puts strings of JSON together that come in pieces, one in each record of a streamed answer, by the names of their
 * keys: an answer's text comes as `"content":"sk-"`, `"content":"abc"` and so on, with other bytes in between.
 *
 * It knows no API. Pieces belong together when they stand under the same key, with the same values of `index` and its
 * like before them in their records, and of a `type` that says which kind of delta it is.
 */
import { latin1Text } from './latin1.ts';

export interface StreamedStrings {
  push(bytes: Uint8Array, position: number): void;
  /** Nothing came for a while: what was not told yet is. */
  letGo(): void;
  /** A record is over. Its strings go on in the next where their names are the same. */
  end(): void;
  /** Position of the first byte that belongs to a string that was not told yet; undefined when there is none. */
  readonly pendingPosition: number | undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const SPACE = 0x20;

/** Longer keys begin no value that is streamed. */
const MAX_KEY_CHARS = 64;

/** `input_json_delta`, `response.output_text.delta`: of other types a record may have one in its first piece alone. */
const DELTA_TYPE = /delta$/;

const INDEX_KEY = /(?:^i|I|_i)ndex$/;

/** `onPiece` gets the bytes of a value, or of a part of one, that belong to the string of that name. */
export function createStreamedStrings(
  onPiece: (name: string, bytes: Uint8Array, position: number) => void,
): StreamedStrings {
  let isInString = false;
  let isEscaped = false;
  /** What the string that is being read, or was read last, says; of a key that is too long, nothing. */
  let text = '';
  /** A string has ended, and it is not known yet whether it is a key. */
  let isJudged = true;
  let key = '';
  /** The number behind a key that ends in `index`, as far as it is there. */
  let index: string | undefined;
  /** What tells strings of one key apart. */
  const indices = new Map<string, string>();
  /** Values whose string ended in an earlier push, or is not known to be a value yet. */
  let waiting: { bytes: Uint8Array; position: number }[] = [];

  function nameOf(): string {
    let name = key;
    for (const [one, value] of indices) {
      name += `/${one}${value}`;
    }
    return name;
  }

  /** A string that no colon follows is a value. */
  function tellValue(): void {
    isJudged = true;
    const name = nameOf();
    for (const piece of waiting) {
      onPiece(name, piece.bytes, piece.position);
    }
    waiting = [];
    if (key === 'type' && text.length <= MAX_KEY_CHARS && DELTA_TYPE.test(text)) {
      indices.set(key, text);
    }
  }

  function beginRecord(): void {
    indices.clear();
    isInString = false;
    isEscaped = false;
    index = undefined;
  }

  function outside(code: number): void {
    if (!isJudged && code !== SPACE) {
      if (code === COLON) {
        isJudged = true;
        waiting = [];
        key = text;
        index = INDEX_KEY.test(key) ? '' : undefined;
        return;
      }
      tellValue();
    }
    if (index !== undefined) {
      if (code >= 0x30 && code <= 0x39) {
        index += String.fromCharCode(code);
      } else if (code !== SPACE) {
        indices.set(key, index);
        index = undefined;
      }
    }
  }

  function keep(bytes: Uint8Array, from: number, to: number, position: number): void {
    if (to > from) {
      // A Buffer's own `slice` would not copy.
      const copy = Uint8Array.prototype.slice.call(bytes, from, to);
      waiting.push({ bytes: copy, position: position + from });
      if (text.length <= MAX_KEY_CHARS) {
        text += latin1Text(bytes, from, Math.min(to, from + MAX_KEY_CHARS + 1));
      }
    }
  }

  return {
    push(bytes, position) {
      let from = 0;
      for (let at = 0; at < bytes.length; at += 1) {
        const code = bytes[at] as number;
        if (code < SPACE) {
          // No string of JSON has one: the record is over, or these are bytes of another framing.
          if (isInString) {
            waiting = [];
            isJudged = true;
          }
          outside(code);
          beginRecord();
        } else if (!isInString) {
          if (code === QUOTE) {
            outside(code);
            isInString = true;
            text = '';
            from = at + 1;
          } else {
            outside(code);
          }
        } else if (isEscaped) {
          isEscaped = false;
        } else if (code === BACKSLASH) {
          isEscaped = true;
        } else if (code === QUOTE) {
          keep(bytes, from, at, position);
          isInString = false;
          isJudged = false;
        }
      }
      if (isInString) {
        keep(bytes, from, bytes.length, position);
        if (text.length > MAX_KEY_CHARS) {
          // Too long for a key: it need not be kept until its end.
          tellValue();
        }
      }
    },
    letGo() {
      if (waiting.length > 0) {
        tellValue();
      }
    },
    end() {
      beginRecord();
      waiting = [];
      isJudged = true;
      key = '';
    },
    get pendingPosition() {
      return waiting[0]?.position;
    },
  };
}
