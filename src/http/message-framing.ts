/**
 * Decides how the end of a message's body is found.
 * RFC 9112 §6.3, https://www.rfc-editor.org/rfc/rfc9112#section-6.3
 */
import type { Headers } from './exchange.ts';

export type BodyFraming =
  | { kind: 'none' }
  | { kind: 'length'; length: number }
  | { kind: 'chunked' }
  /** Up to the end of the connection. */
  | { kind: 'until-end' }
  /** The connection leaves HTTP after this head. */
  | { kind: 'tunnel' }
  /** Nobody can say where the body ends. */
  | { kind: 'invalid' };

export interface FramedBody {
  framing: BodyFraming;
  /** Transfer codings besides `chunked`, in the order they were applied (`gzip, chunked` → `gzip`). */
  codings: string[];
}

const NO_BODY: FramedBody = { framing: { kind: 'none' }, codings: [] };

export function frameRequest(headers: Headers): FramedBody {
  const codings = listOf(headers, 'transfer-encoding');
  if (codings.length > 0) {
    return frameCodings(codings, { kind: 'invalid' });
  }
  const length = contentLength(headers);
  if (length === undefined || length === 0) {
    return NO_BODY;
  }
  return { framing: length < 0 ? { kind: 'invalid' } : { kind: 'length', length }, codings: [] };
}

/** `method` is undefined when the request was not seen: the response is then taken for one with a body. */
export function frameResponse(
  status: number,
  headers: Headers,
  method: string | undefined,
): FramedBody {
  if (status === 101 || (method === 'CONNECT' && status >= 200 && status < 300)) {
    return { framing: { kind: 'tunnel' }, codings: [] };
  }
  if (status < 200 || status === 204 || status === 304 || method === 'HEAD') {
    return NO_BODY;
  }
  const codings = listOf(headers, 'transfer-encoding');
  if (codings.length > 0) {
    return frameCodings(codings, { kind: 'until-end' });
  }
  const length = contentLength(headers);
  if (length === undefined) {
    return { framing: { kind: 'until-end' }, codings: [] };
  }
  if (length < 0) {
    return { framing: { kind: 'invalid' }, codings: [] };
  }
  return length === 0 ? NO_BODY : { framing: { kind: 'length', length }, codings: [] };
}

function frameCodings(codings: string[], unchunked: BodyFraming): FramedBody {
  const outer = codings.filter((coding) => coding !== 'chunked' && coding !== 'identity');
  const isChunked = codings[codings.length - 1] === 'chunked';
  return { framing: isChunked ? { kind: 'chunked' } : unchunked, codings: outer };
}

/** The one length all Content-Length values agree on; undefined when there is none, -1 when it is unusable. */
function contentLength(headers: Headers): number | undefined {
  const values = listOf(headers, 'content-length');
  const first = values[0];
  if (first === undefined) {
    return undefined;
  }
  const isUsable = /^\d{1,15}$/.test(first) && values.every((value) => value === first);
  return isUsable ? Number(first) : -1;
}

/** Members of a comma-separated field, lower case, without parameters; over all fields of the name. */
export function listOf(headers: Headers, name: string): string[] {
  const members: string[] = [];
  for (const value of headers.all(name)) {
    for (const part of value.split(',')) {
      const member = (part.split(';', 1)[0] ?? '').trim().toLowerCase();
      if (member !== '') {
        members.push(member);
      }
    }
  }
  return members;
}
