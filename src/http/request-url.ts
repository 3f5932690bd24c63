/** Where a request went, as a URL: RFC 9110 §4.2, §7.1 and §7.2, https://www.rfc-editor.org/rfc/rfc9110#section-7.1 */
import { findSecretsInTarget } from './credentials.ts';
import type { Exchange } from './exchange.ts';

/** The parts of a request's URL. Credentials in them are masked, as they are in the request's target. */
export interface RequestUrl {
  scheme: 'http' | 'https';
  /** Lower case; an IPv6 address without its brackets. Undefined when the request names none. */
  host: string | undefined;
  port: number;
  /** The request names user information, which is never kept. */
  hasUserinfo: boolean;
  /** Empty for a request for a tunnel, and where the head was not seen whole. */
  path: string;
  /** Without the question mark; empty when there is none. */
  query: string;
}

const ABSOLUTE = /^(https?):\/\/([^/?#]*)/i;
const AUTHORITY = /^(?:[^@/]*@)?(\[[0-9a-f:.%]+\]|[^:/@\s]+)(?::([0-9]{1,5}))?$/i;
const DEFAULT_PORTS = { http: 80, https: 443 } as const;

/** Undefined when the request was not seen. */
export function requestUrlOf(exchange: Exchange): RequestUrl | undefined {
  const { request, connection } = exchange;
  if (request === undefined) {
    return undefined;
  }
  const { method, target, headers } = request;
  // What a proxy is asked for names its scheme; all else is of the scheme of its connection.
  const absolute = ABSOLUTE.exec(target);
  const isSecure = connection.stack !== 'plain';
  const scheme = schemeOf(absolute?.[1]) ?? (isSecure ? 'https' : 'http');
  const isTunnel = method === 'CONNECT' && !target.startsWith('/');
  const authority =
    absolute?.[2] ?? (isTunnel ? target : (headers.get('host') ?? headers.get(':authority')));
  const match = AUTHORITY.exec(authority ?? '');
  const host = match?.[1]?.toLowerCase();
  const port = Number(match?.[2] ?? DEFAULT_PORTS[scheme]);
  const rest = isTunnel ? '' : target.slice(absolute?.[0].length ?? 0);
  const queryAt = rest.indexOf('?');
  return {
    scheme,
    host: host?.startsWith('[') ? host.slice(1, -1) : host,
    port: port > 0xffff ? DEFAULT_PORTS[scheme] : port,
    hasUserinfo: authority?.includes('@') === true,
    path: queryAt < 0 ? rest : rest.slice(0, queryAt),
    query: queryAt < 0 ? '' : rest.slice(queryAt + 1),
  };
}

function schemeOf(text: string | undefined): RequestUrl['scheme'] | undefined {
  switch (text?.toLowerCase()) {
    case 'http':
      return 'http';
    case 'https':
      return 'https';
    default:
      return undefined;
  }
}

/**
 * The whole URL; user information and credentials in its query are `REDACTED`, as the conventions have it. `redact` masks what else
 * shall be masked. Undefined for a request for a tunnel, which asks for no URL, and where no host is known.
 */
export function fullUrl(
  url: RequestUrl,
  redact: (text: string) => string = (text) => text,
): string | undefined {
  const { scheme, host, port, path, query } = url;
  if (host === undefined || path === '') {
    return undefined;
  }
  const address = host.includes(':') ? `[${host}]` : host;
  const portText = port === DEFAULT_PORTS[scheme] ? '' : `:${port}`;
  // `OPTIONS *` asks about the server as a whole.
  const pathText = path === '*' ? '' : path;
  const target = query === '' ? pathText : `${pathText}?${query}`;
  // The stars that it may put there are no better than those of credentials: both become the same word.
  const text = redacted(redact(`${scheme}://${address}${portText}${target}`));
  return url.hasUserinfo ? text.replace('://', '://REDACTED:REDACTED@') : text;
}

/** As `scrubTarget`, with a word in place of the stars, whose number would tell a length. */
function redacted(target: string): string {
  const places = findSecretsInTarget(target).sort((one, other) => one.index - other.index);
  let text = '';
  let done = 0;
  for (const { index, length } of places) {
    if (index >= done) {
      text += `${target.slice(done, index)}REDACTED`;
    }
    // They may overlap.
    done = Math.max(done, index + length);
  }
  return text + target.slice(done);
}
