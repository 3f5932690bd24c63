/** One face for the formats that stream records: whatever the framing, each record is a name and a text. */
import { createAwsEventStreamDecoder } from './aws-event-stream.ts';
import type { BodySink } from './exchange.ts';
import { createJsonArrayDecoder } from './json-array-decoder.ts';
import { createNdjsonDecoder } from './ndjson-decoder.ts';
import { createSseDecoder } from './sse-decoder.ts';
import type { StreamFormat } from './stream-format.ts';

export type RecordFormat = Extract<
  StreamFormat,
  'sse' | 'ndjson' | 'json-array' | 'aws-event-stream'
>;

export interface StreamRecord {
  /**
   * Server-sent events: the event's name, `message` when it has none. AWS: the `:event-type`, or the
   * `:exception-type` or `:error-code` of a failure. Otherwise empty.
   */
  name: string;
  /** JSON where the sender keeps to it: the data, the line, the element, the payload. */
  text: string;
  /** AWS only: the service says that it failed. */
  isException: boolean;
  /** False for a last record whose end was not seen. */
  complete: boolean;
}

export interface StreamReaderOptions {
  /** `timeNs` of the bytes that completed the record. */
  onRecord(record: StreamRecord, timeNs: bigint): void;
  /** A record was too large and is skipped (`limit`), or the bytes contradict the format (`decode-error`). */
  onDamage(kind: 'limit' | 'decode-error', timeNs: bigint): void;
  /** Largest record; absent: each format's default. */
  maxRecordBytes?: number;
}

export function createStreamReader(format: RecordFormat, options: StreamReaderOptions): BodySink {
  const { onRecord, maxRecordBytes } = options;
  const onLimit = (timeNs: bigint): void => options.onDamage('limit', timeNs);
  const onCorrupt = (timeNs: bigint): void => options.onDamage('decode-error', timeNs);

  function unnamed(record: { text: string; complete: boolean }, timeNs: bigint): void {
    const { text, complete } = record;
    onRecord({ name: '', text, isException: false, complete }, timeNs);
  }

  switch (format) {
    case 'sse':
      return createSseDecoder({
        onEvent: ({ event, data, complete }, timeNs) =>
          onRecord({ name: event, text: data, isException: false, complete }, timeNs),
        onLimit,
        ...(maxRecordBytes === undefined ? {} : { maxEventBytes: maxRecordBytes }),
      });
    case 'ndjson':
      return createNdjsonDecoder({
        onLine: unnamed,
        onLimit,
        ...(maxRecordBytes === undefined ? {} : { maxLineBytes: maxRecordBytes }),
      });
    case 'json-array':
      return createJsonArrayDecoder({
        onElement: unnamed,
        onLimit,
        onInvalid: onCorrupt,
        ...(maxRecordBytes === undefined ? {} : { maxElementBytes: maxRecordBytes }),
      });
    case 'aws-event-stream':
      return createAwsEventStreamDecoder({
        onMessage({ headers, payload }, timeNs) {
          const text = (name: string): string | undefined => {
            const header = headers.get(name);
            return header?.type === 'string' ? header.value : undefined;
          };
          const failure = text(':exception-type') ?? text(':error-code');
          const type = text(':message-type') ?? 'event';
          onRecord(
            {
              name: failure ?? text(':event-type') ?? '',
              text: Buffer.from(payload).toString('utf8'),
              isException: failure !== undefined || type !== 'event',
              complete: true,
            },
            timeNs,
          );
        },
        onLimit,
        onCorrupt,
        ...(maxRecordBytes === undefined ? {} : { maxMessageBytes: maxRecordBytes }),
      });
  }
}
