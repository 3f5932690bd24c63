/**
 * Drops exchanges by an expression, each as early as the expression can be judged: with the head of the request, with the
 * head of the response, or at the end, when sizes are known.
 */
import type { CelCondition } from '../util/cel/cel-expression.ts';
import type { Exchange, ExchangeHandler, Headers, ResponseMessage } from './exchange.ts';
import { requestUrlOf } from './request-url.ts';

/** What an expression may ask about the process that has the exchange. */
export interface FilteredProcess {
  pid: number;
  /** File name of the executable. */
  name: string;
  /** Path of the executable. */
  executable: string;
}

export interface ExchangeFilterOptions {
  condition: CelCondition;
  processOf(exchange: Exchange): FilteredProcess;
  /** The expression had no answer, such as for a header that is missing: the exchange is kept. */
  onUnanswered(): void;
}

export interface ExchangeFilter {
  /** Asks `next` only about exchanges that are not dropped at once; of those dropped later its observer hears no more. */
  wrap(next: ExchangeHandler): ExchangeHandler;
  isDropped(exchange: Exchange): boolean;
  /** Does `action` now, or as soon as it is known that the exchange is kept; never for one that is dropped. */
  whenKept(exchange: Exchange, action: () => void): void;
  /** Judges now what is not judged yet, sizes as they are: the exchange opens a socket that may last for days. */
  settle(exchange: Exchange): void;
}

/** How far an exchange has come. */
type Stage = 'request' | 'response' | 'end';

type Value = string | bigint | Map<string, string>;
type Values = Map<string, Map<string, Value>>;

export function createExchangeFilter(options: ExchangeFilterOptions): ExchangeFilter {
  const { condition } = options;
  const lastStage = lastStageOf(condition.paths);
  /** What waits for exchanges that are not judged yet. */
  const waiting = new WeakMap<Exchange, (() => void)[]>();
  const dropped = new WeakSet<Exchange>();
  const asks = (path: string): boolean => condition.paths.has(path);

  /** Undefined: it cannot be told yet. */
  function judge(exchange: Exchange, stage: Stage): boolean | undefined {
    const answer = condition.evaluate(valuesOf(exchange, stage));
    if (answer === undefined && (stage === lastStage || stage === 'end')) {
      options.onUnanswered();
      return true;
    }
    return answer;
  }

  function advance(exchange: Exchange, stage: Stage): void {
    const actions = waiting.get(exchange);
    const isKept = actions && judge(exchange, stage);
    if (actions === undefined || isKept === undefined) {
      return;
    }
    waiting.delete(exchange);
    if (!isKept) {
      dropped.add(exchange);
      return;
    }
    for (const action of actions) {
      action();
    }
  }

  function valuesOf(exchange: Exchange, stage: Stage): Values {
    const values: Values = new Map([['process', processValues(exchange)]]);
    const request = exchange.request && requestValues(exchange, stage);
    if (request !== undefined) {
      values.set('request', request);
    }
    if (stage !== 'request') {
      values.set('response', responseValues(exchange.response, stage));
    }
    return values;
  }

  function processValues(exchange: Exchange): Map<string, Value> {
    const values = new Map<string, Value>();
    if (asks('process.pid') || asks('process.name') || asks('process.executable')) {
      const { pid, name, executable } = options.processOf(exchange);
      values.set('pid', BigInt(pid)).set('name', name).set('executable', executable);
    }
    return values;
  }

  function requestValues(exchange: Exchange, stage: Stage): Map<string, Value> | undefined {
    const { request } = exchange;
    const url = requestUrlOf(exchange);
    if (request === undefined || url === undefined) {
      return undefined;
    }
    const values = new Map<string, Value>([
      ['method', request.method],
      ['path', url.path],
      ['query', url.query],
      ['host', url.host ?? ''],
      ['port', BigInt(url.port)],
      ['scheme', url.scheme],
    ]);
    if (asks('request.headers')) {
      values.set('headers', headerValues(request.headers));
    }
    if (stage === 'end') {
      values.set('size', BigInt(request.bodyBytes));
    }
    return values;
  }

  /** Of a response that never came: no status, no headers, no size. */
  function responseValues(response: ResponseMessage | undefined, stage: Stage): Map<string, Value> {
    const contentType = response?.headers.get('content-type') ?? '';
    const values = new Map<string, Value>([
      ['status', BigInt(response?.status ?? 0)],
      ['content_type', contentType.split(';', 1)[0]?.trim().toLowerCase() ?? ''],
    ]);
    if (asks('response.headers')) {
      values.set('headers', headerValues(response?.headers));
    }
    if (stage === 'end') {
      values.set('size', BigInt(response?.bodyBytes ?? 0));
    }
    return values;
  }

  return {
    wrap(next) {
      return (exchange) => {
        const isKept = judge(exchange, 'request');
        if (isKept === false) {
          dropped.add(exchange);
          return undefined;
        }
        if (isKept === true) {
          return next(exchange);
        }
        waiting.set(exchange, []);
        const observer = next(exchange);
        return {
          ...(observer?.requestBody && { requestBody: observer.requestBody }),
          response(response) {
            advance(exchange, 'response');
            // Nobody reads the body of one that is dropped: it need not even be copied.
            return dropped.has(exchange) ? undefined : observer?.response?.(response);
          },
          end(ended, timeNs) {
            advance(exchange, 'end');
            if (!dropped.has(exchange)) {
              observer?.end?.(ended, timeNs);
            }
          },
        };
      };
    },
    isDropped: (exchange) => dropped.has(exchange),
    whenKept(exchange, action) {
      const actions = waiting.get(exchange);
      if (actions !== undefined) {
        actions.push(action);
      } else if (!dropped.has(exchange)) {
        action();
      }
    },
    settle: (exchange) => advance(exchange, 'end'),
  };
}

/** When everything that is asked for is known. */
function lastStageOf(paths: ReadonlySet<string>): Stage {
  const isOfResponse = [...paths].some((path) => path.startsWith('response.'));
  const isOfSize = paths.has('request.size') || paths.has('response.size');
  return isOfSize ? 'end' : isOfResponse ? 'response' : 'request';
}

function headerValues(headers: Headers | undefined): Map<string, string> {
  const values = new Map<string, string>();
  for (const [name, value] of headers?.fields ?? []) {
    const lowerName = name.toLowerCase();
    const before = values.get(lowerName);
    values.set(lowerName, before === undefined ? value : `${before}, ${value}`);
  }
  return values;
}
