/**
 * Recognises the beginning of a record behind a gap. What is lost is whole reads, and servers write whole records:
 * so one may well begin with the first byte that was not lost. It is believed to when the bytes begin like every
 * record of the stream before did: as an object with the same first key.
 */

export interface RecordBeginning {
  /** Learns from a record that is whole, a JSON text. */
  learn(text: string): void;
  matches(bytes: Uint8Array, from: number): boolean;
}

const MAX_BEGINNING_CHARS = 64;
const FIRST_KEY = /^\{\s*"[^"\\]*"/;

export function createRecordBeginning(): RecordBeginning {
  let beginning: Buffer | undefined;
  let isUniform = true;

  return {
    learn(text) {
      if (!isUniform) {
        return;
      }
      const begun = FIRST_KEY.exec(text.slice(0, MAX_BEGINNING_CHARS))?.[0];
      if (begun === undefined) {
        isUniform = false;
      } else if (beginning === undefined) {
        beginning = Buffer.from(begun);
      } else {
        isUniform = beginning.equals(Buffer.from(begun));
      }
    },
    matches(bytes, from) {
      if (beginning === undefined || !isUniform) {
        return false;
      }
      return beginning.equals(bytes.subarray(from, from + beginning.length));
    },
  };
}
