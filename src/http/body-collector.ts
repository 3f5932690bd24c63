/** Keeps the decoded bodies of exchanges, each up to a limit, for whoever shows whole exchanges to people. */
import type {
  BodySink,
  Exchange,
  ExchangeHandler,
  ExchangeObserver,
  ResponseMessage,
} from './exchange.ts';

/** The beginning of a body, up to the limit and to the first hole. */
export interface CollectedBody {
  bytes: Uint8Array;
  /** Decoded bytes that were seen and not kept. */
  cutBytes: number;
  /** Bytes are missing, or the body broke off. */
  isWhole: boolean;
}

export interface CollectedBodies {
  request?: CollectedBody;
  response?: CollectedBody;
}

export interface BodyCollectorOptions {
  /** The stage that reads the exchanges; it gets everything as if nobody collected. */
  next: ExchangeHandler;
  /** Bytes kept of one body. */
  maxBytes: number;
  onEnd(exchange: Exchange, bodies: CollectedBodies, timeNs: bigint): void;
}

/** A handler that passes everything on to `next` and collects on the way. */
export function collectBodies(options: BodyCollectorOptions): ExchangeHandler {
  return (exchange) => {
    const observer = options.next(exchange);
    const request = createCollector(options.maxBytes);
    const response = createCollector(options.maxBytes);
    const collecting: ExchangeObserver = {
      requestBody: both(request.sink, observer?.requestBody),
      response: (message: ResponseMessage) => both(response.sink, observer?.response?.(message)),
      end(ended, timeNs) {
        observer?.end?.(ended, timeNs);
        const bodies: CollectedBodies = {};
        if (ended.request !== undefined) {
          bodies.request = request.body();
        }
        if (ended.response !== undefined) {
          bodies.response = response.body();
        }
        options.onEnd(ended, bodies, timeNs);
      },
    };
    return collecting;
  };
}

function createCollector(maxBytes: number): { sink: BodySink; body(): CollectedBody } {
  const parts: Uint8Array[] = [];
  let keptBytes = 0;
  let cutBytes = 0;
  let isBroken = false;
  let isComplete = false;
  const sink: BodySink = {
    data(bytes) {
      const room = isBroken ? 0 : Math.min(bytes.length, maxBytes - keptBytes);
      if (room > 0) {
        // A Buffer's own slice would be a view of memory that is only lent.
        parts.push(Uint8Array.prototype.slice.call(bytes, 0, room));
        keptBytes += room;
      }
      cutBytes += bytes.length - room;
    },
    gap() {
      isBroken = true;
    },
    end(complete) {
      isComplete = complete;
    },
  };
  return {
    sink,
    body: () => ({ bytes: Buffer.concat(parts), cutBytes, isWhole: isComplete && !isBroken }),
  };
}

function both(first: BodySink, second: BodySink | undefined): BodySink {
  if (second === undefined) {
    return first;
  }
  return {
    data(bytes, timeNs) {
      first.data(bytes, timeNs);
      second.data(bytes, timeNs);
    },
    gap(timeNs) {
      first.gap(timeNs);
      second.gap(timeNs);
    },
    end(complete, timeNs) {
      first.end(complete, timeNs);
      second.end(complete, timeNs);
    },
  };
}
