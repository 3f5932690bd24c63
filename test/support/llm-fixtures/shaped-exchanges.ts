/**
 * Exchanges in `test/fixtures/exchanges`: their members, the order of their events and the formats of their numbers are
 * those that the file named in `shape` has recorded of the service, or, where that is a file of the service's own SDK,
 * describes; texts, ids, names and counts are of our own.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { awsEvent } from '../aws-event-stream.ts';
import type { Conversation } from '../secrets/conversations.ts';
import { FORM_HEADERS, formOf } from './media-fixtures.ts';

/** What must come out of the whole chain, as the file of OTLP JSON lines has it. */
export interface ShapedTelemetry {
  span: unknown;
  events: unknown[];
  metrics: unknown[];
}

export interface ShapedExchange {
  name: string;
  /** Project, file and licence of the recording, or of the SDK. */
  shape: string;
  host: string;
  target: string;
  status: number;
  contentType: string;
  responseHeaders?: Readonly<Record<string, string>>;
  /** Written one by one. */
  response?: string[];
  /** The same in base64, of a body that is no text. */
  responseBytes?: string[];
  /** Messages of an event stream of AWS: name and body. */
  events?: [name: string, body: unknown][];
  /** Their bodies are chunks of InvokeModelWithResponseStream. */
  isWrapped?: boolean;
  /** The connection ends behind the last piece. */
  isCut?: boolean;
  /** JSON; of a form its fields. */
  request: unknown;
  /** Name of the file that is uploaded, where the request is a form. */
  file?: string;
  expected?: ShapedTelemetry;
}

const DIRECTORY = new URL('../../fixtures/exchanges/', import.meta.url);

/** Path and exchanges of each file. */
export function readShapedExchanges(): { name: string; path: string; list: ShapedExchange[] }[] {
  return readdirSync(DIRECTORY).map((file) => {
    const path = fileURLToPath(new URL(file, DIRECTORY));
    const list = JSON.parse(readFileSync(path, 'utf8')) as ShapedExchange[];
    return { name: file.slice(0, -'.json'.length), path, list };
  });
}

/** Both sides' bytes in HTTP/1.1. */
export function conversationOf(exchange: ShapedExchange): Conversation {
  const { host, target, status, contentType, responseHeaders, request, file } = exchange;
  const isForm = file !== undefined;
  const body = Buffer.from(
    isForm ? formOf(request as Record<string, string>, file) : JSON.stringify(request),
  );
  const asked = [
    `POST ${target} HTTP/1.1`,
    `Host: ${host}`,
    `Content-Type: ${isForm ? FORM_HEADERS['Content-Type'] : 'application/json'}`,
    `Content-Length: ${body.length}`,
  ];
  const answered = [
    `HTTP/1.1 ${status} Said`,
    `Content-Type: ${contentType}`,
    ...Object.entries(responseHeaders ?? {}).map(([name, value]) => `${name}: ${value}`),
    'Transfer-Encoding: chunked',
  ];
  const chunks = piecesOf(exchange).map((piece) =>
    Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]),
  );
  const end = exchange.isCut === true ? '' : '0\r\n\r\n';
  return {
    request: Buffer.concat([Buffer.from(`${asked.join('\r\n')}\r\n\r\n`), body]),
    response: Buffer.concat([
      Buffer.from(`${answered.join('\r\n')}\r\n\r\n`),
      ...chunks,
      Buffer.from(end),
    ]),
  };
}

function piecesOf({
  response = [],
  responseBytes = [],
  events = [],
  isWrapped,
}: ShapedExchange): Buffer[] {
  const messages = events.map(([name, body]) => {
    const bytes = Buffer.from(JSON.stringify(body)).toString('base64');
    return awsEvent(name, isWrapped === true ? { bytes } : body);
  });
  return [
    ...response.map((piece) => Buffer.from(piece)),
    ...responseBytes.map((piece) => Buffer.from(piece, 'base64')),
    ...messages,
  ];
}
