/**
 * Finds credentials in what a compressed body or message decodes to, for the recorder: it keeps what each piece gave
 * until that was searched, and then hands it over, masked, to be recorded instead of the piece.
 *
 * No compressed byte is ever recorded: what cannot be decoded, or is too much to be kept, is reported as secret.
 */
import type { DecodedOutcome, DecodedPiece } from '../capture/events.ts';
import type { BodySecretScanner, SecretMask } from './body-secret-scanner.ts';
import type { DecodeOutcome } from './content-decoder.ts';

/** Content kept of one body at once. A scanner waits for 32 KiB at most; one piece may decode to far more. */
const MAX_KEPT_BYTES = 16_777_216;

/** What a piece costs beside its content, roughly: many may decode to nothing. */
const KEPT_PIECE_BYTES = 200;

export interface DecodingSinks {
  /** `piece` was searched. Its stretch of the stream is to be overwritten. */
  onDecoded(piece: DecodedPiece): void;
  /** These bytes of the stream are to be overwritten, and nothing is known of them. */
  onUnread(position: number, length: number): void;
  /** Searches the content; positions are those of the content, from 0. */
  createScanner(onSecret: SecretMask): BodySecretScanner;
}

export interface DecodingScanner {
  /** These bytes of the stream are decoded next. */
  begin(position: number, length: number): void;
  /** What they gave, in parts, copied. Without a piece that was begun it belongs to the last one. */
  content(bytes: Uint8Array): void;
  /** How they came out: nothing is decoded after another outcome than `ok`. */
  outcome(outcome: DecodeOutcome): void;
  /** These bytes of the stream are compressed, and nobody decodes them. */
  unread(position: number, length: number): void;
  /** Nothing came for a while: what is held is handed over. */
  letGo(): void;
  /** A message of several is over; `outcome` is what decoding its end said. Keys may go on in the next. */
  endRecord(outcome: DecodeOutcome): void;
  /** The body is over, or the rest of it is not decoded. */
  end(outcome: DecodeOutcome): void;
  /** First stream position that was not handed over; undefined when there is none. */
  readonly pendingPosition: number | undefined;
}

/** Content of one piece that is not handed over. */
interface KeptPiece {
  position: number;
  length: number;
  parts: Uint8Array[];
  /** In the content. */
  start: number;
  end: number;
  outcome: DecodedOutcome;
}

export function createDecodingScanner(sinks: DecodingSinks): DecodingScanner {
  const kept: KeptPiece[] = [];
  let keptBytes = 0;
  /** Content so far. */
  let end = 0;
  /** Too much had to be kept: the rest of the body is not recorded. */
  let isCut = false;
  const scanner = sinks.createScanner(mask);

  function mask(position: number, length: number, replacement?: Uint8Array): void {
    for (let index = kept.length - 1; index >= 0; index -= 1) {
      const piece = kept[index] as KeptPiece;
      if (piece.end <= position) {
        return;
      }
      maskIn(piece, position, position + length, replacement);
    }
  }

  function maskIn(piece: KeptPiece, from: number, to: number, replacement?: Uint8Array): void {
    let start = piece.start;
    for (const part of piece.parts) {
      const first = Math.max(from, start);
      const last = Math.min(to, start + part.length);
      if (first < last && replacement === undefined) {
        part.fill(0x2a, first - start, last - start);
      } else if (first < last) {
        part.set((replacement as Uint8Array).subarray(first - from, last - from), first - start);
      }
      start += part.length;
    }
  }

  function handOver(piece: KeptPiece): void {
    const { position, length, parts, outcome } = piece;
    keptBytes -= KEPT_PIECE_BYTES + piece.end - piece.start;
    const content = parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
    sinks.onDecoded({ position, length, content, outcome });
  }

  /** Hands over what was searched, but for some at the end. */
  function settle(left: number): void {
    const searchedTo = scanner.pendingPosition ?? end;
    let count = 0;
    while (count < kept.length - left && (kept[count] as KeptPiece).end <= searchedTo) {
      handOver(kept[count] as KeptPiece);
      count += 1;
    }
    if (count > 0) {
      kept.splice(0, count);
    }
  }

  function noteEnd(outcome: DecodeOutcome): void {
    const last = kept.at(-1);
    if (last?.outcome === 'ok') {
      last.outcome = outcome;
    }
    isCut = false;
  }

  return {
    begin(position, length) {
      isCut ||= keptBytes + KEPT_PIECE_BYTES > MAX_KEPT_BYTES;
      if (isCut) {
        sinks.onUnread(position, length);
      } else {
        keptBytes += KEPT_PIECE_BYTES;
        kept.push({ position, length, parts: [], start: end, end, outcome: 'ok' });
      }
    },
    content(bytes) {
      const piece = kept.at(-1);
      if (isCut || piece === undefined) {
        return;
      }
      if (keptBytes + bytes.length > MAX_KEPT_BYTES) {
        isCut = true;
        piece.outcome = 'limit';
        return;
      }
      // A Buffer's own `slice` would not copy.
      piece.parts.push(Uint8Array.prototype.slice.call(bytes));
      keptBytes += bytes.length;
      const position = end;
      end += bytes.length;
      piece.end = end;
      scanner.push(bytes, position);
    },
    outcome(outcome) {
      const piece = kept.at(-1);
      if (outcome !== 'ok' && !isCut && piece !== undefined) {
        piece.outcome = outcome;
      }
      // The end may still say something about the last one.
      settle(1);
    },
    unread: sinks.onUnread,
    letGo() {
      scanner.letGo();
      settle(0);
    },
    endRecord(outcome) {
      noteEnd(outcome);
      (scanner.endRecord ?? scanner.end)();
      settle(0);
    },
    end(outcome) {
      noteEnd(outcome);
      scanner.end();
      settle(0);
    },
    get pendingPosition() {
      return kept[0]?.position;
    },
  };
}
