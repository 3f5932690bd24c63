/** One SDK object (a tracer, a logger) per workload, the least recently used forgotten first. */
import { LRUCache } from 'lru-cache';

export interface WorkloadCache<T extends object> {
  /** `make` is asked when the workload is new, or when `signature` says that more is known of it. */
  get(workloadKey: string, signature: string, make: () => T): T;
  clear(): void;
}

export function createWorkloadCache<T extends object>(maxWorkloads: number): WorkloadCache<T> {
  const kept = new LRUCache<string, { signature: string; made: T }>({ max: maxWorkloads });
  return {
    get(workloadKey, signature, make) {
      const known = kept.get(workloadKey);
      if (known?.signature === signature) {
        return known.made;
      }
      const made = make();
      kept.set(workloadKey, { signature, made });
      return made;
    },
    clear() {
      kept.clear();
    },
  };
}

/** Limits of one span or log record; what is absent is the SDK's default. */
export interface AttributeLimits {
  attributeCountLimit?: number | undefined;
  attributeValueLengthLimit?: number | undefined;
}

/** As the SDK takes them: it reads a limit that is there but undefined as none. */
export function sdkLimits(limits: AttributeLimits): {
  attributeCountLimit?: number;
  attributeValueLengthLimit?: number;
} {
  const { attributeCountLimit, attributeValueLengthLimit } = limits;
  return {
    ...(attributeCountLimit === undefined ? {} : { attributeCountLimit }),
    ...(attributeValueLengthLimit === undefined ? {} : { attributeValueLengthLimit }),
  };
}
