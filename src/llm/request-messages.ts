/** Takes a request's messages one by one: keeps fingerprints, tool results and, when it is on, content. */
import type { Message, ToolResult } from './model-call.ts';
import type { CallContext } from './wire-api.ts';
import {
  fingerprintOf,
  partsOf,
  toolResultsOf,
  type WireItem,
  type WireMessage,
} from './wire-message.ts';

export interface RequestMessages {
  /** The next message; `isWhole` is false when the body ended inside it. */
  add(value: unknown, isWhole: boolean): void;
}

export function createRequestMessages(
  context: CallContext,
  read: (value: unknown) => WireMessage,
): RequestMessages {
  const { call, content, limits } = context;
  const request = call.request;

  function addResults(items: readonly WireItem[]): void {
    const results: ToolResult[] = toolResultsOf(items, content);
    request.toolResults.push(...results);
  }

  return {
    add(value, isWhole) {
      if (request.fingerprints.length >= limits.maxMessages) {
        call.damage.add('limit');
        return;
      }
      if (!isWhole) {
        // Half a message has no fingerprint that could equal another's.
        return;
      }
      const wire = read(value);
      request.fingerprints.push(fingerprintOf(wire));
      const message: Message = {
        role: wire.role,
        parts: content.isOn ? partsOf(wire.items, content) : [],
      };
      if (wire.name !== undefined) {
        message.name = wire.name;
      }
      request.messages.push(message);
      if (wire.role === 'assistant') {
        // Results before the last answer were brought back by an earlier request.
        request.toolResults.length = 0;
      } else {
        addResults(wire.items);
      }
    },
  };
}
