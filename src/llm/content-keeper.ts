/** Decides how much of a call's content is kept, and records on the call when a limit cuts it. */
import type { Damage } from '../util/damage.ts';
import { CutText, cutToBytes, RawJson } from '../util/json-scanner.ts';

/** A text of the wire, or the beginning of it. */
export type Text = string | CutText;

export interface ContentKeeperOptions {
  isOn: boolean;
  /** UTF-8 bytes of one field. */
  maxFieldBytes: number;
  /** UTF-8 bytes of all fields together. */
  maxTotalBytes: number;
  damage: Damage;
}

export class ContentKeeper {
  /** Content is captured at all. When not, nothing of this is called for content. */
  readonly isOn: boolean;
  readonly maxFieldBytes: number;
  readonly #damage: Damage;
  #roomBytes: number;
  #cuts = 0;

  constructor(options: ContentKeeperOptions) {
    this.isOn = options.isOn;
    this.maxFieldBytes = options.isOn ? options.maxFieldBytes : 0;
    this.#roomBytes = options.maxTotalBytes;
    this.#damage = options.damage;
  }

  /** How many fields were cut so far. */
  get cuts(): number {
    return this.#cuts;
  }

  /** What is kept of one field. */
  keep(text: Text): string {
    if (!this.isOn) {
      return '';
    }
    const whole = typeof text === 'string' ? text : text.prefix;
    const cut = cutToBytes(whole, Math.min(this.maxFieldBytes, this.#roomBytes));
    const isCutBefore = typeof text !== 'string' && text.bytes > this.maxFieldBytes;
    if (isCutBefore || cut.length < whole.length) {
      this.#damage.add('limit');
      this.#cuts += 1;
    }
    this.#roomBytes -= Buffer.byteLength(cut);
    return cut;
  }

  /** A JSON value with every text in it cut to what is kept. */
  keepValue(value: unknown): unknown {
    if (typeof value === 'string' || value instanceof CutText) {
      return this.keep(value);
    }
    if (value instanceof RawJson) {
      return this.keep(value.text);
    }
    if (Array.isArray(value)) {
      return value.map((item) => this.keepValue(item));
    }
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(
        Object.entries(value).map(([key, member]) => [key, this.keepValue(member)]),
      );
    }
    return value;
  }
}
