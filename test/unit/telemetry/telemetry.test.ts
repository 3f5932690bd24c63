/** The room as a whole: sampling, limits, hosts, sinks for people. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoryPiece } from '../../../src/session/story.ts';
import type { TelemetryOptions } from '../../../src/telemetry/options.ts';
import { createTelemetry } from '../../../src/telemetry/telemetry.ts';
import { type FlatSpan, parseOtlpLines } from '../../support/otlp-file.ts';
import {
  callPiece,
  HOST,
  lonePiece,
  makeCall,
  makeProcess,
  spanId,
  TRACE_ID,
  toolPiece,
  turnPiece,
} from '../../support/story-pieces.ts';
import { startTelemetry } from '../../support/telemetry-harness.ts';

describe('telemetry', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'telemetry-'));
  });

  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  function spansOf(pieces: StoryPiece[], options: Partial<TelemetryOptions> = {}): FlatSpan[] {
    const path = join(directory, 'spans.jsonl');
    rmSync(path, { force: true });
    const { telemetry } = startTelemetry({ ...options, file: { path } });
    for (const piece of pieces) {
      telemetry.piece(piece);
    }
    try {
      return parseOtlpLines(readFileSync(path, 'utf8')).spans;
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOENT');
      return [];
    }
  }

  it('exports nothing whose time it cannot know', () => {
    const telemetry = createTelemetry({
      version: '1',
      traces: { kind: 'console' },
      metrics: { kind: 'none' },
      logs: { kind: 'none' },
      terminal: { write: () => assert.fail('printed') },
      notice: () => assert.fail('noticed'),
    });
    telemetry.piece(lonePiece());
    assert.equal(telemetry.stats().piecesBeforeHost, 1);
  });

  it('does not throw for a piece that it cannot tell, and says so once', () => {
    const { telemetry, notices } = startTelemetry();
    const broken = { ...callPiece(), call: undefined } as unknown as StoryPiece;
    telemetry.piece(broken);
    telemetry.piece(broken);
    assert.equal(telemetry.stats().failedPieces, 2);
    assert.equal(notices.length, 1);
  });

  it('samples a whole trace or nothing of it', () => {
    const pieces = (trace: string): StoryPiece[] => {
      const ids = (piece: StoryPiece): StoryPiece => ({
        ...piece,
        ids: { ...piece.ids, traceId: trace },
      });
      return [callPiece(), toolPiece(), turnPiece()].map(ids);
    };
    const traces = Array.from({ length: 200 }, (_, index) =>
      ((BigInt(index + 1) * 0x9e3779b97f4a7c15f39cc0605cedc834n) % 2n ** 128n)
        .toString(16)
        .padStart(32, '0'),
    );
    for (const sampler of ['traceidratio', 'parentbased_traceidratio'] as const) {
      const spans = spansOf(traces.flatMap(pieces), { sampler, samplerRatio: 0.5 });
      const counts = new Map<string, number>();
      for (const { traceId } of spans) {
        counts.set(traceId, (counts.get(traceId) ?? 0) + 1);
      }
      assert.ok(counts.size > 60 && counts.size < 140, `${counts.size}`);
      assert.deepEqual([...new Set(counts.values())], [3]);
    }
  });

  it('follows the decision of the application whose trace a call joins', () => {
    const parentSpanId = '00f067aa0ba902b7';
    const joined = (flags: string) =>
      callPiece(makeCall({ traceparent: `00-${TRACE_ID}-${parentSpanId}-${flags}` }), {
        ids: { traceId: TRACE_ID, spanId: spanId(2), parentSpanId },
      });
    assert.equal(spansOf([joined('01')]).length, 1);
    assert.equal(spansOf([joined('00')]).length, 0);
    assert.equal(spansOf([joined('00')], { sampler: 'always_on' }).length, 1);
    assert.equal(spansOf([callPiece()], { sampler: 'always_off' }).length, 0);
  });

  it('cuts attribute values where told to', () => {
    const [span] = spansOf([lonePiece()], { attributeValueLengthLimit: 4 });
    assert.equal(span?.attributes['gen_ai.request.model'], 'clau');
  });

  it('gives each workload its own resource, and forgets the oldest ones', () => {
    const of = (pid: number): StoryPiece => {
      const root = makeProcess({ ref: { pid, startNs: 1n } });
      return { ...lonePiece(), workload: { root, name: `w${pid}`, isAgent: false }, process: root };
    };
    const spans = spansOf([of(1), of(2), of(3), of(1)], { limits: { maxWorkloads: 2 } });
    assert.deepEqual(
      spans.map(({ resource }) => [resource['service.name'], resource['process.pid']]),
      [
        ['w1', 1],
        ['w2', 2],
        ['w3', 3],
        ['w1', 1],
      ],
    );
  });

  it('begins anew with another host', () => {
    const path = join(directory, 'hosts.jsonl');
    const { telemetry } = startTelemetry({ file: { path } });
    telemetry.piece(lonePiece());
    telemetry.host({ ...HOST, hostName: 'other', clockOffsetNs: HOST.clockOffsetNs + 1n });
    telemetry.piece(lonePiece());
    const { spans } = parseOtlpLines(readFileSync(path, 'utf8'));
    assert.deepEqual(
      spans.map(({ resource }) => resource['host.name']),
      ['build-7', 'other'],
    );
    assert.equal((spans[1]?.startNs ?? 0n) - (spans[0]?.startNs ?? 0n), 1n);
  });

  it('writes metrics and events for people', async () => {
    const { telemetry, printed } = startTelemetry({
      metrics: { kind: 'console' },
      logs: { kind: 'console' },
      captureContent: 'EVENT_ONLY',
    });
    telemetry.piece(lonePiece());
    assert.match(printed(), /^gen_ai\.client\.inference\.operation\.details .*Two: a and b\./);
    await telemetry.shutdown();
    assert.match(
      printed(),
      /claude-code {2}gen_ai\.client\.token\.usage\{.*gen_ai\.token\.type="input"\} {2}count 1 {2}sum 1200 \{token\}/,
    );
  });

  it('keeps the last values of a service that makes room for another', async () => {
    const { telemetry, printed } = startTelemetry({
      metrics: { kind: 'console' },
      limits: { maxServices: 1 },
    });
    const named = (name: string): StoryPiece => ({
      ...lonePiece(),
      workload: { ...lonePiece().workload, name },
    });
    telemetry.piece(named('first'));
    telemetry.piece(named('second'));
    await telemetry.shutdown();
    assert.match(printed(), /first {2}gen_ai\.client\.operation\.duration/);
    assert.match(printed(), /second {2}gen_ai\.client\.operation\.duration/);
    assert.equal(printed().match(/operation\.duration/g)?.length, 2);
  });

  it('survives a terminal that fails, and counts what it did not get', async () => {
    const { telemetry } = startTelemetry({
      metrics: { kind: 'console' },
      limits: { maxServices: 1 },
      terminal: {
        write: () => {
          throw new Error('gone');
        },
      },
    });
    const named = (name: string): StoryPiece => ({
      ...lonePiece(),
      workload: { ...lonePiece().workload, name },
    });
    for (let number = 0; number < 5; number += 1) {
      telemetry.piece(named(`service ${number}`));
    }
    await telemetry.flush();
    await telemetry.shutdown();
    assert.deepEqual(telemetry.stats().metrics, { exported: 0, failed: 6, services: 0 });
  });

  it('emits no event unless content goes to events', () => {
    for (const captureContent of ['NO_CONTENT', 'SPAN_ONLY'] as const) {
      const path = join(directory, `${captureContent}.jsonl`);
      const { telemetry } = startTelemetry({ captureContent, file: { path } });
      telemetry.piece(lonePiece());
      assert.deepEqual(parseOtlpLines(readFileSync(path, 'utf8')).logs, []);
    }
  });

  it('emits no event of inference for embeddings', () => {
    for (const operation of ['chat', 'embeddings'] as const) {
      const path = join(directory, `event-of-${operation}.jsonl`);
      const { telemetry } = startTelemetry({ captureContent: 'EVENT_ONLY', file: { path } });
      const piece = lonePiece();
      assert.ok(piece.kind === 'call');
      telemetry.piece({ ...piece, call: { ...piece.call, operation } });
      const { logs } = parseOtlpLines(readFileSync(path, 'utf8'));
      assert.equal(logs.length, operation === 'chat' ? 1 : 0);
    }
  });
});
