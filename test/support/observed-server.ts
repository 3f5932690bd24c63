/** A Sightline on the real kernel beside a model server: what the tests of whole calls start from. */
import assert from 'node:assert/strict';
import { type CompareOptions, chatSpans, compareSpansWithTruth } from './compare.ts';
import { conventionViolations } from './conventions/check.ts';
import type { ExchangeTruth } from './model-server/exchange-truth.ts';
import {
  type ModelServer,
  type ModelServerOptions,
  startModelServer,
} from './model-server/server.ts';
import { type FlatSpan, type OtlpContent, readOtlpFile } from './otlp-file.ts';
import {
  type FinishedSightline,
  type RunningSightline,
  type SightlineOptions,
  startSightline,
} from './sightline.ts';

export interface ObservedServerOptions extends SightlineOptions {
  server?: ModelServerOptions;
  /** Names of attributes that plugins add. */
  added?: RegExp;
}

/** Everything a run left, once both are stopped. */
export interface Observation extends OtlpContent {
  truth: ExchangeTruth[];
  finished: FinishedSightline;
}

/**
 * Starts both, lets `work` drive the server, stops Sightline, and gives what it exported: only what concerns this
 * server, because the whole host is observed. Whatever was exported must be as the conventions have it.
 */
export async function observe(
  options: ObservedServerOptions,
  work: (server: ModelServer, sightline: RunningSightline) => Promise<void>,
): Promise<Observation> {
  const server = await startModelServer(options.server);
  let sightline: RunningSightline | undefined;
  try {
    sightline = await startSightline(options);
    await work(server, sightline);
    await server.settle();
    const finished = await sightline.stop();
    const content = readOtlpFile(sightline.file);
    const generation = options.env?.SIGHTLINE_SEMCONV === 'latest' ? 'latest' : '1.41';
    const violations = conventionViolations(content, generation).filter(
      (each) =>
        options.added?.test(each.match(/: (\S+) does not belong there$/)?.[1] ?? '') !== true,
    );
    assert.deepEqual(violations.slice(0, 20), []);
    return { ...content, spans: ofServer(content.spans, server), truth: server.truth(), finished };
  } finally {
    sightline?.discard();
    await server.stop();
  }
}

/** Spans of the traces in which this server was called. */
function ofServer(spans: readonly FlatSpan[], server: ModelServer): FlatSpan[] {
  const traces = new Set(
    chatSpans(spans)
      .filter((span) => span.attributes['server.port'] === server.port)
      .map((span) => span.traceId),
  );
  return spans.filter((span) => traces.has(span.traceId));
}

/** Exactly one span for each of `count` calls, each equal to the truth. */
export function assertExact(
  observation: Observation,
  count: number,
  options: CompareOptions = {},
): void {
  const calls = observation.truth.filter((exchange) => exchange.answer !== undefined);
  assert.equal(calls.length, count, 'requests that the server answered');
  assert.deepEqual(compareSpansWithTruth(observation.spans, observation.truth, options), []);
  assert.equal(chatSpans(observation.spans).length, count);
}
