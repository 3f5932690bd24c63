/** One thing that is measured: bytes through one stage of the chain, from a fresh parser to its end. */

export interface Work {
  name: string;
  /** Bytes and events (messages, records, reads) of one pass. */
  bytes: number;
  events: number;
  /**
   * Runs once and returns how many events it found, which must be `events`: a bench of broken code is worth nothing.
   * `look` is called every few hundred events, for who wants to know what is allocated meanwhile.
   */
  pass(look?: () => void): number;
}

/** A pass that calls `step` for every item, and `look` now and then. */
export function everyOf<Item>(
  items: readonly Item[],
  step: (item: Item) => void,
  look?: () => void,
): void {
  for (let index = 0; index < items.length; index += 1) {
    step(items[index] as Item);
    if (look !== undefined && index % 256 === 255) {
      look();
    }
  }
  look?.();
}

export function totalBytes(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

/** An event as the Responses API streams it, of some 200 bytes and a text of `textBytes`. */
export function deltaEvent(index: number, textBytes: number): Buffer {
  const event = {
    type: 'response.output_text.delta',
    item_id: 'msg_BENCHBENCHBENCHBENCHBENCHBENCHBENCH',
    output_index: 0,
    content_index: 0,
    sequence_number: index,
    delta: 'x'.repeat(textBytes),
  };
  return Buffer.from(JSON.stringify(event));
}
