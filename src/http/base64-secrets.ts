/**
 * Finds credentials in Base64 within a body, for the recorder: in strings that decode to text, as the chunks of Bedrock's
 * InvokeModel stream, files in a request and data URLs are. RFC 4648 §4 and §5, https://www.rfc-editor.org/rfc/rfc4648
 *
 * What is found is overwritten so that it decodes to as many `*`. A string is one if what follows its quote is: escapes of
 * JSON at any depth make no difference.
 */
import { isUtf8 } from 'node:buffer';
import type { BodySecretScanner, SecretMask } from './body-secret-scanner.ts';
import { latin1Text } from './latin1.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const SLASH = 0x2f;

/** What tells text from other data, in characters of Base64: 12 bytes. A key takes more. */
const PREFIX_CHARS = 16;

/** Farther the runtime's own search is faster. */
const NEAR_BYTES = 64;

/** Between `data:` and the comma of a data URL (RFC 2397). */
const MAX_MEDIA_TYPE_CHARS = 128;

/** Of both alphabets: what the characters stand for, at those of the same six bits the same. */
const SIX_BITS = new Uint8Array(256);
const IS_BASE64 = new Uint8Array(256);
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_';
for (const [index, char] of [...ALPHABET].entries()) {
  IS_BASE64[char.charCodeAt(0)] = 1;
  SIX_BITS[char.charCodeAt(0)] = index < 64 ? index : index - 2;
}

const State = {
  /** Looking for a quote. */
  outside: 0,
  /** Behind a quote: perhaps. */
  prefix: 1,
  /** Behind `"data:`. */
  dataUrl: 2,
  inside: 3,
} as const;

/** Characters that stand one behind the other in the stream, and from the how manyth character of all they are. */
interface CharRun {
  start: number;
  count: number;
  position: number;
}

/** Whole groups of four characters, decoded; what is masked of it, is masked here too. */
interface Block {
  start: number;
  bytes: Uint8Array;
  isUrlSafe: boolean;
}

/**
 * `createScanner` makes the one that searches what was decoded, one record a string. Its positions begin anew with
 * every group of three bytes that a group of four characters stands for.
 */
export function createBase64Secrets(
  onSecret: SecretMask,
  createScanner: (onSecret: SecretMask) => BodySecretScanner,
): BodySecretScanner {
  const scanner = createScanner(mask);
  let state: number = State.outside;
  let isEscaped = false;
  let mediaTypeChars = 0;
  /** Characters whose group is not complete, or of which it is not known what they are. */
  let waiting = '';
  let runs: CharRun[] = [];
  let blocks: Block[] = [];
  /** Characters so far, as if every string were of whole groups; and bytes. */
  let chars = 0;
  let decoded = 0;
  let isUrlSafe = false;

  function mask(position: number, length: number, replacement?: Uint8Array): void {
    for (const block of blocks) {
      const from = Math.max(0, position - block.start);
      const to = Math.min(block.bytes.length, position + length - block.start);
      if (from >= to) {
        continue;
      }
      if (replacement === undefined) {
        block.bytes.fill(0x2a, from, to);
      } else {
        const skipped = block.start + from - position;
        block.bytes.set(replacement.subarray(skipped, skipped + to - from), from);
      }
      reportGroups(
        block,
        from - (from % 3),
        Math.min(block.bytes.length, to + ((3 - (to % 3)) % 3)),
      );
    }
  }

  /** What the bytes between two ends of groups are now. */
  function reportGroups({ start, bytes, isUrlSafe: isUrl }: Block, from: number, to: number): void {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from);
    const encoded = Buffer.from(text.toString(isUrl ? 'base64url' : 'base64').replace(/=+$/, ''));
    const first = ((start + from) / 3) * 4;
    for (const run of runs) {
      const begin = Math.max(first, run.start);
      const end = Math.min(first + encoded.length, run.start + run.count);
      if (begin < end) {
        const part = encoded.subarray(begin - first, end - first);
        onSecret(run.position + begin - run.start, end - begin, part);
      }
    }
  }

  function addChars(bytes: Uint8Array, from: number, to: number, position: number): void {
    const start = chars + waiting.length;
    runs.push({ start, count: to - from, position: position + from });
    const added = latin1Text(bytes, from, to);
    isUrlSafe ||= /[-_]/.test(added);
    waiting += added;
  }

  /** Decodes what is there of whole groups, or at the end of the string all. */
  function decode(isEnd: boolean): void {
    const size = isEnd ? waiting.length : waiting.length - (waiting.length % 4);
    if (size === 0) {
      return;
    }
    const bytes = new Uint8Array(Buffer.from(waiting.slice(0, size), 'base64'));
    waiting = waiting.slice(size);
    const start = decoded;
    chars += size + ((4 - (size % 4)) % 4);
    decoded = (chars / 4) * 3;
    // A copy: what is masked while some of the scanner looks at it must not be missed by the rest.
    blocks.push({ start, bytes: new Uint8Array(bytes), isUrlSafe });
    scanner.push(bytes, start);
    forget();
  }

  /** What was searched is of no more use. */
  function forget(): void {
    const from = scanner.pendingPosition ?? decoded;
    const fromChar = Math.floor(from / 3) * 4;
    if ((blocks[0]?.start ?? from) < from) {
      blocks = blocks.filter(({ start, bytes }) => start + bytes.length > from);
      runs = runs.filter(({ start, count }) => start + count > fromChar);
    }
  }

  function leave(): void {
    if (state === State.inside) {
      decode(true);
      (scanner.endRecord ?? scanner.end)();
      forget();
    } else {
      dropWaiting();
    }
    state = State.outside;
    isEscaped = false;
  }

  function dropWaiting(): void {
    runs = runs.filter(({ start }) => start < chars);
    waiting = '';
  }

  /** Returns the index behind the characters of Base64 at `from`, `limit` at most. */
  function charsEnd(bytes: Uint8Array, from: number, limit: number): number {
    const end = Math.min(bytes.length, from + limit);
    let at = from;
    while (at < end && IS_BASE64[bytes[at] as number] === 1) {
      at += 1;
    }
    return at;
  }

  /** Behind the next quote that more than a word may follow; -1 when there is none. Most are passed over here. */
  function nextCandidate(bytes: Uint8Array, from: number): number {
    for (let quote = quoteFrom(bytes, from); quote >= 0; ) {
      const start = quote + 1;
      const end = charsEnd(bytes, start, PREFIX_CHARS);
      const isWhole = end - start === PREFIX_CHARS;
      if (isWhole ? mayBeText(bytes, start) : end === bytes.length || bytes[end] === COLON) {
        return start;
      }
      quote = bytes[end] === QUOTE ? end : quoteFrom(bytes, end);
    }
    return -1;
  }

  function begin(): void {
    state = State.prefix;
    isUrlSafe = false;
  }

  function readPrefix(bytes: Uint8Array, from: number, position: number): number {
    const at = charsEnd(bytes, from, PREFIX_CHARS - waiting.length);
    if (at > from) {
      addChars(bytes, from, at, position);
    }
    if (waiting.length === PREFIX_CHARS) {
      if (isText(Buffer.from(waiting, 'base64'))) {
        state = State.inside;
        decode(false);
      } else {
        leave();
      }
    } else if (at < bytes.length) {
      const isDataUrl = bytes[at] === COLON && waiting === 'data';
      leave();
      if (isDataUrl) {
        state = State.dataUrl;
        mediaTypeChars = 0;
        return at + 1;
      }
    }
    return at;
  }

  function readInside(bytes: Uint8Array, from: number, position: number): number {
    let at = from;
    if (isEscaped) {
      isEscaped = false;
      // An escaped slash, or the end of a line.
      const code = bytes[at];
      if (code === 0x6e || code === 0x72) {
        return at + 1;
      }
      if (code !== SLASH && code !== BACKSLASH) {
        leave();
        return at;
      }
    }
    at = charsEnd(bytes, from, bytes.length);
    if (at > from) {
      addChars(bytes, from, at, position);
      decode(false);
    }
    if (at === bytes.length) {
      return at;
    }
    if (bytes[at] === BACKSLASH) {
      isEscaped = true;
      return at + 1;
    }
    leave();
    return at;
  }

  function readMediaType(bytes: Uint8Array, from: number): number {
    for (let at = from; at < bytes.length; at += 1) {
      mediaTypeChars += 1;
      const code = bytes[at];
      if (code === COMMA) {
        begin();
        return at + 1;
      }
      if (code === QUOTE || code === BACKSLASH || mediaTypeChars > MAX_MEDIA_TYPE_CHARS) {
        state = State.outside;
        return at;
      }
    }
    return bytes.length;
  }

  return {
    push(bytes, position) {
      let at = 0;
      while (at < bytes.length) {
        switch (state) {
          case State.prefix:
            at = readPrefix(bytes, at, position);
            break;
          case State.inside:
            at = readInside(bytes, at, position);
            break;
          case State.dataUrl:
            at = readMediaType(bytes, at);
            break;
          default: {
            const start = nextCandidate(bytes, at);
            if (start < 0) {
              return;
            }
            begin();
            at = start;
          }
        }
      }
    },
    endRecord() {
      leave();
    },
    letGo() {
      // The string goes on: what is let go of it can be masked no more, what follows can.
      scanner.letGo();
      runs = [];
      blocks = [];
    },
    end() {
      leave();
      scanner.end();
      runs = [];
      blocks = [];
    },
    get pendingPosition() {
      const pending = scanner.pendingPosition;
      const from = pending === undefined ? chars : Math.floor(pending / 3) * 4;
      for (const { start, count, position } of runs) {
        if (start + count > from) {
          return position + Math.max(0, from - start);
        }
      }
      return undefined;
    },
  };
}

/** The next quote at or behind `from`; -1 when there is none. In JSON it is near. */
function quoteFrom(bytes: Uint8Array, from: number): number {
  const near = Math.min(bytes.length, from + NEAR_BYTES);
  for (let at = from; at < near; at += 1) {
    if (bytes[at] === QUOTE) {
      return at;
    }
  }
  return near < bytes.length ? bytes.indexOf(QUOTE, near) : -1;
}

/** Whether the characters at `from` begin a text, without decoding them: a few that begin none are taken to do so. */
function mayBeText(bytes: Uint8Array, from: number): boolean {
  let continuation = 0;
  let bits = 0;
  let value = 0;
  for (let at = from; at < from + PREFIX_CHARS; at += 1) {
    value = ((value << 6) | (SIX_BITS[bytes[at] as number] as number)) & 0x3fff;
    bits += 6;
    if (bits < 8) {
      continue;
    }
    bits -= 8;
    const byte = (value >> bits) & 0xff;
    if (isControl(byte) || (byte >= 0x80 && byte < 0xc0) !== continuation > 0) {
      return false;
    }
    if (byte >= 0xc0) {
      continuation = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    } else if (continuation > 0) {
      continuation -= 1;
    }
  }
  return true;
}

function isControl(byte: number): boolean {
  return (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) || byte === 0x7f;
}

/** Whether the bytes begin a text: of random ones hardly any do. */
function isText(bytes: Uint8Array): boolean {
  for (const byte of bytes) {
    if (isControl(byte)) {
      return false;
    }
  }
  // Its last character may be cut.
  for (let length = bytes.length; length > bytes.length - 4; length -= 1) {
    if (isUtf8(bytes.subarray(0, length))) {
      return true;
    }
  }
  return false;
}
