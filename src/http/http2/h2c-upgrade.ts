/**
 * HTTP/2 on a connection that asked for it in HTTP/1.1.
 * RFC 7540 §3.2 (RFC 9113 §3.1 keeps it as history), https://www.rfc-editor.org/rfc/rfc7540#section-3.2
 */
import type { ConnectionParser } from '../../transport/connection.ts';
import type { Exchange } from '../exchange.ts';
import type { HttpContext } from '../http-options.ts';
import { listOf } from '../message-framing.ts';
import { createHttp2Connection } from './http2-connection.ts';

/** The parser of what follows a 101 that switched to h2c; undefined for any other exchange. */
export function createUpgradedParser(
  exchange: Exchange,
  context: HttpContext,
): ConnectionParser | undefined {
  const { request, response } = exchange;
  const isUpgrade =
    response?.status === 101 &&
    listOf(response.headers, 'upgrade').includes('h2c') &&
    (request === undefined || request.headers.get('http2-settings') !== undefined);
  if (!isUpgrade) {
    return undefined;
  }
  context.counters.http2Connections += 1;
  return createHttp2Connection(exchange.connection, context, { upgraded: exchange });
}
