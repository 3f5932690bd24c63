/** Both ends of a call on this host: one span, of the client, and metrics of the server where they are asked for. */
import assert from 'node:assert/strict';
import { runClient } from '../../support/clients/run-client.ts';
import { chatSpans } from '../../support/compare.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { assertExact, observe } from '../../support/observed-server.ts';
import type { FlatPoint } from '../../support/otlp-file.ts';

const REQUESTS = 7;

async function run(capture: string, tls: boolean): Promise<{ served: FlatPoint[]; port: number }> {
  let port = 0;
  const observation = await observe(
    { env: { SIGHTLINE_CAPTURE: capture }, server: { tls } },
    async (server) => {
      port = server.port;
      await runClient({
        program: 'node-fetch',
        url: server.url,
        caPath: server.caPath,
        count: REQUESTS,
        stream: true,
        includeUsage: true,
      });
    },
  );
  assertExact(observation, REQUESTS);
  assert.equal(chatSpans(observation.spans).length, REQUESTS);
  const served = observation.points.filter(
    ({ metric, attributes }) =>
      metric.startsWith('gen_ai.server.') && attributes['server.port'] === port,
  );
  return { served, port };
}

function counts(served: readonly FlatPoint[]): Record<string, number | undefined> {
  const last = new Map(served.map(({ metric, histogram }) => [metric, histogram?.count]));
  return Object.fromEntries(last);
}

describe('calls whose server is on this host', function () {
  this.timeout(60_000);

  before(function () {
    requireKernel(this);
  });

  for (const tls of [true, false]) {
    it(`are measured at the server too, ${tls ? 'over TLS' : 'without TLS'}, when asked for`, async () => {
      const { served } = await run('tls,plain,server,process', tls);
      assert.deepEqual(counts(served), {
        'gen_ai.server.request.duration': REQUESTS,
        'gen_ai.server.time_to_first_token': REQUESTS,
        'gen_ai.server.time_per_output_token': REQUESTS,
      });
      for (const { metric, histogram, unit } of served) {
        assert.equal(unit, 's', metric);
        assert.ok((histogram?.sum ?? 0) > 0, metric);
      }
    });
  }

  it('have no metrics of the server unless asked for', async () => {
    assert.deepEqual((await run('tls,plain,process', false)).served, []);
  });
});
