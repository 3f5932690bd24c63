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
const LETTER_X = 0x78;

/** Longer keys begin no value that is streamed. */
const MAX_KEY_CHARS = 64;

/** `input_json_delta`, `response.output_text.delta`: of other types a record may have one in its first piece alone. */
const DELTA_TYPE = /delta$/;

const INDEX_KEY = /(?:^i|I|_i)ndex$/;

/** Of one record; APIs have up to four. What more there are tell no strings apart. */
const MAX_INDICES = 16;

/** Of one number; what follows tells no strings apart. */
const MAX_INDEX_DIGITS = 16;

/** Texts of keys that are at hand: a power of two. Records of one API have some ten. */
const KEY_TEXTS = 128;

const NOTHING = new Uint8Array(0);

const keyText = createKeyTexts();

/** Of JSON: an end quote, an escape, and what no string has. */
const ENDS_RUN = new Uint8Array(256).fill(1, 0, SPACE);
ENDS_RUN[QUOTE] = 1;
ENDS_RUN[BACKSLASH] = 1;

/**
 * `onPiece` gets the bytes of a value, or of a part of one: `bytes[from, to)`, at `position`. They belong to the string
 * of that key and those indices.
 */
export function createStreamedStrings(
  onPiece: (
    key: string,
    indices: string,
    bytes: Uint8Array,
    from: number,
    to: number,
    position: number,
  ) => void,
): StreamedStrings {
  let isInString = false;
  let isEscaped = false;
  /** A string has ended, and it is not known yet whether it is a key. */
  let isJudged = true;
  let key = '';
  /** Where the key is in the bytes of this push, if its text was not needed so far. */
  let keyFrom = 0;
  let keyTo = 0;
  /** The number behind a key that ends in `index`, as far as it is there. */
  let index: string | undefined;
  /** What tells strings of one key apart, and the same as one text, if it was made. */
  const indices = new Map<string, string>();
  let indicesText: string | undefined = '';
  /**
   * The string that is being read, or was read last: what it said in earlier pushes, of one that is too long for a key
   * its beginning; the pieces of that which are not told, copied; and where it is in the bytes of this push.
   */
  let waitingText = '';
  let waiting: { bytes: Uint8Array; position: number }[] = [];
  let from = 0;
  let to = 0;

  function textOf(bytes: Uint8Array): string {
    if (waitingText === '') {
      return keyText(bytes, from, Math.min(to, from + MAX_KEY_CHARS + 1));
    }
    return waitingText.length > MAX_KEY_CHARS
      ? waitingText
      : waitingText + latin1Text(bytes, from, Math.min(to, from + MAX_KEY_CHARS + 1));
  }

  function dropPieces(): void {
    if (waiting.length > 0) {
      waiting = [];
    }
    to = from;
  }

  function setIndex(name: string, value: string): void {
    if (indices.size < MAX_INDICES || indices.has(name)) {
      indices.set(name, value);
      indicesText = undefined;
    }
  }

  function joinIndices(): string {
    let text = '';
    for (const [one, value] of indices) {
      text += `/${one}${value}`;
    }
    return text;
  }

  function takeKey(bytes: Uint8Array): void {
    index = undefined;
    const end = Math.min(to, from + MAX_KEY_CHARS + 1);
    if (waitingText === '' && end > from && bytes[end - 1] !== LETTER_X) {
      keyFrom = from;
      keyTo = end;
      return;
    }
    key = textOf(bytes);
    keyTo = keyFrom;
    index = INDEX_KEY.test(key) ? '' : undefined;
  }

  function readKey(bytes: Uint8Array): void {
    if (keyTo > keyFrom) {
      key = keyText(bytes, keyFrom, keyTo);
      keyTo = keyFrom;
    }
  }

  /** A string that no colon follows is a value. */
  function tellValue(bytes: Uint8Array, position: number): void {
    isJudged = true;
    readKey(bytes);
    indicesText ??= joinIndices();
    for (const piece of waiting) {
      onPiece(key, indicesText, piece.bytes, 0, piece.bytes.length, piece.position);
    }
    if (to > from) {
      onPiece(key, indicesText, bytes, from, to, position + from);
    }
    if (key === 'type') {
      const text = textOf(bytes);
      if (text.length <= MAX_KEY_CHARS && DELTA_TYPE.test(text)) {
        setIndex(key, text);
      }
    }
    dropPieces();
  }

  function beginRecord(): void {
    if (indices.size > 0) {
      indices.clear();
      indicesText = '';
    }
    isInString = false;
    isEscaped = false;
    index = undefined;
  }

  function outside(code: number, bytes: Uint8Array, position: number): void {
    if (!isJudged && code !== SPACE) {
      if (code === COLON) {
        isJudged = true;
        takeKey(bytes);
        dropPieces();
        return;
      }
      tellValue(bytes, position);
    }
    if (index !== undefined) {
      if (code >= 0x30 && code <= 0x39) {
        index += index.length < MAX_INDEX_DIGITS ? String.fromCharCode(code) : '';
      } else if (code !== SPACE) {
        setIndex(key, index);
        index = undefined;
      }
    }
  }

  /** What is in these bytes of a string that is not told is kept for the next push. */
  function keep(bytes: Uint8Array, position: number): void {
    if (to > from) {
      waitingText = textOf(bytes);
      // A Buffer's own `slice` would not copy.
      const copy = Uint8Array.prototype.slice.call(bytes, from, to);
      waiting.push({ bytes: copy, position: position + from });
    }
  }

  return {
    push(bytes, position) {
      const { length } = bytes;
      from = 0;
      to = 0;
      let at = 0;
      while (at < length) {
        if (isInString && !isEscaped) {
          while (at < length && ENDS_RUN[bytes[at] as number] === 0) {
            at += 1;
          }
          if (at === length) {
            break;
          }
        }
        const code = bytes[at] as number;
        if (code < SPACE) {
          // No string of JSON has one: the record is over, or these are bytes of another framing.
          if (isInString) {
            dropPieces();
            isJudged = true;
          }
          outside(code, bytes, position);
          beginRecord();
        } else if (!isInString) {
          if (!isJudged || index !== undefined) {
            outside(code, bytes, position);
          }
          if (code === QUOTE) {
            isInString = true;
            waitingText = '';
            from = at + 1;
            to = from;
          }
        } else if (isEscaped) {
          isEscaped = false;
        } else if (code === BACKSLASH) {
          isEscaped = true;
        } else {
          to = at;
          isInString = false;
          isJudged = false;
        }
        at += 1;
      }
      if (isInString) {
        to = length;
        keep(bytes, position);
        from = to;
        if (waitingText.length > MAX_KEY_CHARS) {
          // Too long for a key: it need not be kept until its end.
          tellValue(bytes, position);
        }
      } else if (!isJudged) {
        keep(bytes, position);
      }
      readKey(bytes);
      from = 0;
      to = 0;
    },
    letGo() {
      if (waiting.length > 0) {
        tellValue(NOTHING, 0);
      }
    },
    end() {
      beginRecord();
      dropPieces();
      isJudged = true;
      key = '';
    },
    get pendingPosition() {
      return waiting[0]?.position;
    },
  };
}

/** Texts of short runs of bytes; those that come again and again are not made anew. */
function createKeyTexts(): (bytes: Uint8Array, from: number, to: number) => string {
  const texts: string[] = new Array(KEY_TEXTS).fill('');
  return (bytes, from, to) => {
    let hash = to - from;
    for (let at = from; at < to; at += 1) {
      hash = (Math.imul(hash, 31) + (bytes[at] as number)) | 0;
    }
    const place = (hash ^ (hash >>> 15)) & (KEY_TEXTS - 1);
    let text = texts[place] as string;
    if (!isText(text, bytes, from, to)) {
      text = latin1Text(bytes, from, to);
      texts[place] = text;
    }
    return text;
  };
}

function isText(text: string, bytes: Uint8Array, from: number, to: number): boolean {
  if (text.length !== to - from) {
    return false;
  }
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) !== bytes[from + index]) {
      return false;
    }
  }
  return true;
}
