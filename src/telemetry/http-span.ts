/**
 * What is said of an HTTP exchange that is no model call, by the stable conventions of HTTP clients.
 * https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/http/http-spans.md#http-client-span
 * https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/http/http-metrics.md#metric-httpclientrequestduration
 */
import type { Attributes } from '@opentelemetry/api';
import type { Exchange } from '../http/exchange.ts';
import { fullUrl, type RequestUrl, requestUrlOf } from '../http/request-url.ts';
import type { HttpPiece } from '../session/story.ts';
import { putPeer } from './call-attributes.ts';
import { putDamage } from './damage-attributes.ts';
import { Attr, type Conventions, ERROR_OTHER } from './semconv.ts';
import { put } from './span-description.ts';

/** What stands for any other method, and the name of its spans. */
const OTHER_METHOD = '_OTHER';
const OTHER_METHOD_NAME = 'HTTP';

/** The method alone: a path is of too many values, and no route of the server's is known. */
export function httpSpanName(piece: HttpPiece, conventions: Conventions): string {
  const method = knownMethod(piece, conventions);
  return method === OTHER_METHOD ? OTHER_METHOD_NAME : method;
}

/** The status where it is an error; `_OTHER` where the connection ended before the response did. */
export function httpErrorType({ exchange, isBroken }: HttpPiece): string | undefined {
  const status = exchange.response?.status ?? 0;
  if (status >= 400) {
    return String(status);
  }
  return isBroken ? ERROR_OTHER : undefined;
}

/** What spans and metrics have in common. */
export function httpLabels(piece: HttpPiece, conventions: Conventions): Attributes {
  const { exchange } = piece;
  const url = addressedUrl(exchange);
  const attributes: Attributes = {
    [Attr.httpRequestMethod]: knownMethod(piece, conventions),
    [Attr.networkProtocolName]: 'http',
    [Attr.networkProtocolVersion]: exchange.version,
  };
  put(attributes, Attr.serverAddress, url?.host);
  put(attributes, Attr.serverPort, url?.host === undefined ? undefined : url.port);
  put(attributes, Attr.urlScheme, url?.scheme);
  const status = exchange.response?.status ?? 0;
  put(attributes, Attr.httpResponseStatusCode, status === 0 ? undefined : status);
  put(attributes, Attr.errorType, httpErrorType(piece));
  return attributes;
}

export function httpAttributes(
  piece: HttpPiece,
  redact: (text: string) => string,
  conventions: Conventions,
): Attributes {
  const { exchange } = piece;
  const { request, response } = exchange;
  const attributes = httpLabels(piece, conventions);
  const method = request?.method ?? '';
  if (method !== '' && !conventions.knownHttpMethods.has(method)) {
    attributes[Attr.httpRequestMethodOriginal] = redact(method);
  }
  const url = addressedUrl(exchange);
  put(attributes, Attr.urlFull, url && fullUrl(url, redact));
  put(attributes, Attr.httpRequestBodySize, request?.bodyBytes);
  put(attributes, Attr.httpResponseBodySize, response?.bodyBytes);
  putPeer(attributes, exchange);
  putDamage(attributes, exchange.damage);
  return attributes;
}

/** Where the request names no server, it is the one that its bytes went to. */
function addressedUrl(exchange: Exchange): RequestUrl | undefined {
  const url = requestUrlOf(exchange);
  const peer = exchange.facts?.peer;
  if (url === undefined || url.host !== undefined || peer === undefined) {
    return url;
  }
  return { ...url, host: peer.address, port: peer.port };
}

function knownMethod({ exchange }: HttpPiece, { knownHttpMethods }: Conventions): string {
  const method = exchange.request?.method ?? '';
  return knownHttpMethods.has(method) ? method : OTHER_METHOD;
}
