/** Where a request went: host and port from its Host field or `:authority` (RFC 9110 §7.2), and its path. */
import type { RequestMessage } from '../http/exchange.ts';

/** Every captured connection is TLS so far, so https: RFC 9110 §4.2.2. */
const HTTPS_PORT = 443;

export interface ServerAddress {
  /** Lower case; an IPv6 address without its brackets. */
  host: string;
  port: number;
}

const AUTHORITY = /^(?:[^@/]*@)?(\[[0-9a-f:.%]+\]|[^:/@\s]+)(?::([0-9]{1,5}))?$/i;

/** The server's address; undefined when the request names none, or not in the form it must have. */
export function serverAddressOf(request: RequestMessage): ServerAddress | undefined {
  const authority =
    authorityOf(request.target) ?? request.headers.get('host') ?? request.headers.get(':authority');
  const match = AUTHORITY.exec(authority ?? '');
  if (match === null) {
    return undefined;
  }
  const host = match[1]!.toLowerCase();
  const port = match[2] === undefined ? HTTPS_PORT : Number(match[2]);
  if (port > 65_535) {
    return undefined;
  }
  return { host: host.startsWith('[') ? host.slice(1, -1) : host, port };
}

/** The path without query and without a slash at its end, also of a target in absolute form (RFC 9112 §3.2.2). */
export function pathOf(target: string): string {
  const query = target.indexOf('?');
  let path = query < 0 ? target : target.slice(0, query);
  const authority = authorityOf(path);
  if (authority !== undefined) {
    path = path.slice(path.indexOf('://') + 3 + authority.length);
  }
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

function authorityOf(target: string): string | undefined {
  const match = /^https?:\/\/([^/?]*)/i.exec(target);
  return match?.[1];
}
