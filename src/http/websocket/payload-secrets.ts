/**
 * Finds credentials in the uncompressed messages of one direction, for the recorder, and says what to write in
 * their place: in a masked frame a star must be masked too, or the recording would read something else.
 */
import type { Direction } from '../../capture/events.ts';
import { findSecretsInText, type SecretFinder, secretRuns } from '../../util/key-shapes.ts';
import { createStreamSecretScanner, MAX_HELD_SOCKET_BYTES } from '../body-secret-scanner.ts';
import { latin1Text } from '../latin1.ts';
import { keyByte } from './frame-header.ts';

export type SecretReport = (
  direction: Direction,
  position: number,
  length: number,
  replacement?: Uint8Array,
) => void;

export interface PayloadSecrets {
  /** Payload of a message, unmasked; `offset` is its place in its frame, `key` the frame's. */
  push(bytes: Uint8Array, position: number, offset: number, key: number): void;
  /** The whole payload of a control frame. */
  control(bytes: Uint8Array, position: number, key: number): void;
  /** What follows is another message, in which keys may go on that come in pieces. */
  endMessage(): void;
  /** Nothing came for a while: nothing is held back any longer. */
  letGo(): void;
  /** What follows comes after a hole. */
  end(): void;
  readonly pendingPosition: number | undefined;
}

/** Payload that was masked with one key; `zero` is the stream position of the frame's first payload byte. */
interface MaskedRun {
  zero: number;
  key: number;
  end: number;
}

const STAR = 0x2a;

export function createPayloadSecrets(
  direction: Direction,
  report: SecretReport,
  findAdded?: SecretFinder,
): PayloadSecrets {
  /** Runs that a secret found later may reach back into. */
  let runs: MaskedRun[] = [];

  function reportMasked(
    run: MaskedRun,
    position: number,
    length: number,
    unmasked?: Uint8Array,
  ): void {
    const replacement = new Uint8Array(length);
    for (let index = 0; index < length; index += 1) {
      const byte = unmasked?.[index] ?? STAR;
      replacement[index] = byte ^ keyByte(run.key, position + index - run.zero);
    }
    report(direction, position, length, replacement);
  }

  function found(position: number, length: number, replacement?: Uint8Array): void {
    const run = runs.find(({ zero, end }) => zero <= position && position < end);
    if (run === undefined || run.key === 0) {
      report(direction, position, length, replacement);
    } else {
      reportMasked(run, position, length, replacement);
    }
  }

  const scanner = createStreamSecretScanner(found, findAdded, MAX_HELD_SOCKET_BYTES);

  return {
    push(bytes, position, offset, key) {
      if (key !== 0) {
        const last = runs.at(-1);
        const zero = position - offset;
        if (last?.zero === zero) {
          last.end = position + bytes.length;
        } else {
          runs.push({ zero, key, end: position + bytes.length });
        }
      }
      scanner.push(bytes, position);
      if (runs.length > 0) {
        const pending = scanner.pendingPosition ?? position + bytes.length;
        runs = runs.filter(({ end }) => end > pending);
      }
    },
    control(bytes, position, key) {
      const text = latin1Text(bytes);
      const places = findSecretsInText(text).flatMap((place) => secretRuns(text, place));
      for (const { index, length } of places) {
        const run = { zero: position, key, end: position + bytes.length };
        if (key === 0) {
          report(direction, position + index, length);
        } else {
          reportMasked(run, position + index, length);
        }
      }
    },
    endMessage() {
      (scanner.endRecord ?? scanner.end)();
    },
    letGo: scanner.letGo,
    end() {
      scanner.end();
      runs = [];
    },
    get pendingPosition() {
      return scanner.pendingPosition;
    },
  };
}
