/** `sightline.damage` and `sightline.lost_bytes`: what is known to be missing from a span. */
import type { Attributes } from '@opentelemetry/api';
import type { Damage } from '../util/damage.ts';
import { Attr } from './semconv.ts';

/** Nothing is set for an undamaged piece; the bytes only where some are known to be missing. */
export function putDamage(attributes: Attributes, damage: Damage): void {
  if (damage.kinds.size === 0) {
    return;
  }
  attributes[Attr.damage] = [...damage.kinds];
  if (damage.lostBytes > 0) {
    attributes[Attr.lostBytes] = damage.lostBytes;
  }
}
