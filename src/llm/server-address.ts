/** Where a request went: host and port from its Host field or `:authority` (RFC 9110 §7.2), and its path. */
import type { Exchange } from '../http/exchange.ts';

/** RFC 9110 §4.2.1 and §4.2.2. */
const HTTP_PORT = 80;
const HTTPS_PORT = 443;

export interface ServerAddress {
  /** Lower case; an IPv6 address without its brackets. */
  host: string;
  port: number;
}

const AUTHORITY = /^(?:[^@/]*@)?(\[[0-9a-f:.%]+\]|[^:/@\s]+)(?::([0-9]{1,5}))?$/i;

/**
 * The server's address. A request that names none, because its head was only seen in part, went to the server whose name
 * the client gave its TLS library. Undefined when there is neither, or the address is not in the form it must have.
 */
export function serverAddressOf(exchange: Exchange): ServerAddress | undefined {
  const { request, facts } = exchange;
  if (request === undefined) {
    return undefined;
  }
  const authority =
    authorityOf(request.target) ?? request.headers.get('host') ?? request.headers.get(':authority');
  if (authority === undefined && facts?.serverName !== undefined) {
    return { host: facts.serverName.toLowerCase(), port: facts.peer?.port ?? HTTPS_PORT };
  }
  const match = AUTHORITY.exec(authority ?? '');
  if (match === null) {
    return undefined;
  }
  const host = match[1]!.toLowerCase();
  const port = match[2] === undefined ? defaultPort(exchange, request.target) : Number(match[2]);
  if (port > 65_535) {
    return undefined;
  }
  return { host: host.startsWith('[') ? host.slice(1, -1) : host, port };
}

/** By the scheme, which a proxy is told, and which else is that of the connection. */
function defaultPort({ connection }: Exchange, target: string): number {
  const scheme = /^(https?):/i.exec(target)?.[1]?.toLowerCase();
  const isPlain = scheme === undefined ? connection.stack === 'plain' : scheme === 'http';
  return isPlain ? HTTP_PORT : HTTPS_PORT;
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
