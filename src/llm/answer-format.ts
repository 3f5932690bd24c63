/**
 * Tells by an answer's first bytes whether it is one JSON text or a stream of server-sent events: what the
 * Content-Type says is wrong too often, in both directions.
 */

export type AnswerFormat = 'json' | 'events' | 'other';

/** The fields of https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream */
const FIELDS = ['data:', 'event:', 'id:', 'retry:', 'data\n', 'data\r'] as const;

/** Enough to tell the longest of the fields. */
const MAX_FIELD_CHARS = 6;

const CURLY = 0x7b;
const SQUARE = 0x5b;
const COLON = 0x3a;

export interface FormatDetector {
  /** The format, as soon as the bytes so far tell it; call with more bytes until then. */
  push(bytes: Uint8Array): AnswerFormat | undefined;
  /** The format when no more bytes come. */
  end(): AnswerFormat;
}

export function createFormatDetector(contentType: string | undefined): FormatDetector {
  const isEventStream = /^\s*text\/event-stream/i.test(contentType ?? '');
  /** The beginning without white space and byte order mark, as latin1. */
  let head = '';

  function judge(isEnd: boolean): AnswerFormat | undefined {
    if (head.length === 0) {
      return isEnd ? (isEventStream ? 'events' : 'other') : undefined;
    }
    const first = head.charCodeAt(0);
    if (first === CURLY || first === SQUARE) {
      return 'json';
    }
    if (first === COLON || isEventStream) {
      return 'events';
    }
    const fits = FIELDS.some((field) => head.startsWith(field));
    if (fits) {
      return 'events';
    }
    const couldFit = FIELDS.some((field) => field.startsWith(head));
    return couldFit && !isEnd ? undefined : 'other';
  }

  return {
    push(bytes) {
      for (const byte of bytes) {
        const isBlank = byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
        const isMark = byte === 0xef || byte === 0xbb || byte === 0xbf;
        if (head.length > 0 || !(isBlank || isMark)) {
          head += String.fromCharCode(byte);
        }
        if (head.length >= MAX_FIELD_CHARS) {
          break;
        }
      }
      return judge(false);
    },
    end: () => judge(true) ?? 'other',
  };
}
