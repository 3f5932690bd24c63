/**
 * When the chunks of a streamed answer came. A chunk is an event that carries a piece of the answer: text,
 * reasoning, refusal or a part of a tool call. Preambles (a role alone, `message_start`), pings, usage and finish
 * reasons are none, so the first chunk is the first thing the model itself said.
 */
import type { ModelCall } from './model-call.ts';

export class ChunkClock {
  readonly #call: ModelCall;
  readonly #maxGaps: number;
  #lastNs = 0n;

  constructor(call: ModelCall, maxGaps: number) {
    this.#call = call;
    this.#maxGaps = maxGaps;
  }

  chunk(timeNs: bigint): void {
    const call = this.#call;
    if (call.firstChunkNs === undefined) {
      call.firstChunkNs = timeNs;
    } else if (call.chunkGapsNs.length < this.#maxGaps) {
      call.chunkGapsNs.push(Number(timeNs - this.#lastNs));
    } else {
      call.damage.add('limit');
    }
    this.#lastNs = timeNs;
  }
}
