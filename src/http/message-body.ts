/** One message's body on its way to the observer: content decoding, holes, and the end. */
import type { DecodedPiece } from '../capture/events.ts';
import type { ChunkTime } from '../transport/connection.ts';
import { Damage } from '../util/damage.ts';
import { createContentDecoder, type DecodeOutcome, type StreamDecoder } from './content-decoder.ts';
import type { DecodingScanner } from './decoding-scanner.ts';
import type { BodySink } from './exchange.ts';
import { createHttpCounters, type HttpContext } from './http-options.ts';

export interface MessageBody {
  /** Somebody looks at it: it is not decoded for a recording alone. */
  readonly isWanted: boolean;
  data(bytes: Uint8Array, at: ChunkTime, position: number): void;
  gap(timeNs: bigint): void;
  end(complete: boolean, timeNs: bigint): void;
}

export interface MessageBodyOptions {
  /** Who looks at it; absent: nobody. */
  sink: BodySink | undefined;
  /** In the order they were applied. */
  codings: readonly string[];
  http: Pick<HttpContext, 'limits' | 'counters'>;
  /** What goes wrong is added before the sink hears of it. */
  damage: Damage;
  /** Searches what an encoded body decodes to. */
  scanner?: DecodingScanner | undefined;
}

const NOBODY: BodySink = { data() {}, gap() {}, end() {} };

/** Undefined when nobody needs one. */
export function createMessageBody(options: MessageBodyOptions): MessageBody | undefined {
  const { sink, codings, http, damage, scanner } = options;
  if (isEncoded(codings) && sink !== undefined) {
    return createDecodedBody(sink, codings, http, damage, scanner);
  }
  if (isEncoded(codings) && scanner !== undefined) {
    // What goes wrong with it concerns nobody.
    const own = { limits: http.limits, counters: createHttpCounters() };
    return { ...createDecodedBody(NOBODY, codings, own, new Damage(), scanner), isWanted: false };
  }
  return sink && createPlainBody(sink);
}

export function isEncoded(codings: readonly string[]): boolean {
  return codings.some((coding) => coding !== 'identity');
}

function createPlainBody(sink: BodySink): MessageBody {
  let isEnded = false;
  return {
    isWanted: true,
    data(bytes, at) {
      if (!isEnded) {
        sink.data(bytes, at.timeNs);
      }
    },
    gap(timeNs) {
      if (!isEnded) {
        sink.gap(timeNs);
      }
    },
    end(complete, timeNs) {
      if (!isEnded) {
        isEnded = true;
        sink.end(complete, timeNs);
      }
    },
  };
}

function createDecodedBody(
  sink: BodySink,
  codings: readonly string[],
  http: MessageBodyOptions['http'],
  damage: Damage,
  scanner: DecodingScanner | undefined,
): MessageBody {
  let nowNs = 0n;
  let hasInput = false;
  let isEnded = false;
  /** A recording had what it decodes to: the decoder has not seen it. */
  let isGiven = false;
  let decoder: StreamDecoder | undefined = createContentDecoder(codings, http.limits, (bytes) => {
    scanner?.content(bytes);
    sink.data(bytes, nowNs);
  });
  const isUnknown = decoder === undefined;
  const applied = codings.filter((coding) => coding !== 'identity' && coding !== '');
  const isTooMany = applied.length > http.limits.maxContentEncodings;

  function stop(): void {
    decoder?.dispose();
    decoder = undefined;
  }

  function fail(outcome: DecodeOutcome, timeNs: bigint): void {
    http.counters.decodeLimits += outcome === 'limit' ? 1 : 0;
    damage.add(outcome === 'limit' ? 'limit' : 'decode-error');
    stop();
    sink.gap(timeNs);
  }

  function decode(bytes: Uint8Array, position: number): DecodeOutcome {
    scanner?.begin(position, bytes.length);
    const outcome = decoder?.push(bytes) ?? 'ok';
    scanner?.outcome(outcome);
    return outcome;
  }

  function take(bytes: Uint8Array, at: ChunkTime, position: number): DecodeOutcome {
    isGiven = true;
    return takeDecoded(at.decoded ?? [], position, bytes.length, (content) =>
      sink.data(content, nowNs),
    );
  }

  return {
    isWanted: true,
    data(bytes, at, position) {
      if (isEnded) {
        scanner?.unread(position, bytes.length);
        return;
      }
      const { timeNs, decoded } = at;
      if (decoder === undefined) {
        scanner?.unread(position, bytes.length);
        if (isUnknown && !hasInput) {
          // An encoding we do not know, or too many: that counts, once, when there is something to miss.
          hasInput = true;
          fail(isTooMany ? 'limit' : 'corrupt', timeNs);
        }
        return;
      }
      hasInput = true;
      nowNs = timeNs;
      const outcome = decoded === undefined ? decode(bytes, position) : take(bytes, at, position);
      if (outcome !== 'ok') {
        fail(outcome, timeNs);
        scanner?.end('ok');
      }
    },
    gap(timeNs) {
      if (!isEnded && (decoder !== undefined || !hasInput)) {
        hasInput = true;
        stop();
        scanner?.end('ok');
        sink.gap(timeNs);
      }
    },
    end(complete, timeNs) {
      if (isEnded) {
        return;
      }
      isEnded = true;
      let outcome: DecodeOutcome = 'ok';
      // An empty body that claims an encoding (a HEAD or 304 answer, a 0-byte one) is no contradiction.
      if (decoder !== undefined && hasInput && complete) {
        nowNs = timeNs;
        outcome = isGiven ? 'ok' : decoder.finish();
        if (outcome === 'corrupt') {
          // Without its end, but nothing is missing within what it decoded to: it broke off.
          damage.add('decode-error');
        } else if (outcome === 'limit') {
          fail(outcome, timeNs);
        }
      }
      stop();
      scanner?.end(outcome);
      sink.end(complete && outcome !== 'corrupt', timeNs);
    },
  };
}

/**
 * Hands out what a recording has in the place of these compressed bytes. Of those it has nothing for, it had to overwrite
 * more than it should: that is a limit of ours.
 */
export function takeDecoded(
  pieces: readonly DecodedPiece[],
  position: number,
  length: number,
  emit: (content: Uint8Array) => void,
): DecodeOutcome {
  let outcome: DecodeOutcome = 'limit';
  for (const piece of pieces) {
    if (piece.position === position && piece.length === length) {
      if (piece.content.length > 0) {
        emit(piece.content);
      }
      outcome = piece.outcome;
    }
  }
  return outcome;
}
