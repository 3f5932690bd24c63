/** An exchange as real services shape it, and the call that must be read from it. */
import type { Usage } from '../../../src/llm/model-call.ts';
import type { WireExchange } from './run-exchange.ts';

export interface ExpectedToolCall {
  id?: string;
  name: string;
  argumentsText: string;
}

export interface ExpectedMessage {
  role?: string;
  text?: string;
  reasoning?: string;
  refusal?: string;
  /** Types of all parts in order; only checked when given. */
  partTypes?: string[];
  finishReason?: string;
}

export interface Expected {
  provider?: string;
  id?: string;
  model?: string;
  usage: Usage;
  finishReasons: string[];
  messages: ExpectedMessage[];
  toolCalls?: ExpectedToolCall[];
  /** Tool calls that broke off: in the answer, but never announced. */
  tornToolCalls?: ExpectedToolCall[];
  /** The provider's own to run: seen as a call only where bytes are lost, that of saying so among them. */
  serverToolCalls?: ExpectedToolCall[];
  serviceTier?: string;
  systemFingerprint?: string;
  error?: { type: string; message?: string };
  complete?: boolean;
  damage?: string[];
  /** No answer: `call.response` is absent. */
  noResponse?: boolean;
}

export interface Fixture {
  name: string;
  wire: WireExchange;
  expected: Expected;
  /** The official SDK reads these bytes, too, and to the same result. */
  isForSdk?: boolean;
}
