/**
 * One direction's header table: static entries, then dynamic ones, the newest first.
 * RFC 7541 §2.3 and §4, https://www.rfc-editor.org/rfc/rfc7541#section-2.3
 *
 * Indices count from the newest entry, so the table is useful even when its older part was never seen: what was
 * added since is found at its true index, and everything beyond is unknown.
 */
import { STATIC_TABLE } from './hpack-static-table.ts';

/** A known field; `undefined` for a part that could not be read. */
export interface TableEntry {
  readonly name: string | undefined;
  /** Credentials are masked. */
  readonly value: string | undefined;
  /** RFC 7541 §4.1, of the field as sent. */
  readonly size: number;
}

/** `unknown`: an entry from before anything was seen. `invalid`: no encoder may refer to this. */
export type TableLookup = TableEntry | 'unknown' | 'invalid';

export const ENTRY_OVERHEAD_BYTES = 32;
/** Before any size update (RFC 9113 §6.5.2, SETTINGS_HEADER_TABLE_SIZE). */
const INITIAL_MAX_BYTES = 4096;

const STATIC_ENTRIES: readonly TableEntry[] = STATIC_TABLE.map(([name, value]) => ({
  name,
  value,
  size: name.length + value.length + ENTRY_OVERHEAD_BYTES,
}));

export class HpackTable {
  /** Oldest first; those before `first` are gone. */
  private entries: TableEntry[] = [];
  private first = 0;
  private bytes = 0;
  private maxBytes = INITIAL_MAX_BYTES;
  /** Older entries than those here may exist. */
  private hasUnknown = false;
  /** What the encoder may use is known: it began before our eyes, or said so since. */
  private isMaxKnown = true;
  private readonly limitBytes: number;
  /** Entries dropped by our limit although the peers agreed on more. */
  limitDrops = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  /** Whether a reference may point to entries that were never seen. */
  get isPartial(): boolean {
    return this.hasUnknown;
  }

  /** Number of dynamic entries known, and their size (RFC 7541 §4.1). */
  get count(): number {
    return this.entries.length - this.first;
  }

  get sizeBytes(): number {
    return this.bytes;
  }

  /** `index` as on the wire, 1 and up. */
  get(index: number): TableLookup {
    if (index <= STATIC_ENTRIES.length) {
      return STATIC_ENTRIES[index - 1] ?? 'invalid';
    }
    const age = index - STATIC_ENTRIES.length - 1;
    const at = this.entries.length - 1 - age;
    if (at >= this.first) {
      return this.entries[at] as TableEntry;
    }
    return this.hasUnknown ? 'unknown' : 'invalid';
  }

  add(entry: TableEntry): void {
    this.entries.push(entry);
    this.bytes += entry.size;
    this.evict();
  }

  /** A size update of the encoder (§6.3). It says exactly what the encoder keeps from here on. */
  resize(maxBytes: number): void {
    this.maxBytes = maxBytes;
    this.isMaxKnown = true;
    if (maxBytes === 0) {
      this.hasUnknown = false;
    }
    this.evict();
  }

  /** The table may have changed in ways not seen: nothing of it can be trusted. */
  forget(): void {
    this.entries = [];
    this.first = 0;
    this.bytes = 0;
    this.hasUnknown = true;
    this.isMaxKnown = false;
  }

  /** The connection is seen from its beginning: the table is known to be empty. */
  restart(): void {
    this.forget();
    this.hasUnknown = false;
    this.isMaxKnown = true;
    this.maxBytes = INITIAL_MAX_BYTES;
  }

  private evict(): void {
    // An encoder never refers to what it has evicted, so keeping more than it does is harmless.
    const agreed = this.isMaxKnown ? this.maxBytes : this.limitBytes;
    const max = Math.min(agreed, this.limitBytes);
    if (this.bytes <= max) {
      return;
    }
    while (this.bytes > max && this.first < this.entries.length) {
      this.bytes -= (this.entries[this.first] as TableEntry).size;
      this.first += 1;
      if (max < agreed || !this.isMaxKnown) {
        this.limitDrops += 1;
      }
    }
    // Entries go from the oldest on: when the encoder's own size made one go, none older is left.
    this.hasUnknown = max < agreed || !this.isMaxKnown;
    if (this.first > 64 && this.first * 2 > this.entries.length) {
      this.entries = this.entries.slice(this.first);
      this.first = 0;
    }
  }
}
