/** What a span will be, before any SDK object exists: the four kinds of piece are turned into this. */
import type { Attributes, AttributeValue } from '@opentelemetry/api';
import type { ExtraAttributes, SpanIds } from '../session/story.ts';

export interface SpanDescription {
  name: string;
  /** CLIENT for what crosses to a server, else INTERNAL. */
  kind: 'client' | 'internal';
  ids: SpanIds;
  /** The parent is a span of the application's own trace, with these W3C flags. */
  remoteParentFlags?: number;
  startNs: bigint;
  endNs: bigint;
  attributes: Attributes;
  /** Present exactly when `error.type` is set: status ERROR. */
  error?: { message?: string };
  links: readonly SpanLink[];
  events?: readonly SpanEvent[];
}

/** Something that happened at one time, maybe before the span began. */
export interface SpanEvent {
  name: string;
  timeNs: bigint;
  attributes: Attributes;
}

export interface SpanLink {
  ids: SpanIds;
  /** `sightline.link.kind`. */
  kind: string;
}

/** Longest span name; a model's name comes from the wire and could be anything. */
const MAX_NAME_CHARS = 255;

/** `{operation} {target}`, or the operation alone where the target is unknown. */
export function spanName(operation: string, target: string | undefined): string {
  const name = target === undefined || target === '' ? operation : `${operation} ${target}`;
  return name.length > MAX_NAME_CHARS ? name.slice(0, MAX_NAME_CHARS) : name;
}

/** Sets an attribute unless there is nothing to say: undefined, or an empty list. */
export function put(attributes: Attributes, name: string, value: AttributeValue | undefined): void {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) {
    return;
  }
  attributes[name] = value;
}

/** Sets what plugins added, except where the name has a value already: what was observed is not overwritten. */
export function putExtra(
  attributes: Record<string, unknown>,
  extra: ExtraAttributes | undefined,
): void {
  for (const [name, value] of Object.entries(extra ?? {})) {
    if (!Object.hasOwn(attributes, name)) {
      attributes[name] = value;
    }
  }
}
