/**
 * Tells by an answer's first bytes whether it is one JSON text or a stream of records, and of which framing: what
 * the Content-Type says is wrong too often, in both directions.
 */
import {
  createStreamFormatDetector,
  type StreamFormat,
  streamFormatOf,
} from '../http/stream-format.ts';
import type { RecordFormat } from '../http/stream-reader.ts';

/** One JSON text, a stream of records, or nothing that a model's answer could be. */
export type AnswerFormat = 'json' | RecordFormat | 'other';

/**
 * What a body is to a wire API, by what it looks like: a body that begins with `[` is a list of records to one API
 * and an error in a list to another.
 */
export type FormatChoice = (seen: StreamFormat) => AnswerFormat;

/** For APIs that answer with one JSON text or with server-sent events. */
export const jsonOrEvents: FormatChoice = (seen) => {
  switch (seen) {
    case 'sse':
      return 'sse';
    case 'json':
    case 'json-array':
    case 'ndjson':
      return 'json';
    default:
      return 'other';
  }
};

export interface FormatDetector {
  /** The format, as soon as the bytes so far tell it; call with more bytes until then. */
  push(bytes: Uint8Array): AnswerFormat | undefined;
  /** The format when no more bytes come. */
  end(): AnswerFormat;
}

/** `contentType` is the header's value. */
export function createFormatDetector(
  contentType: string | undefined,
  choose: FormatChoice,
): FormatDetector {
  const detector = createStreamFormatDetector(contentType);
  return {
    push(bytes) {
      const seen = detector.push(bytes);
      return seen && choose(seen);
    },
    end() {
      const seen = detector.end();
      if (seen !== 'empty') {
        return choose(seen);
      }
      const declared = declaredFormat(contentType);
      return choose(declared === undefined || declared === 'other' ? 'empty' : declared);
    },
  };
}

/** A byte that no format begins with: what is told of it is what the header says. */
const ANY_BYTE: Uint8Array = Buffer.from('x');

/** What the Content-Type alone says of a body without bytes. */
function declaredFormat(contentType: string | undefined): StreamFormat | undefined {
  return streamFormatOf(contentType, ANY_BYTE);
}
