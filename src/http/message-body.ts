/** One message's body on its way to the observer: content decoding, holes, and the end. */
import type { Damage } from '../util/damage.ts';
import { createContentDecoder, type DecodeOutcome, type StreamDecoder } from './content-decoder.ts';
import type { BodySink } from './exchange.ts';
import type { HttpContext } from './http-options.ts';

export interface MessageBody {
  data(bytes: Uint8Array, timeNs: bigint): void;
  gap(timeNs: bigint): void;
  end(complete: boolean, timeNs: bigint): void;
}

/** `codings` in the order they were applied. What goes wrong is added to `damage` before the sink hears of it. */
export function createMessageBody(
  sink: BodySink,
  codings: readonly string[],
  http: Pick<HttpContext, 'limits' | 'counters'>,
  damage: Damage,
): MessageBody {
  const isEncoded = codings.some((coding) => coding !== 'identity');
  return isEncoded ? createDecodedBody(sink, codings, http, damage) : createPlainBody(sink);
}

function createPlainBody(sink: BodySink): MessageBody {
  let isEnded = false;
  return {
    data(bytes, timeNs) {
      if (!isEnded) {
        sink.data(bytes, timeNs);
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
  http: Pick<HttpContext, 'limits' | 'counters'>,
  damage: Damage,
): MessageBody {
  let nowNs = 0n;
  let hasInput = false;
  let isEnded = false;
  let decoder: StreamDecoder | undefined = createContentDecoder(codings, http.limits, (bytes) => {
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

  return {
    data(bytes, timeNs) {
      if (isEnded) {
        return;
      }
      if (decoder === undefined) {
        if (isUnknown && !hasInput) {
          // An encoding we do not know, or too many: that counts, once, when there is something to miss.
          hasInput = true;
          fail(isTooMany ? 'limit' : 'corrupt', timeNs);
        }
        return;
      }
      hasInput = true;
      nowNs = timeNs;
      const outcome = decoder.push(bytes);
      if (outcome !== 'ok') {
        fail(outcome, timeNs);
      }
    },
    gap(timeNs) {
      if (!isEnded && (decoder !== undefined || !hasInput)) {
        hasInput = true;
        stop();
        sink.gap(timeNs);
      }
    },
    end(complete, timeNs) {
      if (isEnded) {
        return;
      }
      isEnded = true;
      // An empty body that claims an encoding (a HEAD or 304 answer, a 0-byte one) is no contradiction.
      if (decoder !== undefined && hasInput && complete) {
        nowNs = timeNs;
        const outcome = decoder.finish();
        if (outcome !== 'ok') {
          fail(outcome, timeNs);
        }
      }
      stop();
      sink.end(complete, timeNs);
    },
  };
}
