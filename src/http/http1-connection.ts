/**
 * One HTTP/1.x connection: requests and responses read apart, matched in order, and reported as exchanges.
 * RFC 9112 §9, https://www.rfc-editor.org/rfc/rfc9112#section-9
 *
 * Responses carry nothing that names their request, so after a loss the order alone must not be trusted:
 *
 * - A client that does not pipeline sends a request only when all earlier responses are over. So a new request
 *   settles what is still open after a loss: the older exchanges get nothing more.
 * - A client pipelines when response bytes without a hole follow a request that began before the last response
 *   was over. Until such bytes arrive, a loss not yet noticed is just as likely.
 * - The first bytes lost after a request are its response's head. A head found later is another response's,
 *   unless an interim response (100 Continue) may have been what was lost.
 * - With pipelining, a loss leaves the order unknown for good: requests and responses are then reported apart.
 */
import type { ConnectionRef, Direction } from '../capture/events.ts';
import { NEVER_COPY } from '../capture/verdict.ts';
import type { ChunkTime, ConnectionParser } from '../transport/connection.ts';
import { Damage, type DamageKind } from '../util/damage.ts';
import { createEncodedScanner, createPlainScanner } from './body-scanners.ts';
import type { DecodingScanner } from './decoding-scanner.ts';
import {
  type BodySink,
  type Exchange,
  type ExchangeObserver,
  type HeaderField,
  Headers,
  type MessageBase,
} from './exchange.ts';
import { withFormParts } from './form-parts.ts';
import type { ParsedHead } from './head.ts';
import type { HttpContext } from './http-options.ts';
import { createMessageBody, isEncoded, type MessageBody } from './message-body.ts';
import { type BodyFraming, frameRequest, frameResponse, listOf } from './message-framing.ts';
import { createMessageReader, type LostCause, type MessageReader } from './message-reader.ts';
import { judgeBody, judgeForeign } from './verdicts.ts';

/** An exchange that is not over. */
interface OpenExchange {
  readonly exchange: Exchange;
  observer: ExchangeObserver | undefined;
  isHandled: boolean;
  isRequestOver: boolean;
  isResponseOver: boolean;
  /** Its request (response) was lost from some point on, which explains that it is not complete. */
  isRequestLost: boolean;
  isResponseLost: boolean;
  /** Requests may have been lost between the one before and this one, while responses were owed. */
  isAfterLostRequests: boolean;
  /** A request was lost before this one and no response to it was seen: it may have been lost too. */
  isAfterUnanswered: boolean;
  /** A loss found next in the response direction can be of the exchanges before it. */
  isLossExplained: boolean;
  /** Bytes lost so, which were its own if no response comes. */
  unplacedBytes: number;
  /** Its response was seen, but that it is its own is an inference (or its request was not seen). */
  isPairInferred: boolean;
  requestBody: MessageBody | undefined;
  responseBody: MessageBody | undefined;
  isEnded: boolean;
}

/** How a connection began to be observed. */
export interface Beginning {
  /** Bytes came first that belong to no message seen, or a response without its request. */
  joinedMidway: boolean;
  /** Bytes lost in the request direction before the first message seen. */
  lostRequestBytes: number;
}

export function createHttp1Connection(
  connection: ConnectionRef,
  requestDirection: Direction,
  context: HttpContext,
  beginning: Beginning,
): ConnectionParser {
  const { limits, counters } = context;
  const role = requestDirection === 'write' ? 'client' : 'server';
  const responseDirection: Direction = requestDirection === 'write' ? 'read' : 'write';
  let ordinal = 0;
  /** The exchange whose request is being read. */
  let sending: OpenExchange | undefined;
  /** The exchange whose response is being read, or was when it got lost. */
  let receiving: OpenExchange | undefined;
  /** Exchanges whose final response head has not come, in the order of their requests. */
  let awaiting: OpenExchange[] = [];
  let isInterim = false;
  let isPipelining = false;
  /** A request began before the last response was over: pipelining, or a loss not yet noticed. */
  let mayBePipelining = false;
  /** The newest request was sent when no other waited for its response. */
  let isAlone = true;
  /** Requests and responses of this connection can no longer be matched. */
  let isUnmatched = false;
  let hasLostRequests = beginning.lostRequestBytes > 0;
  /** A request was lost from its first byte on, and no response that could be its has come. */
  let hasUnanswered = beginning.lostRequestBytes > 0;
  /** An exchange was ended as idle, whose response may have been lost since. */
  let hasTimedOut = false;
  /** A response came without its request, since the last request: a loss noticed later explains it. */
  let hasUnexplainedResponse = false;
  let tunnel: ConnectionParser | undefined;
  let isTunnel = false;
  /** The tunnel's parser has had bytes of this direction: it releases them from then on. */
  const isTunnelled = { read: false, write: false };
  /** Position after the last byte seen. */
  const ends = { read: 0, write: 0 };
  /** The body being read is not encoded, so that its text can be searched for keys. */
  let isRequestScanned = false;
  let isResponseScanned = false;
  const requestPlace = { connection, direction: requestDirection, isAnswer: false };
  const responsePlace = { connection, direction: responseDirection, isAnswer: true };
  const requestScanner = createPlainScanner(requestPlace, context);
  const responseScanner = createPlainScanner(responsePlace, context);
  /** Of the newest encoded body. */
  const decodingScanners: Partial<Record<Direction, DecodingScanner | undefined>> = {};

  /** The newest exchanges whose bodies were judged, when the first bytes behind their heads were read. */
  const judged: Record<Direction, OpenExchange | undefined> = { read: undefined, write: undefined };
  /** Bytes in a row in which a message was searched for, since the last verdict on them. */
  const unplacedBytes: Record<Direction, number> = { read: 0, write: 0 };

  // ---- exchanges -------------------------------------------------------------------------------------------

  function open(version: string): OpenExchange {
    const exchange: Exchange = { connection, role, version, ordinal, damage: new Damage() };
    ordinal += 1;
    return {
      exchange,
      observer: undefined,
      isHandled: false,
      isRequestOver: false,
      isResponseOver: false,
      isRequestLost: false,
      isResponseLost: false,
      isAfterLostRequests: false,
      isAfterUnanswered: false,
      isLossExplained: false,
      unplacedBytes: 0,
      isPairInferred: false,
      requestBody: undefined,
      responseBody: undefined,
      isEnded: false,
    };
  }

  function handle(one: OpenExchange): void {
    if (!one.isHandled) {
      one.isHandled = true;
      one.observer = context.handler(one.exchange);
    }
  }

  function finish(one: OpenExchange, timeNs: bigint): void {
    if (one.isEnded) {
      return;
    }
    one.isEnded = true;
    if (one.exchange.response === undefined) {
      one.exchange.damage.lostBytes += one.unplacedBytes;
    }
    one.requestBody?.end(false, timeNs);
    one.responseBody?.end(false, timeNs);
    if (!one.isHandled) {
      counters.unreadableRequests += 1;
      return;
    }
    counters.exchanges += 1;
    if (one.exchange.damage.any) {
      counters.damagedExchanges += 1;
    }
    one.observer?.end?.(one.exchange, timeNs);
    context.onExchange?.(one.exchange, timeNs);
  }

  function finishIfOver(one: OpenExchange, timeNs: bigint): void {
    if (one.isResponseOver && (one.isRequestOver || one.isRequestLost)) {
      if (sending === one) {
        sending = undefined;
      }
      finish(one, timeNs);
    }
  }

  /** Nothing more can come of it, as what followed shows. */
  function giveUp(one: OpenExchange, kind: DamageKind, timeNs: bigint): void {
    if (!one.isRequestLost && !one.isResponseLost) {
      one.exchange.damage.add(kind);
    }
    if (sending === one) {
      sending = undefined;
    }
    if (receiving === one) {
      receiving = undefined;
    }
    finish(one, timeNs);
  }

  function giveUpAwaiting(count: number, kind: DamageKind, timeNs: bigint): void {
    for (const one of awaiting.splice(0, count)) {
      one.isResponseOver = true;
      one.isResponseLost = true;
      one.exchange.damage.add(kind);
      if (sending === one) {
        finishIfOver(one, timeNs);
      } else {
        finish(one, timeNs);
      }
    }
  }

  function stopMatching(kind: DamageKind, timeNs: bigint): void {
    isUnmatched = true;
    mayBePipelining = false;
    giveUpAwaiting(awaiting.length, kind, timeNs);
  }

  // ---- requests --------------------------------------------------------------------------------------------

  function beginRequest(at: ChunkTime): void {
    const { timeNs } = at;
    requestScanner?.end();
    if (sending) {
      // Its end was lost; its response may still come.
      const previous = sending;
      sending = undefined;
      previous.isRequestLost = true;
      previous.requestBody?.end(false, timeNs);
      finishIfOver(previous, timeNs);
    }
    const hasGivenUp = settleOlder(timeNs);
    const one = open('1.1');
    sending = one;
    if (isUnmatched) {
      one.isResponseOver = true;
      one.isResponseLost = true;
      one.exchange.damage.add('gap');
      return;
    }
    one.isAfterLostRequests = hasLostRequests && awaiting.length > 0;
    one.isAfterUnanswered = hasUnanswered;
    one.isLossExplained = hasUnanswered || hasGivenUp || hasTimedOut;
    hasTimedOut = false;
    hasLostRequests = false;
    hasUnanswered = false;
    hasUnexplainedResponse = false;
    isAlone = awaiting.length === 0 && receiving === undefined;
    awaiting.push(one);
    if (awaiting.length > limits.maxPendingExchanges) {
      counters.pendingLimits += 1;
      stopMatching('limit', timeNs);
    }
  }

  /** Draws the conclusion from a new request for the exchanges before it. True when some were given up. */
  function settleOlder(timeNs: bigint): boolean {
    if (receiving?.isPairInferred && !isPipelining && !responses.isSearching) {
      // Perhaps the response to a HEAD request that was not seen: it announces a body and has none.
      responses.endBodyEarly();
      if (responses.isAtStart) {
        completeResponse(timeNs);
      } else {
        giveUp(receiving, 'gap', timeNs);
        responses.search();
        return true;
      }
    }
    if (!receiving && awaiting.length === 0) {
      return false;
    }
    if (!responses.isSearching || isPipelining) {
      mayBePipelining = true;
      return false;
    }
    if (receiving) {
      giveUp(receiving, 'gap', timeNs);
    }
    responses.search();
    giveUpAwaiting(awaiting.length, 'gap', timeNs);
    return true;
  }

  function readRequestHead(
    head: ParsedHead,
    isOverLimit: boolean,
    start: ChunkTime,
    at: ChunkTime,
  ): BodyFraming {
    const one = sending;
    if (one === undefined || head.startLine.kind !== 'request') {
      return { kind: 'invalid' };
    }
    const headers = new Headers(head.fields);
    one.exchange.version = head.startLine.version;
    one.exchange.request = {
      startNs: start.enterNs,
      endNs: at.timeNs,
      method: head.startLine.method,
      target: head.startLine.target,
      headers,
      bodyBytes: 0,
      complete: false,
    };
    noteHead(one, head, isOverLimit);
    const { framing, codings } = frameRequest(headers);
    handle(one);
    if (framing.kind !== 'none') {
      const { request, damage } = one.exchange;
      const sink = withFormParts(request, one.observer?.requestBody, damage, context);
      one.requestBody = createBody(sink, headers, codings, one, requestDirection);
    }
    isRequestScanned = !isEncoded(codingsOf(headers, codings));
    return framing;
  }

  /** Transfer codings are undone first. */
  function codingsOf(headers: Headers, codings: readonly string[]): string[] {
    return [...listOf(headers, 'content-encoding'), ...codings];
  }

  function noteHead(one: OpenExchange, head: ParsedHead, isOverLimit: boolean): void {
    if (isOverLimit || head.droppedFields > 0) {
      one.exchange.damage.add('limit');
      counters.headLimits += 1;
    }
    if (head.malformedLines > 0) {
      one.exchange.damage.add('decode-error');
    }
  }

  function createBody(
    sink: BodySink | undefined,
    headers: Headers,
    codings: readonly string[],
    one: OpenExchange,
    direction: Direction,
  ): MessageBody | undefined {
    const place = direction === requestDirection ? requestPlace : responsePlace;
    const encodings = codingsOf(headers, codings);
    const scanner = isEncoded(encodings) ? createEncodedScanner(place, context) : undefined;
    decodingScanners[direction]?.end('ok');
    decodingScanners[direction] = scanner;
    const { damage } = one.exchange;
    return createMessageBody({ sink, codings: encodings, http: context, damage, scanner });
  }

  function completeRequest(timeNs: bigint): void {
    const one = sending;
    requestScanner?.end();
    if (one?.exchange.request === undefined) {
      return;
    }
    sending = undefined;
    one.exchange.request.endNs = timeNs;
    one.exchange.request.complete = true;
    one.isRequestOver = true;
    if (one.requestBody) {
      one.requestBody.end(true, timeNs);
    } else {
      one.observer?.requestBody?.end(true, timeNs);
    }
    finishIfOver(one, timeNs);
  }

  function loseRequest(cause: LostCause, size: number | undefined, at: ChunkTime): void {
    requestScanner?.end();
    hasLostRequests = true;
    if (cause === 'decode-error') {
      counters.framingErrors += 1;
    }
    const one = sending;
    if (one === undefined) {
      hasUnanswered = !hasUnexplainedResponse;
      hasUnexplainedResponse = false;
      return;
    }
    one.exchange.damage.add(cause, size ?? 0);
    one.isRequestLost = true;
    one.requestBody?.gap(at.timeNs);
    finishIfOver(one, at.timeNs);
  }

  // ---- responses -------------------------------------------------------------------------------------------

  function beginResponse(at: ChunkTime): void {
    responseScanner?.end();
    if (receiving) {
      giveUp(receiving, 'gap', at.timeNs);
    }
  }

  function readResponseHead(
    head: ParsedHead,
    isOverLimit: boolean,
    start: ChunkTime,
    at: ChunkTime,
  ): BodyFraming {
    if (head.startLine.kind !== 'response') {
      return { kind: 'invalid' };
    }
    const { status, version } = head.startLine;
    isInterim = status < 200 && status !== 101;
    if (isInterim) {
      return { kind: 'none' };
    }
    const one = takeAwaiting(at.timeNs) ?? openWithoutRequest(status, version);
    receiving = one;
    // Without the request's method nobody knows whether the announced body is there.
    one.isPairInferred ||= one.exchange.request === undefined;
    const headers = new Headers(head.fields);
    const response = {
      startNs: start.enterNs,
      endNs: at.timeNs,
      status,
      headers,
      bodyBytes: 0,
      complete: false,
    };
    one.exchange.response = response;
    noteHead(one, head, isOverLimit);
    const { framing, codings } = frameResponse(status, headers, one.exchange.request?.method);
    handle(one);
    const sink = one.observer?.response?.(response);
    one.responseBody =
      framing.kind === 'none' || framing.kind === 'tunnel'
        ? createBody(sink, new Headers([]), [], one, responseDirection)
        : createBody(sink, headers, codings, one, responseDirection);
    isResponseScanned = !isEncoded(codingsOf(headers, codings));
    if (one.isPairInferred) {
      responses.doubtBody();
    }
    if (framing.kind === 'tunnel') {
      leaveHttp(one.exchange);
    }
    return framing;
  }

  function takeAwaiting(timeNs: bigint): OpenExchange | undefined {
    const first = awaiting[0];
    if (isPipelining && (first?.isAfterLostRequests || first?.isAfterUnanswered)) {
      stopMatching('gap', timeNs);
    } else if (first?.isAfterUnanswered) {
      // Its own response in all likelihood; but the lost request's, should the client pipeline.
      first.exchange.damage.add('gap');
      first.isPairInferred = true;
    }
    return awaiting.shift();
  }

  function openWithoutRequest(status: number, version: string): OpenExchange {
    const one = open(version);
    one.isRequestOver = true;
    one.isPairInferred = true;
    hasUnanswered = false;
    hasUnexplainedResponse = true;
    if (one.exchange.ordinal === 0 && beginning.lostRequestBytes > 0) {
      one.exchange.damage.add('gap', beginning.lostRequestBytes);
    } else if (one.exchange.ordinal === 0 && beginning.joinedMidway) {
      one.exchange.damage.add('joined-midway');
    } else if (status !== 408 || hasLostRequests || isUnmatched) {
      // 408 Request Timeout is the one response that servers send unasked (RFC 9110 §15.5.9).
      one.exchange.damage.add('gap');
    }
    return one;
  }

  function completeResponse(timeNs: bigint): void {
    if (isInterim) {
      isInterim = false;
      return;
    }
    const one = receiving;
    responseScanner?.end();
    if (one?.exchange.response === undefined) {
      return;
    }
    receiving = undefined;
    one.exchange.response.endNs = timeNs;
    one.exchange.response.complete = true;
    one.isResponseOver = true;
    one.responseBody?.end(true, timeNs);
    finishIfOver(one, timeNs);
  }

  function loseResponse(cause: LostCause, size: number | undefined, at: ChunkTime): void {
    const { timeNs } = at;
    responseScanner?.end();
    if (cause === 'decode-error') {
      counters.framingErrors += 1;
    }
    if (isPipelining && awaiting.length > 0) {
      stopMatching(cause, timeNs);
    } else if (mayBePipelining) {
      // The loss explains why a request came early. Only the last request can still get its response.
      mayBePipelining = false;
      if (receiving === undefined) {
        awaiting[0]?.exchange.damage.add(cause, size ?? 0);
      }
      giveUpAwaiting(awaiting.length - 1, cause, timeNs);
      const last = awaiting[0];
      if (last) {
        last.exchange.damage.add(cause);
        last.isPairInferred = true;
      }
      if (receiving) {
        receiving.exchange.damage.add(cause, size ?? 0);
        giveUp(receiving, cause, timeNs);
        responses.search();
      }
      return;
    }
    const first = awaiting[0];
    if (receiving === undefined && first !== undefined) {
      if (first.isLossExplained) {
        first.isLossExplained = false;
        first.isAfterUnanswered = false;
        first.isPairInferred = true;
        first.unplacedBytes += size ?? 0;
        first.exchange.damage.add(cause);
        return;
      }
      if (mayGetInterim(first)) {
        first.exchange.damage.add(cause, size ?? 0);
        return;
      }
      awaiting.shift();
      receiving = first;
    }
    if (receiving) {
      receiving.exchange.damage.add(cause, size ?? 0);
      receiving.isResponseLost = true;
      receiving.responseBody?.gap(timeNs);
    }
  }

  // ---- leaving HTTP ----------------------------------------------------------------------------------------

  function leaveHttp(exchange: Exchange): void {
    isTunnel = true;
    counters.upgrades += 1;
    tunnel = context.upgrade?.(exchange);
    if (tunnel === undefined) {
      context.onVerdict?.(connection, NEVER_COPY);
    }
  }

  function tunnelData(
    direction: Direction,
    bytes: Uint8Array,
    at: ChunkTime,
    position: number,
  ): void {
    if (tunnel === undefined) {
      reportSecret(direction, position, bytes.length);
      return;
    }
    isTunnelled[direction] = true;
    tunnel.data(direction, bytes, at, position);
  }

  // ---- readers ---------------------------------------------------------------------------------------------

  function addBody(
    message: MessageBase | undefined,
    body: MessageBody | undefined,
    bytes: Uint8Array,
    at: ChunkTime,
    position: number,
  ): void {
    if (message) {
      message.bodyBytes += bytes.length;
      message.endNs = at.timeNs;
    }
    body?.data(bytes, at, position);
  }

  function addHole(
    one: OpenExchange | undefined,
    message: MessageBase | undefined,
    body: MessageBody | undefined,
    size: number | undefined,
    timeNs: bigint,
  ): void {
    one?.exchange.damage.add('gap', size ?? 0);
    if (message) {
      message.bodyBytes += size ?? 0;
      message.endNs = timeNs;
    }
    body?.gap(timeNs);
  }

  function addSkip(
    one: OpenExchange | undefined,
    message: MessageBase | undefined,
    body: MessageBody | undefined,
    size: number,
    timeNs: bigint,
  ): void {
    if (message) {
      message.bodyBytes += size;
      message.skippedBytes = (message.skippedBytes ?? 0) + size;
      message.endNs = timeNs;
    }
    if (body?.isWanted) {
      // Somebody wants it after all: another chain than the one that judged it reads this recording.
      one?.exchange.damage.add('gap');
    }
    body?.gap(timeNs);
  }

  /** Once a head is known: a body that nobody looks at need not be copied. */
  function judge(direction: Direction): void {
    const isRequest = direction === requestDirection;
    const one = isRequest ? sending : receiving;
    if (one === undefined || one === judged[direction]) {
      return;
    }
    const message = isRequest ? one.exchange.request : one.exchange.response;
    if (message === undefined) {
      return;
    }
    judged[direction] = one;
    if ((isRequest ? one.requestBody : one.responseBody)?.isWanted) {
      return;
    }
    const verdict = judgeBody({
      direction,
      headers: message.headers,
      position: ends[direction],
      otherPosition: ends[direction === 'read' ? 'write' : 'read'],
      remainingBytes: (isRequest ? requests : responses).remainingBodyBytes,
    });
    if (verdict) {
      context.onVerdict?.(connection, verdict);
    }
  }

  /** What comes behind a head that was lost: only the next message tells more. */
  function judgeUnplaced(direction: Direction, reader: MessageReader, bytes: number): void {
    if (!reader.isSearching) {
      unplacedBytes[direction] = 0;
      return;
    }
    unplacedBytes[direction] += bytes;
    // Behind an answer that cannot be placed, that to a request which was sent already comes without any sign.
    const wanted = direction === requestDirection ? sending?.requestBody : receiving?.responseBody;
    if (!isAlone || wanted?.isWanted) {
      return;
    }
    const found = { read: 0, write: 0, [direction]: unplacedBytes[direction] };
    const verdict = judgeForeign(found, ends);
    if (verdict) {
      unplacedBytes[direction] = 0;
      context.onVerdict?.(connection, verdict);
    }
  }

  const requests: MessageReader = createMessageReader(
    'request',
    limits,
    {
      begin: beginRequest,
      head: readRequestHead,
      body(bytes, at, position) {
        addBody(sending?.exchange.request, sending?.requestBody, bytes, at, position);
        if (isRequestScanned) {
          requestScanner?.push(bytes, position);
        } else if (sending === undefined) {
          reportSecret(requestDirection, position, bytes.length);
        }
      },
      bodyGap(size, at) {
        requestScanner?.end();
        addHole(sending, sending?.exchange.request, sending?.requestBody, size, at.timeNs);
      },
      bodySkip(size, at) {
        requestScanner?.end();
        addSkip(sending, sending?.exchange.request, sending?.requestBody, size, at.timeNs);
      },
      skippedEnd(at) {
        if (sending) {
          sending.isRequestLost = true;
          finishIfOver(sending, at.timeNs);
        }
      },
      trailers: (fields) => setTrailers(sending?.exchange.request, fields),
      complete: (at) => completeRequest(at.timeNs),
      lost: loseRequest,
      mayResume: () => true,
      resumed() {
        if (sending) {
          sending.isRequestLost = false;
        }
      },
      tunnel: (bytes, at, position) => tunnelData(requestDirection, bytes, at, position),
      tunnelGap: (size, at) => tunnel?.gap(requestDirection, size, at),
      secret: (position, length) => reportSecret(requestDirection, position, length),
    },
    context.findAddedSecrets,
  );

  const responses: MessageReader = createMessageReader(
    'response',
    limits,
    {
      begin: beginResponse,
      head: readResponseHead,
      body(bytes, at, position) {
        addBody(receiving?.exchange.response, receiving?.responseBody, bytes, at, position);
        if (isResponseScanned) {
          responseScanner?.push(bytes, position);
        } else if (receiving === undefined) {
          reportSecret(responseDirection, position, bytes.length);
        }
      },
      bodyGap(size, at) {
        responseScanner?.end();
        addHole(receiving, receiving?.exchange.response, receiving?.responseBody, size, at.timeNs);
      },
      bodySkip(size, at) {
        responseScanner?.end();
        addSkip(receiving, receiving?.exchange.response, receiving?.responseBody, size, at.timeNs);
      },
      skippedEnd() {
        if (receiving) {
          receiving.isResponseLost = true;
        }
      },
      trailers: (fields) => setTrailers(receiving?.exchange.response, fields),
      complete: (at) => completeResponse(at.timeNs),
      lost: loseResponse,
      // The next answer may have begun in the loss when its request is there already, or may have been lost.
      mayResume: () => awaiting.length === 0 && !hasLostRequests,
      resumed() {
        if (receiving) {
          receiving.isResponseLost = false;
        }
      },
      tunnel: (bytes, at, position) => tunnelData(responseDirection, bytes, at, position),
      tunnelGap: (size, at) => tunnel?.gap(responseDirection, size, at),
      secret: (position, length) => reportSecret(responseDirection, position, length),
    },
    context.findAddedSecrets,
  );

  function reportSecret(direction: Direction, position: number, length: number): void {
    if (length > 0) {
      context.onSecret?.(connection, direction, position, length);
    }
  }

  function release(direction: Direction, end: number): void {
    if (context.onRelease === undefined || isTunnelled[direction]) {
      return;
    }
    const isRequest = direction === requestDirection;
    const reader = isRequest ? requests : responses;
    const scanner = isRequest ? requestScanner : responseScanner;
    // Also in a tunnel: a request that was begun before it is still read. And where a head may have begun in a body,
    // which may go on.
    const head = reader.headPosition ?? end;
    const pending = scanner?.pendingPosition ?? end;
    const decoding = decodingScanners[direction]?.pendingPosition ?? end;
    context.onRelease(connection, direction, Math.min(head, pending, decoding, end));
  }

  return {
    data(direction, bytes, at, position) {
      ends[direction] = position + bytes.length;
      if (direction === requestDirection) {
        if (isTunnel && requests.isAtStart) {
          tunnelData(direction, bytes, at, position);
        } else {
          requests.data(bytes, at, position);
        }
      } else {
        if (mayBePipelining && !responses.isSearching) {
          mayBePipelining = false;
          isPipelining = true;
        }
        responses.data(bytes, at, position);
      }
      release(direction, ends[direction]);
      if (context.onVerdict !== undefined && !isTunnel) {
        judge(direction);
        const reader = direction === requestDirection ? requests : responses;
        judgeUnplaced(direction, reader, bytes.length);
      }
    },

    gap(direction, size, at) {
      ends[direction] += size ?? 0;
      if (direction === requestDirection) {
        if (isTunnel) {
          tunnel?.gap(direction, size, at);
        } else {
          requests.gap(size, at);
        }
      } else {
        responses.gap(size, at);
        if (responses.isAtStart) {
          // What was missing was the rest of the response, which explains a request that came early.
          mayBePipelining = false;
        }
      }
      release(direction, ends[direction]);
    },

    skip(direction, size, at) {
      ends[direction] += size;
      if (isTunnel) {
        tunnel?.gap(direction, size, at);
      } else {
        (direction === requestDirection ? requests : responses).skip(size, at);
        if (direction !== requestDirection && responses.isAtStart) {
          mayBePipelining = false;
        }
      }
      release(direction, ends[direction]);
    },

    letGo() {
      requestScanner?.letGo();
      responseScanner?.letGo();
      decodingScanners.read?.letGo();
      decodingScanners.write?.letGo();
      tunnel?.letGo?.();
      release('read', ends.read);
      release('write', ends.write);
    },

    end(reason, timeNs) {
      if (responses.endsBody() && reason === 'closed') {
        completeResponse(timeNs);
      }
      hasTimedOut = receiving !== undefined || awaiting.length > 0;
      endOpen(timeNs);
      tunnel?.end(reason, timeNs);
      if (reason === 'timeout') {
        restart();
      }
      examineRest('read');
      examineRest('write');
    },
  };

  function endOpen(timeNs: bigint): void {
    const left = [receiving, ...awaiting, sending];
    receiving = undefined;
    awaiting = [];
    sending = undefined;
    for (const one of left) {
      if (one && !one.isEnded) {
        const { request, response } = one.exchange;
        const isRequestCut = request !== undefined && !request.complete && !one.isRequestLost;
        const isResponseCut = !response?.complete && !one.isResponseLost;
        if (isRequestCut || isResponseCut) {
          one.exchange.damage.add('truncated');
        }
        finish(one, timeNs);
      }
    }
  }

  /** What is left of an unfinished head counts as secret, and everything is released. */
  function examineRest(direction: Direction): void {
    const isRequest = direction === requestDirection;
    const position = (isRequest ? requests : responses).headPosition;
    if (position !== undefined) {
      reportSecret(direction, position, ends[direction] - position);
    }
    (isRequest ? requestScanner : responseScanner)?.end();
    context.onRelease?.(connection, direction, ends[direction]);
  }

  function restart(): void {
    mayBePipelining = false;
    for (const reader of [requests, responses]) {
      if (!reader.isAtStart && !isTunnel) {
        reader.search();
      }
    }
  }
}

/** An interim response may be what was lost, so that the final one is still to come. */
function mayGetInterim(one: OpenExchange): boolean {
  const expectation = one.exchange.request?.headers.get('expect');
  return expectation?.toLowerCase() === '100-continue' && !one.isResponseLost;
}

function setTrailers(message: MessageBase | undefined, fields: HeaderField[]): void {
  if (message) {
    message.trailers = new Headers(fields);
  }
}
