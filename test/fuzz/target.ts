/** What the fuzzer needs to know of a parser: how to run it on any bytes, and what must then be true. */
import type { Random } from '../support/model-server/random.ts';

export interface FuzzTarget {
  name: string;
  /** Inputs that the search begins with, beside those of the corpus. */
  seeds(): Uint8Array[];
  /** Throws when something is wrong. The bytes must not be kept. */
  run(input: Uint8Array): void | Promise<void>;
  /** Changes the input in a way that its format understands; undefined: as bytes. */
  mutate?(input: Uint8Array, tools: MutationTools): Uint8Array;
  /** Pieces of the format that are not in the sources. */
  words?: readonly (string | Uint8Array)[];
  maxInputBytes?: number;
}

export interface MutationTools {
  random: Random;
  /** Changes bytes without knowledge of a format. */
  mutateBytes(bytes: Uint8Array): Uint8Array;
  /** Another input of the corpus. */
  other(): Uint8Array;
}
