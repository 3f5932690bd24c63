/**
 * Finds credentials in an unencoded body while it streams past, across reads and chunks, for the recorder.
 *
 * A tail of the text is kept and looked at again with what follows, so that a key that is split is found; its
 * bytes are not released to the recorder before. A key that runs on past the end of the text is followed.
 */
import {
  FREE_SEARCH,
  findHintedSecrets,
  SECRET_HINTS,
  type SecretFinder,
  type SecretPlace,
  secretRuns,
} from '../util/key-shapes.ts';
import { createLineEndKeeper, type LineEndKeeper } from '../util/line-end-keeper.ts';
import { createLiteralWatcher } from '../util/literal-watch.ts';
import {
  SECRET_KEY_ENDINGS,
  SECRET_KEY_SHAPE,
  SECRET_NUMBER_KEY_SHAPE,
} from '../util/secret-keys.ts';
import { createBase64Secrets } from './base64-secrets.ts';
import { latin1Text } from './latin1.ts';
import { createScannedTail } from './scanned-tail.ts';
import { createStreamedStrings } from './streamed-strings.ts';

/** Longest prefix and minimum length that a key shape needs to be recognised, with room. */
const TAIL_BYTES = 256;
/** A longer match may have lost its beginning when more of it comes: it is followed. The rest is for what a rule looks at before it. */
const MAX_FOUND_AGAIN_BYTES = TAIL_BYTES - 8;
/** What is found besides has no known length: of a longer match that is split, only a part may be found. */
const ADDED_TAIL_BYTES = 1024;
const TOKEN_RUN = /^[A-Za-z0-9._~+/=-]*/;
const PEM_RUN = /^[A-Za-z0-9+/=\s\\:,.]*/;

/** A string of JSON up to its end quote; the last group is a backslash whose character is still to come. */
const JSON_REST = '[^"\\\\]*(?:\\\\[\\s\\S][^"\\\\]*)*(\\\\)?';
/** A key comes first of all: most strings are none. */
const KEY_BEGIN = '"(?=[\\w. -]{1,64}"\\s{0,8}:\\s{0,8}")';
/** Strings whose key says that they are secret; group 1 is the value as far as it is there. */
const JSON_SECRET = new RegExp(
  `${KEY_BEGIN}${SECRET_KEY_SHAPE}"\\s{0,8}:\\s{0,8}"(${JSON_REST})`,
  'gi',
);
/** Quotes of JSON that is itself a string of JSON, perhaps within another. */
const INNER_QUOTE = '\\\\{1,7}"';
/** The same in such JSON, up to the next quote or escape. */
const INNER_JSON_SECRET = new RegExp(
  `${INNER_QUOTE}(?=[\\w. -]{1,64}${INNER_QUOTE}\\s{0,8}:)${SECRET_KEY_SHAPE}${INNER_QUOTE}\\s{0,8}:\\s{0,8}${INNER_QUOTE}([^"\\\\]+)`,
  'gi',
);
/** A number whose key says that it is secret; group 1 is the digits that can be others. */
const NUMBER_SECRET = new RegExp(
  `"(?=[\\w. -]{1,64}\\\\{0,7}"\\s{0,8}:\\s{0,8}-?[1-9])${SECRET_NUMBER_KEY_SHAPE}\\\\{0,7}"\\s{0,8}:\\s{0,8}-?([1-9][0-9]*)`,
  'gi',
);
/** What stands for a masked digit: JSON stays JSON, and the number has as many. */
const DIGIT = 0x31;
const INNER_JSON_RUN = /^[^"\\]*/;
const JSON_RUN = new RegExp(`^${JSON_REST}`);
const JSON_RUN_IN_ESCAPE = new RegExp(`^[\\s\\S]?${JSON_REST}`);

function jsonRun(openEscape: string | undefined): RegExp {
  return openEscape === undefined ? JSON_RUN : JSON_RUN_IN_ESCAPE;
}

const JSON_SEARCH = FREE_SEARCH;
const INNER_JSON_SEARCH = FREE_SEARCH << 1;

const createHintWatch = createLiteralWatcher([
  ...SECRET_HINTS,
  ...SECRET_KEY_ENDINGS.flatMap((name) => [
    { text: `${name}"`, isAnyCase: true, searches: JSON_SEARCH },
    { text: `${name}\\`, isAnyCase: true, searches: INNER_JSON_SEARCH },
  ]),
]);

/** `replacement`, as long as the secret, is to be written in its place instead of asterisks. */
export type SecretMask = (position: number, length: number, replacement?: Uint8Array) => void;

export interface BodySecretScanner {
  push(bytes: Uint8Array, position: number): void;
  /** A record is over (a message of several): only strings that come in pieces go on in the next. */
  endRecord?(): void;
  /** Nothing came for a while: nothing is held back any longer. A key that was begun is still followed. */
  letGo(): void;
  /** Nothing that follows belongs to what was pushed so far. */
  end(): void;
  /** First stream position not yet judged; undefined when everything pushed is. */
  readonly pendingPosition: number | undefined;
}

export function createBodySecretScanner(
  onSecret: SecretMask,
  findAdded?: SecretFinder,
): BodySecretScanner {
  return together([
    createTextScanner(onSecret, findAdded),
    createBase64Secrets(onSecret, (onFound) => createTextScanner(onFound, findAdded)),
  ]);
}

/** Several at once. All of them see the bytes before any of them is asked what it holds. */
function together(scanners: readonly BodySecretScanner[]): BodySecretScanner {
  return {
    push(bytes, position) {
      for (const scanner of scanners) {
        scanner.push(bytes, position);
      }
    },
    endRecord() {
      for (const scanner of scanners) {
        (scanner.endRecord ?? scanner.end)();
      }
    },
    letGo() {
      for (const scanner of scanners) {
        scanner.letGo();
      }
    },
    end() {
      for (const scanner of scanners) {
        scanner.end();
      }
    },
    get pendingPosition() {
      let first: number | undefined;
      for (const { pendingPosition } of scanners) {
        if (pendingPosition !== undefined && (first === undefined || pendingPosition < first)) {
          first = pendingPosition;
        }
      }
      return first;
    },
  };
}

/** One whose bytes may be a part of others, so that none are copied for it. */
interface TextScanner extends BodySecretScanner {
  pushPart(bytes: Uint8Array, from: number, to: number, position: number): void;
}

/** `pushPart` gets `bytes[from, to)`; `position` is the one of `from`. */
function createTextScanner(onSecret: SecretMask, findAdded?: SecretFinder): TextScanner {
  const tail = createScannedTail(findAdded === undefined ? TAIL_BYTES : ADDED_TAIL_BYTES);
  const hints = createHintWatch();
  /** What hints within the tail call for, and perhaps some that have left it; the last is so many bytes ago. */
  let searches = 0;
  let bytesSinceHint = 0;
  let following: RegExp | undefined;
  /** Of a secret of several lines that is followed. */
  let lineEnds: LineEndKeeper | undefined;

  function isInJson(): boolean {
    return following === JSON_RUN || following === JSON_RUN_IN_ESCAPE;
  }

  function follow(text: string, position: number): void {
    if (following === undefined) {
      return;
    }
    const match = following.exec(text);
    const run = match?.[0].length ?? 0;
    if (run > 0 && following === PEM_RUN) {
      const mask = (from: number, to: number) => onSecret(position + from, to - from);
      lineEnds?.push(text.slice(0, run), mask);
    } else if (run > 0) {
      onSecret(position, run);
    }
    if (run < text.length) {
      following = undefined;
    } else if (isInJson() && run > 0) {
      following = jsonRun(match?.[1]);
    }
  }

  /** What was found may go on behind the text. */
  function followFound(text: string, { index, length, keepsLineEnds = false }: SecretPlace): void {
    if (index + length < text.length || isInJson()) {
      return;
    }
    if (keepsLineEnds) {
      following = PEM_RUN;
      lineEnds = createLineEndKeeper();
      lineEnds.push(text.slice(index), () => {});
    } else if (following !== PEM_RUN) {
      following = TOKEN_RUN;
    }
  }

  function pushPart(bytes: Uint8Array, from: number, to: number, position: number): void {
    if (following !== undefined) {
      follow(latin1Text(bytes, from, to), position);
    }
    const found = hints.push(bytes, from, to);
    if (found === 0) {
      bytesSinceHint += to - from;
    } else {
      searches |= found;
      bytesSinceHint = to - hints.lastEnd;
    }
    tail.begin(position, to - from);
    if (bytesSinceHint >= tail.bytes + to - from) {
      searches = 0;
    }
    if (searches !== 0 || findAdded !== undefined) {
      search(tail.text() + latin1Text(bytes, from, to));
    }
    tail.settle(bytes, from, to);
  }

  function report(index: number, length: number): void {
    tail.places(index, length, onSecret);
  }

  function reportNumber(index: number, length: number): void {
    tail.places(index, length, (position, digits) =>
      onSecret(position, digits, new Uint8Array(digits).fill(DIGIT)),
    );
  }

  /** Everything that was held back, and what is new. */
  function search(text: string): void {
    for (const place of findHintedSecrets(text, searches)) {
      const { index, length, tellingLength = 0 } = place;
      if (index + length < tail.bytes) {
        // It was found when it came, with more of what stood before it: a part of it may look like another.
        continue;
      }
      for (const run of secretRuns(text, place)) {
        report(run.index, run.length);
      }
      // A shorter one is looked at again with what follows, which tells its end exactly.
      if (tellingLength + length > MAX_FOUND_AGAIN_BYTES) {
        followFound(text, place);
      }
    }
    if ((searches & JSON_SEARCH) !== 0) {
      searchJson(text);
    }
    if ((searches & INNER_JSON_SEARCH) !== 0) {
      searchInnerJson(text);
    }
    if ((searches & (JSON_SEARCH | INNER_JSON_SEARCH)) !== 0) {
      searchNumbers(text);
    }
    for (const place of findAdded?.(text) ?? []) {
      if (isMaskable(text, place)) {
        report(place.index, place.length);
      }
    }
  }

  function searchJson(text: string): void {
    for (const match of text.matchAll(JSON_SECRET)) {
      const length = match[1]?.length ?? 0;
      const end = match.index + match[0].length;
      report(end - length, length);
      if (end === text.length) {
        following = jsonRun(match[2]);
      }
    }
  }

  function searchInnerJson(text: string): void {
    for (const match of text.matchAll(INNER_JSON_SECRET)) {
      const length = match[1]?.length ?? 0;
      const end = match.index + match[0].length;
      report(end - length, length);
      if (end === text.length) {
        following = INNER_JSON_RUN;
      }
    }
  }

  function searchNumbers(text: string): void {
    for (const match of text.matchAll(NUMBER_SECRET)) {
      const length = match[1]?.length ?? 0;
      reportNumber(match.index + match[0].length - length, length);
    }
  }

  function clear(): void {
    tail.clear();
    hints.reset();
    searches = 0;
  }

  return {
    push: (bytes, position) => pushPart(bytes, 0, bytes.length, position),
    pushPart,
    letGo() {
      if (searches !== 0) {
        const text = tail.text();
        for (const place of findHintedSecrets(text, searches)) {
          followFound(text, place);
        }
      }
      clear();
    },
    end() {
      clear();
      following = undefined;
    },
    get pendingPosition() {
      return tail.position;
    },
  };
}

/** What is held back for pieces to come; of a key that more bytes lie between, what was released stays as it is. */
const MAX_HELD_BYTES = 32 * 1024;

/** The same of a WebSocket, where audio of some 10 KiB may lie between two words of its transcript. */
export const MAX_HELD_SOCKET_BYTES = 512 * 1024;

/** Strings that are followed at once; then the one that got nothing for longest is given up. */
const MAX_STRINGS = 128;

/**
 * The same for the body of an answer, in which a key may come in pieces too: one in each record of a stream. Bytes are
 * held back for longer, up to `maxHeldBytes`.
 */
export function createStreamSecretScanner(
  onSecret: SecretMask,
  findAdded?: SecretFinder,
  maxHeldBytes = MAX_HELD_BYTES,
): BodySecretScanner {
  return together([
    createPiecesScanner(onSecret, findAdded, maxHeldBytes),
    createBase64Secrets(onSecret, (onFound) =>
      createPiecesScanner(onFound, findAdded, maxHeldBytes),
    ),
  ]);
}

/** A string that comes in pieces. */
interface FollowedString {
  key: string;
  indices: string;
  scanner: TextScanner;
  /** Which of all pieces its last one was. */
  lastPiece: number;
}

function createPiecesScanner(
  onSecret: SecretMask,
  findAdded: SecretFinder | undefined,
  maxHeldBytes: number,
): BodySecretScanner {
  const whole = createTextScanner(onSecret, findAdded);
  /** By their indices, then by their keys. */
  const strings = new Map<string, Map<string, FollowedString>>();
  const followed: FollowedString[] = [];
  let pieces = 0;
  /** Of the string that came last. */
  let lastIndices = '';
  let byKey: Map<string, FollowedString> | undefined;
  let endPosition = 0;
  let isEmpty = true;
  const streamed = createStreamedStrings((key, indices, bytes, from, to, position) => {
    scannerOf(key, indices).pushPart(bytes, from, to, position);
  });

  /** First position that was certainly not released. */
  function heldFrom(): number {
    return Math.max(0, endPosition - maxHeldBytes);
  }

  function maskHeld(position: number, length: number, replacement?: Uint8Array): void {
    const from = Math.max(position, heldFrom());
    if (from < position + length) {
      onSecret(from, position + length - from, replacement?.subarray(from - position));
    }
  }

  function scannerOf(key: string, indices: string): TextScanner {
    if (byKey === undefined || indices !== lastIndices) {
      byKey = strings.get(indices) ?? new Map();
      strings.set(indices, byKey);
      lastIndices = indices;
    }
    let string = byKey.get(key);
    if (string === undefined) {
      const scanner =
        followed.length === MAX_STRINGS
          ? giveUpOldest(byKey)
          : createTextScanner(maskHeld, findAdded);
      string = { key, indices, scanner, lastPiece: 0 };
      byKey.set(key, string);
      followed.push(string);
    }
    pieces += 1;
    string.lastPiece = pieces;
    return string.scanner;
  }

  /** Returns its scanner, for another. `kept` is not taken away although it may be empty then. */
  function giveUpOldest(kept: Map<string, FollowedString>): TextScanner {
    const oldest = followed.reduce((one, other) => (other.lastPiece < one.lastPiece ? other : one));
    followed.splice(followed.indexOf(oldest), 1);
    const siblings = strings.get(oldest.indices);
    siblings?.delete(oldest.key);
    if (siblings?.size === 0 && siblings !== kept) {
      strings.delete(oldest.indices);
    }
    oldest.scanner.end();
    return oldest.scanner;
  }

  return {
    push(bytes, position) {
      // Before the end moves on: a key that ends here may begin in what has been held until now.
      whole.push(bytes, position);
      streamed.push(bytes, position);
      endPosition = position + bytes.length;
      isEmpty = false;
    },
    endRecord() {
      whole.end();
      streamed.end();
    },
    letGo() {
      whole.letGo();
      streamed.letGo();
      for (const { scanner } of followed) {
        scanner.letGo();
      }
      isEmpty = true;
    },
    end() {
      whole.end();
      streamed.end();
      strings.clear();
      followed.length = 0;
      byKey = undefined;
      isEmpty = true;
    },
    get pendingPosition() {
      if (isEmpty) {
        return undefined;
      }
      let first = Math.min(
        whole.pendingPosition ?? endPosition,
        streamed.pendingPosition ?? endPosition,
      );
      const from = heldFrom();
      for (const { scanner } of followed) {
        first = Math.min(first, Math.max(scanner.pendingPosition ?? endPosition, from));
      }
      return first;
    },
  };
}

/** A copy of an answer's body with every credential overwritten that is found in it, in pieces or not. */
export function maskBody(bytes: Uint8Array): Uint8Array {
  const masked = new Uint8Array(bytes);
  const scanner = createStreamSecretScanner((position, length, replacement) => {
    if (replacement === undefined) {
      masked.fill(0x2a, position, position + length);
    } else {
      masked.set(replacement, position);
    }
  });
  scanner.push(bytes, 0);
  return masked;
}

/**
 * Whether stars in this place leave JSON what it is: not where they would stand for its quotes, or for a number
 * outside of its strings.
 */
function isMaskable(text: string, { index, length }: SecretPlace): boolean {
  const match = text.slice(index, index + length);
  if (match.includes('"')) {
    return false;
  }
  if (!/^[-+0-9.eE]+$/.test(match)) {
    return true;
  }
  const before = /[:,[][\s\d.eE+-]*$/.test(text.slice(Math.max(0, index - 32), index));
  return !(
    before && /^[\d.eE+-]*\s*(?:[,\]}]|$)/.test(text.slice(index + length, index + length + 32))
  );
}
