/**
 * The model calls of one WebSocket: each is a response, from the message that asked for it to the one that ends it.
 *
 * A request names no response, so requests wait in the order they were sent, and a response that begins takes the
 * first. A response that nothing asked for was begun by the server itself (it heard the user stop speaking), or its
 * request was not seen, which a loss or an unseen beginning explains.
 */
import type { WebSocketConnection } from '../http/websocket/websocket.ts';
import { Damage, type DamageKind } from '../util/damage.ts';
import { type CallParts, createCallParts, type ModelCallOptions, newCall } from './call-parts.ts';
import { errorOf, type ProviderError } from './error-body.ts';
import { asCount, type JsonObject } from './json-access.ts';
import type { ModelCall } from './model-call.ts';
import { createResponseEvents, type ResponseEvents } from './openai-response-events.ts';
import { setField } from './set-field.ts';
import type { MessageTime, SocketApi } from './socket-api.ts';
import type { WireItem } from './wire-message.ts';

/** One response, or the request for one. */
export interface SocketCall {
  readonly call: ModelCall;
  readonly parts: CallParts;
  readonly events: ResponseEvents;
  /** What the client calls the message that asked for it, when it names it. */
  eventId: string | undefined;
  responseId: string | undefined;
  /** Nothing is generated: it is followed to its end and never reported. */
  isSilent: boolean;
  /** An error that may be meant for it: so it is if no response comes. */
  doubt: ProviderError | undefined;
  /** Events of the socket are missing since its own were last seen. */
  isTorn: boolean;
  isFinished: boolean;
  /** End of its latest message. */
  lastNs: bigint;
}

export interface SocketCalls {
  /** A call that may become one: nobody is told of it. */
  draft(readItem: (value: unknown) => readonly WireItem[]): SocketCall;
  /** The request is known: its response is awaited. */
  ask(one: SocketCall, time: MessageTime): void;
  /** A response begins. `unasked` makes the call of one that nothing asked for. */
  begin(responseId: string | undefined, time: MessageTime, unasked: () => SocketCall): SocketCall;
  /** The response that an event belongs to; of those without a name the one begun last. */
  find(responseId: string | undefined): SocketCall | undefined;
  /**
   * The same for one whose beginning was missed: of a request that waits, else of none that was seen. Undefined
   * when nothing can have been missed.
   */
  findMissed(
    responseId: string | undefined,
    time: MessageTime,
    unasked: () => SocketCall,
  ): SocketCall | undefined;
  /** Reads an event of a response, and ends the call when it is the last. */
  read(one: SocketCall, type: string, message: JsonObject, time: MessageTime): void;
  /** The server says that the response under way, or else the first one asked for, has failed. */
  fail(message: JsonObject, time: MessageTime): void;
  /**
   * The server refused some message of the client, which `eventId` names, if the client did. Without, it may have
   * been any: a request that is never answered then was refused.
   */
  refuse(message: JsonObject, eventId: string | undefined, time: MessageTime): void;
  /** The conversation goes on: requests that may have been refused were. */
  settleDoubts(): void;
  /** A message of this side, or several, could not be read. */
  lose(sender: 'client' | 'server', damage: Damage): void;
  /** Nothing more comes, at least not for now. */
  end(timeNs: bigint): void;
}

/** Responses that are over: what still comes for them begins no call. */
const MAX_ENDED_IDS = 64;

export function createSocketCalls(
  socket: WebSocketConnection,
  api: SocketApi,
  options: ModelCallOptions,
): SocketCalls {
  const { limits, observer } = options;
  const exchange = socket.upgrade ?? {
    connection: socket.connection,
    role: socket.role,
    version: '1.1',
    ordinal: 0,
    damage: new Damage(),
  };
  /** Asked for, not begun. */
  let waiting: SocketCall[] = [];
  /** Begun, in order. */
  let running: SocketCall[] = [];
  let endedIds: string[] = [];
  let ordinal = 0;
  /** Why a request may not have been seen. */
  let unseenCause: DamageKind | undefined =
    socket.upgrade === undefined ? 'joined-midway' : undefined;

  function draft(readItem: (value: unknown) => readonly WireItem[]): SocketCall {
    const call = newCall(exchange, api, exchange.request, options.hosts);
    const one: SocketCall = {
      call,
      parts: undefined as unknown as CallParts,
      events: undefined as unknown as ResponseEvents,
      eventId: undefined,
      responseId: undefined,
      isSilent: false,
      doubt: undefined,
      isTorn: false,
      isFinished: false,
      lastNs: 0n,
    };
    const parts = createCallParts(call, {
      ...options,
      observer: {
        started: () => {},
        finished: () => {},
        toolCall(owner, toolCall) {
          if (!one.isSilent) {
            observer.toolCall?.(owner, toolCall);
          }
        },
      },
    });
    return Object.assign(one, {
      parts,
      events: createResponseEvents(parts.context, parts.answer, readItem),
    });
  }

  /** From here on it is a call. */
  function open(one: SocketCall, time: MessageTime): void {
    const { call } = one;
    call.startNs = time.startNs;
    call.endNs = time.endNs;
    call.requestEndNs = time.endNs;
    call.socketOrdinal = ordinal;
    // Its answer comes in events whatever the request says: there is no other way on a socket.
    call.request.stream = true;
    one.lastNs = time.endNs;
    ordinal += 1;
    if (waiting.length + running.length >= limits.maxSocketCalls) {
      const oldest = running[0] ?? waiting[0];
      oldest?.call.damage.add('limit');
      finish(oldest, time.endNs);
    }
    if (!one.isSilent) {
      observer.started(call);
    }
  }

  function finish(one: SocketCall | undefined, endNs: bigint): void {
    if (one === undefined || one.isFinished) {
      return;
    }
    one.isFinished = true;
    waiting = waiting.filter((other) => other !== one);
    running = running.filter((other) => other !== one);
    if (one.responseId !== undefined) {
      endedIds = [...endedIds.slice(1 - MAX_ENDED_IDS), one.responseId];
    }
    const { call, events, doubt } = one;
    if (doubt !== undefined) {
      call.error ??= { ...doubt, type: doubt.type ?? '_OTHER' };
    }
    call.complete = events.isDone;
    const isExplained = call.damage.kinds.has('gap') || call.damage.kinds.has('limit');
    if (!call.complete && call.error === undefined && !isExplained) {
      call.damage.add('truncated');
    }
    one.parts.finish(endNs);
    if (!one.isSilent) {
      observer.finished(call);
    }
  }

  function settleDoubts(): void {
    for (const other of waiting) {
      if (other.doubt !== undefined) {
        finish(other, other.lastNs);
      }
    }
  }

  function ask(one: SocketCall, time: MessageTime): void {
    // Where the client asks again, an error was the answer.
    settleDoubts();
    if (waiting.length + running.length === 0) {
      // A client asks again when it has its answer: what was missed is over.
      unseenCause = undefined;
    }
    open(one, time);
    waiting.push(one);
  }

  function begin(
    responseId: string | undefined,
    time: MessageTime,
    unasked: () => SocketCall,
  ): SocketCall {
    for (const other of running) {
      if (other.isTorn) {
        // Its end was among what is missing.
        finish(other, other.lastNs);
      }
    }
    let one = waiting.shift();
    if (one === undefined) {
      one = unasked();
      if (unseenCause !== undefined) {
        one.call.damage.add(unseenCause);
      }
      unseenCause = undefined;
      open(one, time);
    }
    one.doubt = undefined;
    one.responseId = responseId;
    running.push(one);
    return one;
  }

  function find(responseId: string | undefined): SocketCall | undefined {
    if (responseId === undefined) {
      return running.at(-1);
    }
    const named = running.find((one) => one.responseId === responseId);
    if (named !== undefined) {
      return named;
    }
    // Its beginning, which has the name, was not seen.
    const unnamed = running.find((one) => one.responseId === undefined);
    if (unnamed !== undefined) {
      unnamed.responseId = responseId;
    }
    return unnamed;
  }

  function findMissed(
    responseId: string | undefined,
    time: MessageTime,
    unasked: () => SocketCall,
  ): SocketCall | undefined {
    const isOver = responseId !== undefined && endedIds.includes(responseId);
    const hasTornRequest = waiting[0]?.isTorn === true;
    if (isOver || (unseenCause === undefined && !hasTornRequest)) {
      return undefined;
    }
    const one = begin(responseId, time, unasked);
    one.events.gap();
    return one;
  }

  function read(one: SocketCall, type: string, message: JsonObject, time: MessageTime): void {
    one.isTorn = false;
    one.lastNs = time.endNs;
    one.events.read(type, message, time.endNs);
    if (one.events.isDone) {
      finish(one, time.endNs);
    }
  }

  function refuse(message: JsonObject, eventId: string | undefined, time: MessageTime): void {
    const error = errorOf(message, true) ?? {};
    if (eventId === undefined) {
      const first = waiting[0];
      if (first !== undefined) {
        first.doubt ??= error;
        first.lastNs = time.endNs;
      }
      return;
    }
    const meant = waiting.find((one) => one.eventId === eventId);
    if (meant !== undefined) {
      meant.doubt = error;
      finish(meant, time.endNs);
    }
  }

  function fail(message: JsonObject, time: MessageTime): void {
    const one = running.at(-1) ?? waiting[0];
    if (one === undefined) {
      return;
    }
    one.events.error(message, true);
    setField(one.call, 'httpStatus', asCount(message.status));
    finish(one, time.endNs);
  }

  function lose(sender: 'client' | 'server', damage: Damage): void {
    const cause = [...damage.kinds].find((kind) => kind !== 'truncated') ?? 'gap';
    unseenCause ??= cause;
    if (sender === 'client') {
      return;
    }
    for (const one of [...running, ...waiting]) {
      one.call.damage.merge(damage);
      one.isTorn = true;
      one.events.gap();
    }
  }

  return {
    draft,
    ask,
    begin,
    find,
    findMissed,
    read,
    fail,
    refuse,
    settleDoubts,
    lose,
    end(timeNs) {
      for (const one of [...running, ...waiting]) {
        finish(one, one.lastNs === 0n ? timeNs : one.lastNs);
      }
    },
  };
}
