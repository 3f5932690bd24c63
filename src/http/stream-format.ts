/**
 * Tells what a body is framed in, by its Content-Type and its first bytes: either alone is wrong too often
 * (`application/json` bodies that are event streams, and the reverse).
 */
import { isAwsPrelude } from './aws-event-stream.ts';

/**
 * - `sse`: server-sent events. `ndjson`: a JSON text a line. `aws-event-stream`: vnd.amazon.eventstream.
 * - `json-array`: a JSON text that is an array, whose elements may come one by one. `json`: any other JSON text.
 * - `multipart`: form data. `empty`: nothing but white space. `other`: none of these.
 */
export type StreamFormat =
  | 'sse'
  | 'ndjson'
  | 'aws-event-stream'
  | 'json-array'
  | 'json'
  | 'multipart'
  | 'empty'
  | 'other';

export interface StreamFormatDetector {
  /** The format, as soon as the bytes so far tell it; to be called with more bytes until then. */
  push(bytes: Uint8Array): StreamFormat | undefined;
  /** The format when no more bytes come. */
  end(): StreamFormat;
}

/** The fields of https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream */
const FIELDS = ['data:', 'event:', 'id:', 'retry:', 'data\n', 'data\r'] as const;
const NDJSON_TYPES: ReadonlySet<string> = new Set([
  'application/x-ndjson',
  'application/ndjson',
  'application/jsonl',
  'application/x-jsonl',
  'application/jsonlines',
  'application/x-jsonlines',
  'application/json-lines',
  'application/stream+json',
]);

/** An AWS prelude; the longest of the fields is shorter. */
const MAX_JUDGED_BYTES = 12;
const COLON = 0x3a;
const OPEN_SQUARE = 0x5b;
const OPEN_CURLY = 0x7b;

type Declared = 'sse' | 'ndjson' | 'aws-event-stream' | 'multipart' | 'other';

/** `contentType` is the header's value. */
export function createStreamFormatDetector(contentType: string | undefined): StreamFormatDetector {
  const declared = declaredFormat(contentType);
  /** The beginning, without white space and byte order mark. */
  const head = Buffer.alloc(MAX_JUDGED_BYTES);
  let headBytes = 0;

  function judge(isEnd: boolean): StreamFormat | undefined {
    if (headBytes === 0) {
      return isEnd ? 'empty' : undefined;
    }
    if (declared === 'multipart') {
      return 'multipart';
    }
    const first = head[0];
    if (first === OPEN_CURLY || first === OPEN_SQUARE) {
      return declared === 'ndjson' ? 'ndjson' : first === OPEN_CURLY ? 'json' : 'json-array';
    }
    if (declared === 'aws-event-stream' || declared === 'sse' || first === COLON) {
      return declared === 'aws-event-stream' ? declared : 'sse';
    }
    return judgeUndeclared(isEnd);
  }

  function judgeUndeclared(isEnd: boolean): StreamFormat | undefined {
    const text = head.toString('latin1', 0, headBytes);
    if (FIELDS.some((field) => text.startsWith(field))) {
      return 'sse';
    }
    // Messages of 32 MiB and more are not allowed: the first byte of a prelude is 0 or 1.
    const mayBePrelude = (head[0] as number) <= 1;
    if (mayBePrelude && headBytes === MAX_JUDGED_BYTES && isAwsPrelude(head)) {
      return 'aws-event-stream';
    }
    const mayFit = mayBePrelude
      ? headBytes < MAX_JUDGED_BYTES
      : FIELDS.some((field) => field.startsWith(text));
    return mayFit && !isEnd ? undefined : 'other';
  }

  return {
    push(bytes) {
      for (let index = 0; index < bytes.length && headBytes < MAX_JUDGED_BYTES; index += 1) {
        const byte = bytes[index] as number;
        if (headBytes > 0 || !isSkippable(byte)) {
          head[headBytes] = byte;
          headBytes += 1;
        }
      }
      return judge(false);
    },
    end: () => judge(true) ?? 'other',
  };
}

/** As `createStreamFormatDetector` for a beginning that is at hand; undefined when it is too short to tell. */
export function streamFormatOf(
  contentType: string | undefined,
  firstBytes: Uint8Array,
): StreamFormat | undefined {
  return createStreamFormatDetector(contentType).push(firstBytes);
}

function declaredFormat(contentType: string | undefined): Declared {
  const type = ((contentType ?? '').split(';')[0] as string).trim().toLowerCase();
  if (type === 'text/event-stream') {
    return 'sse';
  }
  if (type === 'application/vnd.amazon.eventstream') {
    return 'aws-event-stream';
  }
  if (type.startsWith('multipart/')) {
    return 'multipart';
  }
  return NDJSON_TYPES.has(type) ? 'ndjson' : 'other';
}

/** White space and the bytes of a byte order mark. */
function isSkippable(byte: number): boolean {
  const isBlank = byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
  return isBlank || byte === 0xef || byte === 0xbb || byte === 0xbf;
}
