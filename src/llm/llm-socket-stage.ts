/** Finds the model calls among the messages of WebSockets. `docs/architecture.md` says how this meets the rest. */
import type { BodySink } from '../http/exchange.ts';
import type {
  WebSocketConnection,
  WebSocketHandler,
  WebSocketMessage,
  WebSocketObserver,
} from '../http/websocket/websocket.ts';
import { Damage } from '../util/damage.ts';
import { isTooDeepRecord, parseObject } from './json-access.ts';
import { type CountedLlmLimit, DEFAULT_LLM_LIMITS, type LlmLimits } from './limits.ts';
import type { LlmStageOptions } from './llm-stage.ts';
import { pathOf, serverAddressOf } from './server-address.ts';
import type { SocketApi, SocketReader } from './socket-api.ts';
import { SOCKET_APIS } from './socket-apis.ts';
import { createSocketCalls, type SocketCalls } from './socket-calls.ts';
import type { CallTarget } from './wire-api.ts';

/** Makes the handler that the http room asks about every WebSocket. */
export function createLlmSocketStage(options: LlmStageOptions): WebSocketHandler {
  const limits: LlmLimits = { ...DEFAULT_LLM_LIMITS, ...options.limits };
  return (socket) => {
    if (socket.role !== 'client' && options.followsServers !== true) {
      return undefined;
    }
    const target = targetOf(socket);
    const api = target && SOCKET_APIS.find((candidate) => candidate.matches(target));
    if (target !== undefined && api === undefined) {
      return undefined;
    }
    return observeSocket(socket, target, api, { ...options, limits });
  };
}

/** Where the socket was opened; undefined when that was not seen. */
function targetOf(socket: WebSocketConnection): CallTarget | undefined {
  const { upgrade } = socket;
  const request = upgrade?.request;
  if (upgrade === undefined || request === undefined) {
    return undefined;
  }
  return { path: pathOf(request.target), host: serverAddressOf(upgrade)?.host, request };
}

function observeSocket(
  socket: WebSocketConnection,
  target: CallTarget | undefined,
  knownApi: SocketApi | undefined,
  options: LlmStageOptions & { limits: LlmLimits },
): WebSocketObserver {
  let api: SocketApi | undefined;
  let calls: SocketCalls | undefined;
  let reader: SocketReader | undefined;
  const texts = { client: createText(options.limits), server: createText(options.limits) };
  if (knownApi !== undefined) {
    open(knownApi);
  }

  function open(chosen: SocketApi): void {
    api = chosen;
    calls = createSocketCalls(socket, chosen, {
      ...options,
      onParseFailure: options.onParseFailure ?? (() => {}),
      onLimit: options.onLimit ?? (() => {}),
    });
    reader = chosen.open(calls, target);
  }

  /** A whole message, or what there is of one. */
  function take(message: WebSocketMessage, text: string | undefined, isComplete: boolean): void {
    if (text === undefined || message.damage.any || !isComplete) {
      lose(message, text === undefined ? 'maxEventBytes' : undefined);
      return;
    }
    const root = parseObject(text);
    if (root === undefined) {
      refuse(message, text);
      return;
    }
    if (reader === undefined) {
      const found = SOCKET_APIS.find((candidate) => candidate.recognises(message.sender, root));
      if (found === undefined) {
        return;
      }
      open(found);
    }
    if (message.sender === 'client') {
      reader?.client?.(root, message);
    } else {
      reader?.server(root, message);
    }
  }

  /** A message that is no JSON object, or nested too deep; until the API is known, it may be anything. */
  function refuse(message: WebSocketMessage, text: string): void {
    if (reader === undefined || api === undefined) {
      return;
    }
    if (isTooDeepRecord(text)) {
      lose(message, 'maxDepth');
      return;
    }
    options.onParseFailure?.('llm.event', api.api);
    message.damage.add('decode-error');
    lose(message, undefined);
  }

  /** `limit`: what it exceeds. */
  function lose(message: WebSocketMessage, limit: CountedLlmLimit | undefined): void {
    const damage = new Damage();
    damage.merge(message.damage);
    if (limit !== undefined) {
      damage.add('limit');
      options.onLimit?.(limit);
    }
    calls?.lose(message.sender, damage);
  }

  function sinkOf(message: WebSocketMessage): BodySink {
    const text = texts[message.sender];
    text.clear();
    return {
      data: (bytes) => text.push(bytes),
      gap() {},
      end: (isComplete) => take(message, text.take(), isComplete),
    };
  }

  return {
    message(message) {
      if (message.opcode === 'binary') {
        return undefined;
      }
      const sink =
        message.sender === 'client' ? reader?.clientSink?.(message, message.damage) : undefined;
      return sink ?? sinkOf(message);
    },
    gap(direction, lostBytes) {
      const damage = new Damage();
      damage.add('gap', lostBytes);
      const isClient = (direction === 'write') === (socket.role === 'client');
      calls?.lose(isClient ? 'client' : 'server', damage);
    },
    end: (_reason, timeNs) => calls?.end(timeNs),
  };
}

/** Bytes kept for the next message when one has made the buffer grow. */
const KEPT_BYTES = 65_536;

/** The text of one message of a sender at a time: its buffer serves the next one again. */
interface MessageText {
  clear(): void;
  push(bytes: Uint8Array): void;
  /** Undefined: it was longer than an event may be. */
  take(): string | undefined;
}

function createText(limits: LlmLimits): MessageText {
  let buffer = Buffer.allocUnsafe(0);
  let length = 0;
  let isOverLimit = false;

  function grow(needed: number): void {
    const larger = Buffer.allocUnsafe(Math.max(needed, buffer.length * 2, 4096));
    larger.set(buffer.subarray(0, length));
    buffer = larger;
  }

  return {
    clear() {
      length = 0;
      isOverLimit = false;
    },
    push(bytes) {
      const end = length + bytes.length;
      isOverLimit ||= end > limits.maxEventBytes;
      if (isOverLimit) {
        return;
      }
      if (end > buffer.length) {
        grow(end);
      }
      buffer.set(bytes, length);
      length = end;
    },
    take() {
      const text = isOverLimit ? undefined : buffer.toString('utf8', 0, length);
      length = 0;
      if (buffer.length > KEPT_BYTES) {
        buffer = Buffer.allocUnsafe(0);
      }
      return text;
    },
  };
}
