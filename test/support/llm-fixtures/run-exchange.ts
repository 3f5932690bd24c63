/** Feeds one HTTP exchange, in any pieces, to the llm stage, and gives what its observer was told. */
import {
  type Exchange,
  type ExchangeHandler,
  Headers,
  type Role,
} from '../../../src/http/exchange.ts';
import type { HostRules } from '../../../src/llm/host-rules.ts';
import type { LlmLimits } from '../../../src/llm/limits.ts';
import { createLlmStage } from '../../../src/llm/llm-stage.ts';
import type { ModelCall, ToolCall } from '../../../src/llm/model-call.ts';
import { Damage } from '../../../src/util/damage.ts';

export interface WireExchange {
  method?: string;
  target: string;
  host?: string;
  requestHeaders?: Record<string, string>;
  /** An object is written as JSON. */
  request: unknown;
  /** Undefined: no response came. */
  status?: number | undefined;
  contentType?: string;
  responseHeaders?: Record<string, string>;
  /** The body: text, or bytes where the framing is binary. */
  response?: string | Buffer;
  /** Whether the response's framing said that it was over; true by default. */
  isResponseComplete?: boolean;
  isRequestComplete?: boolean;
  role?: Role;
  version?: string;
}

export interface Splits {
  /** Sizes of the pieces of both bodies, in turns; a big number means whole. */
  sizes: readonly number[];
  /** Body offset of the response at which `lost` bytes are missing. */
  gapAt?: number;
  lost?: number;
}

export interface Observed {
  call: ModelCall | undefined;
  /** `started`, `toolCall NAME`, `finished` in order. */
  order: string[];
  toolCalls: ToolCall[];
  failures: string[];
}

export interface StageSettings {
  keepContent?: boolean;
  maxContentBytes?: number;
  limits?: Partial<LlmLimits>;
  hosts?: HostRules;
  followsServers?: boolean;
}

/** Request at 1 ms; each piece of the response 1 ms later than the one before, the first at 10 ms. */
export const MILLISECOND = 1_000_000n;

export function runExchange(
  wire: WireExchange,
  splits: Splits = { sizes: [Number.MAX_SAFE_INTEGER] },
  settings: StageSettings = {},
): Observed {
  return runExchanges([wire], settings, splits)[0]!;
}

/** One exchange after the other, through the same stage. */
export function runExchanges(
  wires: readonly WireExchange[],
  settings: StageSettings = {},
  splits: Splits = { sizes: [Number.MAX_SAFE_INTEGER] },
): Observed[] {
  const all: Observed[] = [];
  let observed: Observed = nothingObserved();
  const handler = createLlmStage({
    observer: {
      started(call) {
        observed.call = call;
        observed.order.push('started');
      },
      toolCall(_call, toolCall) {
        observed.toolCalls.push(toolCall);
        observed.order.push(`toolCall ${toolCall.name}`);
      },
      finished() {
        observed.order.push('finished');
      },
    },
    keepContent: settings.keepContent ?? true,
    maxContentBytes: settings.maxContentBytes ?? 65_536,
    ...(settings.limits && { limits: settings.limits }),
    ...(settings.hosts && { hosts: settings.hosts }),
    followsServers: settings.followsServers ?? false,
    onParseFailure: (stage, api) => observed.failures.push(`${stage} ${api}`),
    onLimit: (limit) => observed.failures.push(`limit ${limit}`),
  });
  for (const wire of wires) {
    observed = nothingObserved();
    all.push(observed);
    feed(handler, wire, splits);
  }
  return all;
}

function nothingObserved(): Observed {
  return { call: undefined, order: [], toolCalls: [], failures: [] };
}

function feed(handler: ExchangeHandler, wire: WireExchange, splits: Splits): void {
  const exchange = exchangeOf(wire);
  const observer = handler(exchange);
  if (observer === undefined) {
    return;
  }
  const requestBytes = Buffer.from(
    typeof wire.request === 'string' ? wire.request : JSON.stringify(wire.request),
  );
  for (const piece of pieces(requestBytes, splits.sizes)) {
    observer.requestBody?.data(piece, MILLISECOND);
    piece.fill(0x7e);
  }
  observer.requestBody?.end(wire.isRequestComplete ?? true, MILLISECOND);
  exchange.request!.complete = wire.isRequestComplete ?? true;
  let nowNs = 10n * MILLISECOND;
  if (wire.status !== undefined) {
    const response = {
      startNs: nowNs,
      endNs: nowNs,
      status: wire.status,
      headers: new Headers([
        ['Content-Type', wire.contentType ?? 'application/json'],
        ...Object.entries(wire.responseHeaders ?? {}),
      ]),
      bodyBytes: 0,
      complete: false,
    };
    exchange.response = response;
    const sink = observer.response?.(response);
    let offset = 0;
    const body = wire.response ?? '';
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    for (const piece of pieces(bytes, splits.sizes)) {
      const size = piece.length;
      const lossStart = splits.gapAt ?? Number.POSITIVE_INFINITY;
      const lossEnd = lossStart + (splits.lost ?? 0);
      const before = piece.subarray(0, Math.max(0, Math.min(size, lossStart - offset)));
      const after = piece.subarray(Math.min(size, Math.max(0, lossEnd - offset)));
      if (offset + size <= lossStart) {
        sink?.data(piece, nowNs);
      } else {
        if (before.length > 0) {
          sink?.data(before, nowNs);
        }
        if (offset <= lossStart) {
          sink?.gap(nowNs);
          exchange.damage.add('gap', splits.lost);
        }
        if (after.length > 0) {
          sink?.data(after, nowNs);
        }
      }
      offset += size;
      response.endNs = nowNs;
      // The memory of a piece is used again, as the kernel's slabs are.
      piece.fill(0x7e);
      nowNs += MILLISECOND;
    }
    sink?.end(wire.isResponseComplete ?? true, nowNs);
    response.complete = wire.isResponseComplete ?? true;
  }
  observer.end?.(exchange, nowNs);
}

function exchangeOf(wire: WireExchange): Exchange {
  const fields: [string, string][] = [['Host', wire.host ?? 'localhost:8443']];
  for (const [name, value] of Object.entries(wire.requestHeaders ?? {})) {
    fields.push([name, value]);
  }
  return {
    connection: {
      process: { pid: 1, startNs: 1n },
      stack: 'openssl',
      object: 8,
      generation: 1n,
    },
    role: wire.role ?? 'client',
    version: wire.version ?? '1.1',
    ordinal: 0,
    request: {
      startNs: 0n,
      endNs: MILLISECOND,
      headers: new Headers(fields),
      bodyBytes: 0,
      complete: true,
      method: wire.method ?? 'POST',
      target: wire.target,
    },
    damage: new Damage(),
  };
}

function* pieces(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  let offset = 0;
  let turn = 0;
  while (offset < bytes.length) {
    const size = sizes[turn % sizes.length] ?? bytes.length;
    turn += 1;
    yield Buffer.from(bytes.subarray(offset, offset + size));
    offset += size;
  }
}

/** Events of a chat completions stream. */
export function openAiEvents(chunks: readonly unknown[], done = true): string {
  const lines = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('');
  return done ? `${lines}data: [DONE]\n\n` : lines;
}

/** Events of a messages stream; each is named by its type. */
export function anthropicEvents(
  events: readonly { type: string; [member: string]: unknown }[],
): string {
  return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('');
}
