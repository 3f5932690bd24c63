/** Takes a request's messages one by one: keeps fingerprints, tool results and, when it is on, content. */
import type { JsonPlan } from '../util/json-scanner.ts';
import { asObject, type JsonObject } from './json-access.ts';
import type { Message } from './model-call.ts';
import type { CallContext, RequestReader } from './wire-api.ts';
import {
  fingerprintOf,
  isCompaction,
  partsOf,
  toolResultsOf,
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
      if (wire.items.some(isCompaction)) {
        call.isCompacted = true;
      }
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
        request.toolResults = [];
        return;
      }
      for (const result of toolResultsOf(wire.items, content)) {
        request.toolResults.push(result);
      }
    },
  };
}

/** A request that is messages and tools, besides what `end` reads of the rest of its body. */
interface ConversationRequest {
  plan: JsonPlan;
  planWithContent: JsonPlan;
  readMessage(value: unknown): WireMessage;
  addTool(context: CallContext, value: unknown): void;
  /** The body is over; false: this is no call. */
  end(body: JsonObject, isWhole: boolean, messages: RequestMessages): boolean;
}

/** Makes the reader of a request whose plans emit each of its messages as `message`, and each of its tools. */
export function readConversationRequest(
  context: CallContext,
  request: ConversationRequest,
): RequestReader {
  const messages = createRequestMessages(context, request.readMessage);
  return {
    plan: context.content.isOn ? request.planWithContent : request.plan,
    item(name, value, isWhole) {
      if (name === 'message') {
        messages.add(value, isWhole);
      } else {
        request.addTool(context, value);
      }
    },
    end: (root, isWhole) => request.end(asObject(root) ?? {}, isWhole, messages),
  };
}
