/**
 * Follows one exchange that may be a model call. The call begins when its request is known, and ends at the
 * first of: the end its own protocol marks, the end of the answer's body, the end of the exchange.
 */
import type { BodySink, Exchange, ExchangeObserver, ResponseMessage } from '../http/exchange.ts';
import { createStreamReader, type RecordFormat } from '../http/stream-reader.ts';
import type { Damage } from '../util/damage.ts';
import { type AnswerFormat, createFormatDetector, jsonOrEvents } from './answer-format.ts';
import { createCallParts, type ModelCallOptions, newCall } from './call-parts.ts';
import { isTooDeepRecord } from './json-access.ts';
import type { ModelCall } from './model-call.ts';
import { providerOfHeaders } from './provider-signatures.ts';
import { createRequestBody } from './request-body.ts';
import type { AnswerReader, CallTarget, RequestReader, WireApiReader } from './wire-api.ts';

type Phase = 'request' | 'running' | 'finished' | 'no-call';

export function observeModelCall(
  exchange: Exchange,
  target: CallTarget,
  api: WireApiReader,
  options: ModelCallOptions,
): ExchangeObserver {
  const { limits, observer } = options;
  const call = newCall(exchange, api, target.request, options.hosts);
  const { context, answer, scannerOf, judge, finish: complete } = createCallParts(call, options);
  let phase: Phase = 'request';

  const requestReader: RequestReader = api.readRequest(context, target);
  const requestBody = createRequestBody(requestReader, scannerOf(requestReader), target.request);
  const answerReader: AnswerReader = api.readAnswer(context, answer);

  /** The request is over, or the answer does not wait for it. */
  function start(isBodyComplete: boolean): void {
    if (phase !== 'request') {
      return;
    }
    const { isCall, result } = requestBody.end(isBodyComplete);
    if (!isCall) {
      phase = 'no-call';
      return;
    }
    phase = 'running';
    if (result !== undefined) {
      judge(result, isBodyComplete, 'llm.request');
    } else if (!isBodyComplete) {
      call.damage.add('truncated');
    }
    observer.started(call);
  }

  /** `isCutShort`: the answer stopped before its end, and nothing else explains that. */
  function finish(endNs: bigint, isCutShort: boolean): void {
    if (phase !== 'running') {
      return;
    }
    phase = 'finished';
    complete(endNs);
    mergeDamage(call, exchange.damage);
    if (isCutShort && call.error === undefined && !call.damage.kinds.has('gap')) {
      call.damage.add('truncated');
    }
    observer.finished(call);
  }

  function jsonSink(): BodySink {
    const scanner = scannerOf(answerReader);
    let lastNs = 0n;
    return {
      data(bytes, timeNs) {
        lastNs = timeNs;
        scanner.push(bytes);
      },
      gap() {
        scanner.gap();
      },
      end(isBodyComplete, timeNs) {
        const result = scanner.end();
        judge(result, isBodyComplete, 'llm.answer');
        const endNs = lastNs === 0n ? timeNs : lastNs;
        answerReader.body(result.value, result.state === 'complete', endNs);
        call.complete = result.state === 'complete';
        finish(endNs, result.state === 'empty');
      },
    };
  }

  /** A record that the API does not send, or one nested too deep to be read. */
  function refuse(text: string): void {
    if (isTooDeepRecord(text)) {
      call.damage.add('limit');
      options.onLimit('maxDepth');
    } else {
      call.damage.add('decode-error');
      options.onParseFailure('llm.event', call.api);
    }
  }

  function recordSink(format: RecordFormat): BodySink {
    let lastNs = 0n;
    const decoder = createStreamReader(format, {
      maxRecordBytes: limits.maxEventBytes,
      onRecord({ name, text, isException, complete }, timeNs) {
        if (phase !== 'running') {
          return;
        }
        // Half an event is no event; clients, too, take the last one only when it is readable.
        if (!answerReader.event(name, text, timeNs, isException) && complete) {
          refuse(text);
        }
        if (answerReader.isDone) {
          call.complete = true;
          finish(timeNs, false);
        }
      },
      onDamage(kind) {
        if (phase !== 'running') {
          return;
        }
        call.damage.add(kind);
        if (kind === 'decode-error') {
          options.onParseFailure('llm.event', call.api);
        } else {
          options.onLimit('maxEventBytes');
        }
      },
    });
    return {
      data(bytes, timeNs) {
        lastNs = timeNs;
        decoder.data(bytes, timeNs);
      },
      gap(timeNs) {
        decoder.gap(timeNs);
        answerReader.gap();
      },
      end(isBodyComplete, timeNs) {
        decoder.end(isBodyComplete, timeNs);
        if (phase !== 'running') {
          return;
        }
        const isEnd = call.error === undefined && answerReader.mayEnd?.() === true;
        call.complete = isBodyComplete && isEnd;
        finish(lastNs === 0n ? timeNs : lastNs, !call.complete);
      },
    };
  }

  /** Neither JSON nor records: the page of a proxy, or nothing; where it `isMeant` so, sound. */
  function otherSink(isMeant = false): BodySink {
    let lastNs = 0n;
    return {
      data(_bytes, timeNs) {
        lastNs = timeNs;
      },
      gap() {},
      end(isBodyComplete, timeNs) {
        // Of a failed request any answer will do; of another one this is none.
        call.complete = isBodyComplete && (isMeant || (call.httpStatus ?? 0) >= 400);
        if (lastNs !== 0n && isBodyComplete && !call.complete) {
          call.damage.add('decode-error');
          options.onParseFailure('llm.answer', call.api);
        }
        const isCutShort = !isBodyComplete || (lastNs === 0n && !call.complete);
        finish(lastNs === 0n ? timeNs : lastNs, isCutShort);
      },
    };
  }

  /** Holds the first bytes back until they tell what the body is. */
  function answerSink(response: ResponseMessage): BodySink {
    const contentType = response.headers.get('content-type') ?? '';
    const detector = createFormatDetector(contentType, (seen) =>
      (answerReader.formatOf ?? jsonOrEvents)(seen),
    );
    let held: Buffer = Buffer.alloc(0);
    let sink: BodySink | undefined;
    if (response.status < 400 && answerReader.isOpaque?.(contentType) === true) {
      sink = otherSink(true);
    }

    function choose(format: AnswerFormat, timeNs: bigint): BodySink {
      sink = format === 'json' ? jsonSink() : format === 'other' ? otherSink() : recordSink(format);
      if (held.length > 0) {
        sink.data(held, timeNs);
      }
      return sink;
    }

    return {
      data(bytes, timeNs) {
        start(false);
        if (phase !== 'running') {
          return;
        }
        if (sink !== undefined) {
          sink.data(bytes, timeNs);
          return;
        }
        const format = detector.push(bytes);
        if (format === undefined && held.length + bytes.length <= MAX_HELD_BYTES) {
          held = Buffer.concat([held, bytes]);
          return;
        }
        choose(format ?? 'other', timeNs).data(bytes, timeNs);
      },
      gap(timeNs) {
        call.damage.add('gap');
        start(false);
        if (phase !== 'running') {
          return;
        }
        // What begins with a hole and does not call itself a stream is lost as a whole.
        const format = detector.end();
        (sink ?? choose(format === 'other' ? 'json' : format, timeNs)).gap(timeNs);
      },
      end(isBodyComplete, timeNs) {
        start(false);
        (sink ?? choose(detector.end(), timeNs)).end(isBodyComplete, timeNs);
      },
    };
  }

  return {
    requestBody: {
      data(bytes, timeNs) {
        requestBody.data(bytes, timeNs);
      },
      gap(timeNs) {
        call.damage.add('gap');
        requestBody.gap(timeNs);
      },
      end(isBodyComplete) {
        start(isBodyComplete);
      },
    },
    response(response) {
      if (phase === 'no-call') {
        return undefined;
      }
      call.httpStatus = response.status;
      if (context.isProviderAssumed()) {
        call.provider = providerOfHeaders(response.headers, target.path) ?? call.provider;
      }
      return answerSink(response);
    },
    end(ended, timeNs) {
      start(ended.request?.complete ?? false);
      finish(ended.response?.endNs ?? ended.request?.endNs ?? timeNs, true);
    },
  };
}

/** White space that keeps a connection alive may precede an answer; more of it than this is no answer. */
const MAX_HELD_BYTES = 64 * 1024;

/** A call that is there to its end is not truncated, though its exchange may be: clients stop at `[DONE]`. */
function mergeDamage(call: ModelCall, damage: Damage): void {
  const wasTruncated = call.damage.kinds.has('truncated');
  call.damage.merge(damage);
  if (call.complete && !wasTruncated) {
    call.damage.kinds.delete('truncated');
  }
}
