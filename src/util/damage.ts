/**
 * What can have happened to a piece of captured data. Exported as `sightline.damage`.
 *
 * - `gap`: bytes of it were lost between the kernel and here; `lostBytes` says how many, where known.
 * - `truncated`: it stopped before its protocol said it was over.
 * - `joined-midway`: observation began after it did.
 * - `limit`: a named limit of ours was reached and the rest was not kept.
 * - `decode-error`: its bytes contradict the encoding they claim to have.
 */
export type DamageKind = 'gap' | 'truncated' | 'joined-midway' | 'limit' | 'decode-error';

/** The damage of one exchange, call or turn: the kinds seen, in order of first sight, and the bytes lost. */
export class Damage {
  readonly kinds: Set<DamageKind> = new Set();
  /** Bytes known to be missing. A gap of unknown size adds nothing here but still adds its kind. */
  lostBytes = 0;

  add(kind: DamageKind, lostBytes = 0): void {
    this.kinds.add(kind);
    this.lostBytes += lostBytes;
  }

  merge(other: Damage): void {
    for (const kind of other.kinds) {
      this.kinds.add(kind);
    }
    this.lostBytes += other.lostBytes;
  }

  get any(): boolean {
    return this.kinds.size > 0;
  }
}
