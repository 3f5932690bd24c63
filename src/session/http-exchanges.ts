/** Finds the place of HTTP exchanges that are no model calls: below the process or the turn they happened in. */
import type { Exchange } from '../http/exchange.ts';
import type { Process } from '../process/process.ts';
import type { Counters } from '../self/counters.ts';
import type { SessionLimits } from './limits.ts';
import { deriveSpanId, deriveTraceId, exchangeIdentity } from './span-ids.ts';
import type { HttpPiece, StorySink, Workload } from './story.ts';
import { parseTraceparent } from './traceparent.ts';
import type { ProcessSpan, Turn } from './turn.ts';

/** Which exchanges are told: of no process, of processes in an agent's tree, of every process. */
export type HttpSpans = 'off' | 'agents' | 'all';

export interface HttpExchanges {
  /** The request is known. It belongs where its process is at this time. Returns whether it will be told, as far as is known. */
  began(exchange: Exchange): boolean;
  /** It is over, and was no model call. `isGivenUp`: observation of it ended, whatever became of it. */
  ended(exchange: Exchange, isGivenUp: boolean): void;
}

export interface HttpExchangesOptions {
  which: HttpSpans;
  sink: StorySink;
  /** Gets exchanges that make no span, because there are too many: they are measured all the same. */
  onLeftOut(piece: HttpPiece): void;
  limits: SessionLimits;
  bootId(): string;
  processOf(exchange: Exchange): Process;
  workloadOf(process: Process): Workload;
  placeOf(process: Process): Turn | ProcessSpan | undefined;
  onLimit(limit: keyof SessionLimits): void;
  counters: Counters;
}

export function createHttpExchanges(options: HttpExchangesOptions): HttpExchanges {
  const { which, limits } = options;
  // Weak: known as long as the exchange is under way.
  const places = new WeakMap<Exchange, Turn | ProcessSpan>();

  function began(exchange: Exchange): boolean {
    if (which === 'off' || exchange.role !== 'client') {
      return false;
    }
    const process = options.processOf(exchange);
    const place = options.placeOf(process);
    if (place !== undefined) {
      places.set(exchange, place);
    }
    return which === 'all' || (place?.workload ?? options.workloadOf(process)).isAgent;
  }

  function ended(exchange: Exchange, isGivenUp: boolean): void {
    if (which === 'off' || exchange.role !== 'client') {
      return;
    }
    const process = options.processOf(exchange);
    const place = places.get(exchange);
    const workload = place?.workload ?? options.workloadOf(process);
    if (which === 'agents' && !workload.isAgent) {
      return;
    }
    if (exchange.request === undefined) {
      // A response alone says neither what was asked for nor of whom.
      options.counters.counter('sightline.http_unknown_requests', {}).add();
      return;
    }
    const piece = describe(exchange, exchange.request.startNs, process, workload, place);
    piece.isBroken = !isGivenUp && isCutShort(exchange);
    if (place === undefined || place.exchangeCount < limits.maxExchangesPerParent) {
      if (place !== undefined) {
        place.exchangeCount += 1;
      }
      options.sink(piece);
      return;
    }
    place.exchangesLeftOut += 1;
    options.onLimit('maxExchangesPerParent');
    options.onLeftOut(piece);
  }

  function describe(
    exchange: Exchange,
    startNs: bigint,
    process: Process,
    workload: Workload,
    place: Turn | ProcessSpan | undefined,
  ): HttpPiece {
    const identity = exchangeIdentity(options.bootId(), exchange);
    const { request, response } = exchange;
    const remote = parseTraceparent(request?.headers.get('traceparent'));
    const isOtherTrace = remote !== undefined && remote.traceId !== place?.ids.traceId;
    const parent = isOtherTrace ? remote : place?.ids;
    const endNs = response?.endNs ?? request?.endNs ?? startNs;
    return {
      kind: 'http',
      ids: {
        traceId: parent?.traceId ?? deriveTraceId(identity),
        spanId: deriveSpanId('http', identity),
        ...(parent && { parentSpanId: parent.spanId }),
      },
      workload,
      process,
      exchange,
      startNs,
      endNs: endNs > startNs ? endNs : startNs,
      isBroken: false,
      ...(place && { place: { kind: 'process' in place ? 'process' : 'turn', ids: place.ids } }),
    };
  }

  return { began, ended };
}

/** Its connection or stream ended before the response did; and nothing says that the end may only have been missed. */
function isCutShort({ damage: { kinds } }: Exchange): boolean {
  const mayBeMissed = kinds.has('gap') || kinds.has('limit') || kinds.has('joined-midway');
  return kinds.has('truncated') && !mayBeMissed;
}
