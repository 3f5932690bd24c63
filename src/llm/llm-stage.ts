/** Finds the model calls among HTTP exchanges and follows each from its request to the end of its answer. */
import type { ExchangeHandler, Role } from '../http/exchange.ts';
import { createBackgroundResponses } from './background-responses.ts';
import type { HostRules } from './host-rules.ts';
import { type CountedLlmLimit, DEFAULT_LLM_LIMITS, type LlmLimits } from './limits.ts';
import type { ModelCallObserver, WireApi } from './model-call.ts';
import { observeModelCall } from './model-call-exchange.ts';
import { pathOf, type ServerAddress, serverAddressOf } from './server-address.ts';
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
  /** Hosts beyond those that are known. */
  hosts?: HostRules;
  onParseFailure?(stage: ParseStage, api: WireApi): void;
  onLimit?(limit: CountedLlmLimit): void;
}

/** Makes the handler that the http room asks about every exchange. */
export function createLlmStage(options: LlmStageOptions): ExchangeHandler {
  const limits: LlmLimits = { ...DEFAULT_LLM_LIMITS, ...options.limits };
  const { hosts } = options;
  const background = createBackgroundResponses(limits.maxBackgroundResponses, () =>
    options.onLimit?.('maxBackgroundResponses'),
  );
  const observer: ModelCallObserver = {
    started: (call) => options.observer.started(call),
    toolCall: (call, toolCall) => options.observer.toolCall?.(call, toolCall),
    finished(call) {
      background.finished(call);
      options.observer.finished(call);
    },
  };

  function apiOf(target: CallTarget, address: ServerAddress | undefined, role: Role) {
    if (target.request.method !== 'POST') {
      return target.request.method === 'GET'
        ? background.readerOf(target, address, role)
        : undefined;
    }
    const ruled = address && hosts?.apiOf(address, target);
    return ruled ?? WIRE_APIS.find((candidate) => candidate.matches(target));
  }

  return (exchange) => {
    const { request } = exchange;
    const isFollowed = exchange.role === 'client' || options.followsServers === true;
    if (!isFollowed || request === undefined) {
      return undefined;
    }
    const address = serverAddressOf(exchange);
    const target: CallTarget = { path: pathOf(request.target), host: address?.host, request };
    const api = apiOf(target, address, exchange.role);
    if (api === undefined) {
      return undefined;
    }
    return observeModelCall(exchange, target, api, {
      observer,
      limits,
      keepContent: options.keepContent,
      maxContentBytes: options.maxContentBytes,
      ...(hosts === undefined ? {} : { hosts }),
      onParseFailure: options.onParseFailure ?? (() => {}),
      onLimit: options.onLimit ?? (() => {}),
    });
  };
}
