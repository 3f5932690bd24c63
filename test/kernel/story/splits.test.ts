/** Any split of a recorded conversation into reads and writes gives the same story. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { pipelineSettings } from '../../../src/agent-settings.ts';
import type { CaptureEvent, DataEvent } from '../../../src/capture/events.ts';
import { readRecording } from '../../../src/capture/recording-reader.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { createPipeline } from '../../../src/pipeline.ts';
import { createCounters } from '../../../src/self/counters.ts';
import { contentPolicy } from '../../../src/telemetry/content.ts';
import { describePiece } from '../../../src/telemetry/piece-span.ts';
import { CONVENTIONS } from '../../../src/telemetry/semconv.ts';
import { deferToAfterEach } from '../../support/after-each.ts';
import { runAgent } from '../../support/agents/run-agent.ts';
import { runClient } from '../../support/clients/run-client.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { startModelServer } from '../../support/model-server/server.ts';
import { startSightline } from '../../support/sightline.ts';

const RUNS = 25;
const CONTENT_ON = { OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'SPAN_ONLY' };

async function eventsOf(path: string): Promise<CaptureEvent[]> {
  const events: CaptureEvent[] = [];
  await readRecording({
    path,
    onEvent: (event) => {
      events.push(
        event.type === 'data' ? { ...event, bytes: Uint8Array.from(event.bytes) } : event,
      );
    },
  });
  return events;
}

/** The spans that these events give, as they are handed to the exporters. */
function storyOf(events: readonly CaptureEvent[]): unknown[] {
  const spans: unknown[] = [];
  const content = contentPolicy('SPAN_ONLY');
  const pipeline = createPipeline(
    pipelineSettings(loadConfig(CONTENT_ON)),
    {
      host: () => {},
      piece: (piece) => spans.push(describePiece(piece, content, CONVENTIONS['1.41'])),
    },
    createCounters(),
  );
  for (const event of events) {
    pipeline.push(event);
  }
  return spans;
}

/** Cuts a call's bytes in parts, as the kernel does with a large call. */
function cut(event: DataEvent, places: readonly number[]): DataEvent[] {
  if (event.decoded !== undefined && event.decoded.length > 0) {
    // What its bytes decoded to belongs to the call as a whole.
    return [event];
  }
  const size = event.bytes.length;
  const edges = [...new Set(places.map((place) => place % size))].sort((a, b) => a - b);
  const starts = [0, ...edges.filter((edge) => edge > 0)];
  return starts.map((start, index) => ({
    ...event,
    position: event.position + start,
    callOffset: event.callOffset + start,
    bytes: event.bytes.subarray(start, starts[index + 1] ?? size),
  }));
}

describe('a recorded conversation', function () {
  this.timeout(180_000);
  const defer = deferToAfterEach();

  before(function () {
    requireKernel(this);
  });

  it('tells the same story however its calls are cut', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sightline-splits-'));
    defer(() => rmSync(folder, { recursive: true, force: true }));
    const recording = join(folder, 'run.slrec');
    const server = await startModelServer();
    defer(() => server.stop());
    const live = await startSightline({
      command: 'record',
      args: ['-o', recording],
      env: CONTENT_ON,
    });
    defer(live.discard);
    await runAgent({
      program: 'openai-agent',
      url: server.url,
      caPath: server.caPath,
      prompts: ['Run `echo hello` and `exit 3`, please.'],
      stream: true,
    });
    await runClient({
      program: 'node-https',
      url: server.url,
      caPath: server.caPath,
      api: 'anthropic',
      count: 8,
      connections: 3,
      concurrency: 3,
      stream: true,
      scenario: [
        { textBytes: 2000, encoding: 'gzip' },
        { textBytes: 1000, encoding: 'br' },
        { toolCalls: [{ name: 'look', arguments: { at: 'größe' } }], newline: 'crlf' },
      ],
    });
    assert.equal((await live.stop()).code, 0);
    const events = await eventsOf(recording);
    const story = storyOf(events);
    assert.ok(story.length >= 8 + 3 + 2, `only ${story.length} spans`);
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 1, maxLength: 6 }), fc.nat(), (places, salt) => {
        let turn = salt;
        const resplit = events.flatMap((event) => {
          turn += 1;
          return event.type === 'data' && event.bytes.length > 1
            ? cut(
                event,
                places.map((place) => place + turn * 31),
              )
            : [event];
        });
        assert.deepEqual(storyOf(resplit), story);
      }),
      { numRuns: RUNS },
    );
  });
});
