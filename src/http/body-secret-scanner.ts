/**
 * Finds credentials in an unencoded body while it streams past, across reads and chunks, for the recorder.
 *
 * A tail of the text is kept and looked at again with what follows, so that a key that is split is found; its
 * bytes are not released to the recorder before. A key that runs on past the end of the text is followed.
 */
import { findSecretsInText } from '../util/key-shapes.ts';
import { latin1Text } from './latin1.ts';

/** Longest prefix and minimum length that a key shape needs to be recognised, with room. */
const TAIL_BYTES = 256;
const TOKEN_RUN = /^[A-Za-z0-9._~+/=-]*/;
const PEM_RUN = /^[A-Za-z0-9+/=\s\\:,.]*/;

/** A string of JSON up to its end quote; the last group is a backslash whose character is still to come. */
const JSON_REST = '[^"\\\\]*(?:\\\\[\\s\\S][^"\\\\]*)*(\\\\)?';
/** Strings whose key says that they are secret; group 1 is the value as far as it is there. */
const JSON_SECRET = new RegExp(
  `"(?:api[-_]?key|password|passwd|secret|client_secret|secret_key|(?:access|refresh|id|auth)_token)"\\s{0,8}:\\s{0,8}"(${JSON_REST})`,
  'gi',
);
const JSON_RUN = new RegExp(`^${JSON_REST}`);
const JSON_RUN_IN_ESCAPE = new RegExp(`^[\\s\\S]?${JSON_REST}`);

function jsonRun(openEscape: string | undefined): RegExp {
  return openEscape === undefined ? JSON_RUN : JSON_RUN_IN_ESCAPE;
}

/** A run of the text with its place in the stream: chunk framing may lie between two. */
interface Piece {
  text: string;
  position: number;
}

export interface BodySecretScanner {
  push(bytes: Uint8Array, position: number): void;
  /** Nothing that follows belongs to what was pushed so far. */
  end(): void;
  /** First stream position not yet judged; undefined when everything pushed is. */
  readonly pendingPosition: number | undefined;
}

export function createBodySecretScanner(
  onSecret: (position: number, length: number) => void,
): BodySecretScanner {
  let tail: Piece[] = [];
  let following: RegExp | undefined;

  function report(pieces: readonly Piece[], index: number, length: number): void {
    let textStart = 0;
    for (const piece of pieces) {
      const from = Math.max(index, textStart);
      const to = Math.min(index + length, textStart + piece.text.length);
      if (from < to) {
        onSecret(piece.position + from - textStart, to - from);
      }
      textStart += piece.text.length;
    }
  }

  function isInJson(): boolean {
    return following === JSON_RUN || following === JSON_RUN_IN_ESCAPE;
  }

  function follow(text: string, position: number): void {
    if (following === undefined) {
      return;
    }
    const match = following.exec(text);
    const run = match?.[0].length ?? 0;
    if (run > 0) {
      onSecret(position, run);
    }
    if (run < text.length) {
      following = undefined;
    } else if (isInJson() && run > 0) {
      following = jsonRun(match?.[1]);
    }
  }

  function push(bytes: Uint8Array, position: number): void {
    const newText = latin1Text(bytes);
    follow(newText, position);
    const pieces = [...tail, { text: newText, position }];
    const text = pieces.length === 1 ? newText : pieces.map((piece) => piece.text).join('');
    for (const { index, length } of findSecretsInText(text)) {
      report(pieces, index, length);
      if (index + length === text.length) {
        const isPem = text.slice(Math.max(0, index - 16), index).endsWith('PRIVATE KEY-----');
        if (!isInJson()) {
          following = isPem || following === PEM_RUN ? PEM_RUN : TOKEN_RUN;
        }
      }
    }
    for (const match of text.matchAll(JSON_SECRET)) {
      const length = match[1]?.length ?? 0;
      const end = match.index + match[0].length;
      report(pieces, end - length, length);
      if (end === text.length) {
        following = jsonRun(match[2]);
      }
    }
    tail = keepTail(pieces, text.length);
  }

  return {
    push,
    end() {
      tail = [];
      following = undefined;
    },
    get pendingPosition() {
      return tail[0]?.position;
    },
  };
}

function keepTail(pieces: Piece[], textLength: number): Piece[] {
  let excess = textLength - TAIL_BYTES;
  const kept: Piece[] = [];
  for (const piece of pieces) {
    if (excess >= piece.text.length) {
      excess -= piece.text.length;
      continue;
    }
    const cut = Math.max(0, excess);
    excess = 0;
    kept.push({ text: piece.text.slice(cut), position: piece.position + cut });
  }
  return kept;
}
