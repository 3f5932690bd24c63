/** Finds the model calls among HTTP exchanges and follows each from its request to the end of its answer. */
import type { Exchange, ExchangeHandler } from '../http/exchange.ts';
import { DEFAULT_LLM_LIMITS, type LlmLimits } from './limits.ts';
import type { ModelCallObserver, WireApi } from './model-call.ts';
import { observeModelCall } from './model-call-exchange.ts';
import { pathOf, serverAddressOf } from './server-address.ts';
import type { CallTarget } from './wire-api.ts';
import { WIRE_APIS } from './wire-apis.ts';

/** What could not be read though it should have been; the call says so as damage, too. */
export type ParseStage = 'llm.request' | 'llm.answer' | 'llm.event';

export interface LlmStageOptions {
  observer: ModelCallObserver;
  limits?: Partial<LlmLimits>;
  /** Whether messages, tool schemas and tool results are kept. Tool calls' arguments always are. */
  keepContent: boolean;
  /** UTF-8 bytes kept of one field of content. */
  maxContentBytes: number;
  /** Calls are followed on the server's side too. Their observers tell them by the exchange's role. */
  followsServers?: boolean;
  onParseFailure?(stage: ParseStage, api: WireApi): void;
}

/** Makes the handler that the http room asks about every exchange. */
export function createLlmStage(options: LlmStageOptions): ExchangeHandler {
  const limits: LlmLimits = { ...DEFAULT_LLM_LIMITS, ...options.limits };
  return (exchange) => {
    const target = targetOf(exchange, options.followsServers === true);
    const api = target && WIRE_APIS.find((candidate) => candidate.matches(target));
    if (target === undefined || api === undefined) {
      return undefined;
    }
    return observeModelCall(exchange, target, api, {
      observer: options.observer,
      limits,
      keepContent: options.keepContent,
      maxContentBytes: options.maxContentBytes,
      onParseFailure: options.onParseFailure ?? (() => {}),
    });
  };
}

/** Where the exchange's request went; undefined for what cannot be a model call that is followed. */
function targetOf(exchange: Exchange, followsServers: boolean): CallTarget | undefined {
  const request = exchange.request;
  const isFollowed = exchange.role === 'client' || followsServers;
  if (!isFollowed || request?.method !== 'POST') {
    return undefined;
  }
  return { path: pathOf(request.target), host: serverAddressOf(request)?.host, request };
}
