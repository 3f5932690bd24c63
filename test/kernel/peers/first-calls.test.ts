/** The first call of each connection tells of its handshake, and no other call does. */
import assert from 'node:assert/strict';
import { runClient } from '../../support/clients/run-client.ts';
import { chatSpans } from '../../support/compare.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { assertExact, observe } from '../../support/observed-server.ts';

const CALLS = 12;
const CONNECTIONS = 3;

describe('handshakes on the first calls of connections', function () {
  this.timeout(120_000);

  before(function () {
    requireKernel(this);
  });

  for (const program of ['node-https', 'httpx_async_client'] as const) {
    it(`${program}: an event on one span of each connection`, async () => {
      const observation = await observe({}, async (server) => {
        await runClient({
          program,
          url: server.url,
          caPath: server.caPath,
          count: CALLS,
          connections: CONNECTIONS,
          concurrency: CONNECTIONS,
        });
      });
      assertExact(observation, CALLS);
      const connections = new Set(observation.truth.map(({ connection }) => connection));
      assert.ok(connections.size > 1 && connections.size < CALLS, `${connections.size}`);
      const spans = chatSpans(observation.spans);
      const told = spans.flatMap((span) =>
        span.events
          .filter(({ name }) => name === 'sightline.tls.handshake')
          .map((event) => ({ span, event })),
      );
      assert.equal(told.length, connections.size);
      assert.equal(new Set(told.map(({ span }) => span.spanId)).size, connections.size);
      for (const { span, event } of told) {
        assert.equal(event.attributes['sightline.tls.stack'], 'openssl');
        assert.equal(event.attributes['sightline.tls.handshake.outcome'], 'completed');
        const seconds = Number(event.attributes['sightline.tls.handshake.duration']);
        assert.ok(seconds > 0 && seconds < 30, `${seconds} s`);
        assert.ok(event.timeNs <= span.endNs);
      }
    });
  }
});
