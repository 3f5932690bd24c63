/** Holds back what is told of model calls until it is known that their exchanges are kept. */
import type { ExchangeFilter } from '../http/exchange-filter.ts';
import type { WebSocketHandler } from '../http/websocket/websocket.ts';
import type { ModelCallObserver } from './model-call.ts';

/** Nothing of a call that is dropped late reaches `next`. */
export function filterCalls(
  filter: Pick<ExchangeFilter, 'whenKept'>,
  next: ModelCallObserver,
): ModelCallObserver {
  return {
    started: (call) => filter.whenKept(call.exchange, () => next.started(call)),
    toolCall: (call, toolCall) =>
      filter.whenKept(call.exchange, () => next.toolCall?.(call, toolCall)),
    finished: (call) => filter.whenKept(call.exchange, () => next.finished(call)),
  };
}

/** A socket is judged when it is opened. One that was open before observation began cannot be judged, and is kept. */
export function filterSockets(
  filter: Pick<ExchangeFilter, 'settle' | 'isDropped'>,
  next: WebSocketHandler,
): WebSocketHandler {
  return (socket) => {
    if (socket.upgrade !== undefined) {
      filter.settle(socket.upgrade);
      if (filter.isDropped(socket.upgrade)) {
        return undefined;
      }
    }
    return next(socket);
  };
}
