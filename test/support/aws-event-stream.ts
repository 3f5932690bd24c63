/** Messages of vnd.amazon.eventstream, written by the codec of the AWS SDK. */
import { EventStreamCodec } from '@smithy/eventstream-codec';

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes as Uint8Array).toString('utf8'),
  (text) => Buffer.from(text, 'utf8'),
);

function message(headers: Readonly<Record<string, string>>, body: unknown): Buffer {
  const typed = Object.entries({ ':content-type': 'application/json', ...headers }).map(
    ([name, value]) => [name, { type: 'string', value }] as const,
  );
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return Buffer.from(codec.encode({ headers: Object.fromEntries(typed), body: Buffer.from(text) }));
}

/** `body` is written as JSON unless it is a text. */
export function awsEvent(type: string, body: unknown): Buffer {
  return message({ ':event-type': type, ':message-type': 'event' }, body);
}

export function awsException(type: string, text: string): Buffer {
  return message({ ':exception-type': type, ':message-type': 'exception' }, { message: text });
}
