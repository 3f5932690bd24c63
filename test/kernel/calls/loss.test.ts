/** A ring made too small on purpose: every drop is counted and marked, and nothing untouched is wrong. */
import assert from 'node:assert/strict';
import { runClient } from '../../support/clients/run-client.ts';
import { chatSpans, compareSpansWithTruth } from '../../support/compare.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { observe } from '../../support/observed-server.ts';

const SMALLEST_RING = '64KiB';
const REQUESTS = 60;
/** Calls of which not even the head was captured. */
const MAX_MISSING = 6;

describe('a ring that is too small', function () {
  this.timeout(120_000);

  before(function () {
    requireKernel(this);
  });

  it('marks the damaged spans, counts every drop, and leaves the others exact', async () => {
    const env = {
      SIGHTLINE_RING_BYTES: SMALLEST_RING,
      OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'SPAN_ONLY',
    };
    const observation = await observe({ env }, async (server) => {
      // Answers that fit the ring between two that do not, on connections that are used again and again.
      await runClient({
        program: 'node-https',
        url: server.url,
        caPath: server.caPath,
        count: REQUESTS,
        connections: 3,
        concurrency: 3,
        stream: true,
        includeUsage: true,
        scenario: [
          { textBytes: 200, deltas: 3 },
          { textBytes: 400_000, deltas: 50, writeBytes: 'whole' },
          { textBytes: 300, deltas: 3 },
        ],
      });
    });
    const spans = chatSpans(observation.spans);
    const damaged = spans.filter((span) => span.attributes['sightline.damage'] !== undefined);
    const lost = damaged.filter((span) => Number(span.attributes['sightline.lost_bytes'] ?? 0) > 0);
    assert.ok(damaged.length > 0, 'the ring was not small enough to lose anything');
    assert.ok(lost.length > 0, 'no damaged span says how many bytes it lost');
    assert.ok(spans.length - damaged.length >= 10, 'hardly anything was left whole');
    const differences = compareSpansWithTruth(observation.spans, observation.truth, {
      content: true,
      allowDamage: true,
      allowMissing: true,
    });
    assert.deepEqual(differences, []);
    const said = /(\d+) captured bytes were lost in the kernel/.exec(observation.finished.stderr);
    assert.ok(said !== null, 'the loss is not told');
    // The kernel counts what it lost of the whole host, the server's own end included: an upper bound only.
    const total = Number(said[1]);
    const onSpans = damaged.reduce(
      (sum, span) => sum + Number(span.attributes['sightline.lost_bytes'] ?? 0),
      0,
    );
    assert.ok(onSpans <= total, `spans lack ${onSpans} bytes, but the kernel lost ${total}`);
    const missing = REQUESTS - spans.length;
    assert.ok(missing >= 0 && missing <= MAX_MISSING, `${missing} of ${REQUESTS} have no span`);
  });
});
