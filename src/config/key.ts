/** What the schema knows about one setting. */
import type { Format } from './format.ts';

/** One setting. `default: undefined` means that it may stay unset; `unset` says what happens then. */
export interface Key<T> {
  readonly env: string;
  readonly format: Format<T>;
  readonly default: T | undefined;
  readonly unset?: string;
  readonly doc: string;
  /** The value is never shown, not even in an error. */
  readonly sensitive?: boolean;
}

/** A setting that always has a value. */
export interface RequiredKey<T> extends Key<T> {
  readonly default: T;
}

/** A setting with a default. */
export function required<T>(
  env: string,
  format: Format<T>,
  defaultValue: NoInfer<T>,
  doc: string,
): RequiredKey<T> {
  return { env, format, default: defaultValue, doc };
}

/** A setting that may stay unset; `unset` says what happens then. */
export function optional<T>(
  env: string,
  format: Format<T>,
  unset: string,
  doc: string,
  sensitive = false,
): Key<T> {
  return { env, format, default: undefined, unset, doc, sensitive };
}
