/** What following a model call takes, whether an exchange carries it or messages of a WebSocket do. */
import type { Exchange, RequestMessage } from '../http/exchange.ts';
import { Damage } from '../util/damage.ts';
import { createJsonScanner, type JsonResult, type JsonScanner } from '../util/json-scanner.ts';
import { type Answer, createAnswer } from './answer.ts';
import { ChunkClock } from './chunk-clock.ts';
import { ContentKeeper } from './content-keeper.ts';
import type { HostRules } from './host-rules.ts';
import type { CountedLlmLimit, LlmLimits } from './limits.ts';
import type { ParseStage } from './llm-stage.ts';
import type { ModelCall, ModelCallObserver, WireApi } from './model-call.ts';
import { providerOfHost, providerOfPath } from './provider-hosts.ts';
import { pathOf, serverAddressOf } from './server-address.ts';
import { validTraceparent } from './traceparent.ts';
import type { AnswerReader, CallContext, RequestReader, WireApiReader } from './wire-api.ts';

export interface ModelCallOptions {
  observer: ModelCallObserver;
  limits: LlmLimits;
  keepContent: boolean;
  maxContentBytes: number;
  /** Hosts beyond those that are known. */
  hosts?: HostRules;
  onParseFailure(stage: ParseStage, api: WireApi): void;
  onLimit(limit: CountedLlmLimit): void;
}

export interface CallParts {
  readonly context: CallContext;
  readonly answer: Answer;
  /** A scanner of JSON that `reader` reads. */
  scannerOf(reader: RequestReader | AnswerReader): JsonScanner;
  /** Notes on the call what is wrong with a JSON text. */
  judge(result: JsonResult, isBodyComplete: boolean, stage: ParseStage): void;
  /** The answer is over: completes the call. */
  finish(endNs: bigint): void;
}

export function createCallParts(call: ModelCall, options: ModelCallOptions): CallParts {
  const { limits } = options;
  const assumed = call.provider;
  const isKnown = providerOf(call.exchange, options.hosts) !== undefined;
  const isProviderAssumed = () => call.provider === assumed && !isKnown;
  const content = new ContentKeeper({
    isOn: options.keepContent,
    maxFieldBytes: options.maxContentBytes,
    maxTotalBytes: limits.maxCallContentBytes,
    damage: call.damage,
  });
  const clock = new ChunkClock(call, limits.maxChunkGaps);
  const answer = createAnswer({
    call,
    content,
    limits,
    clock,
    onToolCall(toolCall) {
      options.observer.toolCall?.(call, toolCall);
    },
  });

  return {
    context: {
      call,
      content,
      limits,
      isProviderAssumed,
    },
    answer,
    scannerOf(reader) {
      return createJsonScanner({
        plan: reader.plan,
        limits: {
          maxDepth: limits.maxDepth,
          maxNodes: limits.maxNodes,
          maxStringBytes: limits.maxArgumentBytes,
          maxTextBytes: content.maxFieldBytes,
          maxTotalTextBytes: limits.maxCallContentBytes,
        },
        onItem(name, value, complete) {
          if ('item' in reader) {
            reader.item(name, value, complete);
          }
        },
      });
    },
    judge(result, isBodyComplete, stage) {
      const { damage } = call;
      if (result.limited || result.state === 'limit') {
        damage.add('limit');
      }
      if (result.state === 'limit') {
        options.onLimit('maxDepth');
      }
      if (result.replaced) {
        damage.add('decode-error');
      }
      const isTorn = result.state === 'incomplete' && !damage.kinds.has('gap');
      if (isTorn && !isBodyComplete) {
        damage.add('truncated');
      } else if (isTorn || result.state === 'invalid') {
        // The body is all there: it ends inside its JSON, or is none.
        damage.add('decode-error');
        options.onParseFailure(stage, call.api);
      }
    },
    finish(endNs) {
      call.endNs = endNs;
      if (call.httpStatus !== undefined && call.httpStatus >= 400) {
        call.error ??= { type: String(call.httpStatus) };
        if (call.error.type === '_OTHER') {
          call.error.type = String(call.httpStatus);
        }
      }
      if (isProviderAssumed()) {
        call.isProviderAssumed = true;
      }
      answer.finish();
    },
  };
}

/** A call of which only its exchange is known; `request` is the head that says where it went. */
export function newCall(
  exchange: Exchange,
  api: Pick<WireApiReader, 'api' | 'operation' | 'provider'>,
  request: RequestMessage | undefined,
  hosts: HostRules | undefined,
): ModelCall {
  const call: ModelCall = {
    api: api.api,
    operation: api.operation,
    provider: api.provider,
    exchange,
    request: {
      systemInstructions: [],
      messages: [],
      fingerprints: [],
      toolResults: [],
      toolDefinitions: [],
    },
    startNs: request?.startNs ?? 0n,
    endNs: request?.endNs ?? 0n,
    chunkGapsNs: [],
    complete: false,
    damage: new Damage(),
  };
  if (request === undefined) {
    return call;
  }
  const address = serverAddressOf(exchange);
  if (address !== undefined) {
    call.serverAddress = address.host;
    call.serverPort = address.port;
  }
  call.provider =
    providerOf(exchange, hosts) ?? providerOfPath(pathOf(request.target)) ?? call.provider;
  const traceparent = validTraceparent(request.headers.get('traceparent'));
  if (traceparent !== undefined) {
    call.traceparent = traceparent;
  }
  return call;
}

/** Whose server a request went to, where a rule or the host says it. */
function providerOf(exchange: Exchange, hosts: HostRules | undefined): string | undefined {
  const { request } = exchange;
  const address = serverAddressOf(exchange);
  if (request === undefined || address === undefined) {
    return undefined;
  }
  const path = pathOf(request.target);
  return hosts?.providerOf(address, path) ?? providerOfHost(address.host, path);
}
