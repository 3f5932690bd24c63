import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { CLIENT_KINDS, runStreamingClient } from '../../../bench/support/streaming-client.ts';
import { type ModelServer, startModelServer } from '../../support/model-server/server.ts';

/** Of the scenario below: the role alone, the deltas, the finish reason, the usage, and `[DONE]`. */
const DELTAS = 20;
const EVENTS = DELTAS + 4;
/** Longer than a busy machine lets either side wait: events that are late come together, without a gap between them. */
const INTERVAL_MS = 50;
const EXCHANGES = 5;

describe('the clients of the benches', function () {
  this.timeout(120_000);
  let server: ModelServer;

  before(async () => {
    server = await startModelServer({
      defaultScenario: {
        text: 'word '.repeat(DELTAS),
        deltas: DELTAS,
        intervalMs: INTERVAL_MS,
        tokens: { output: 30 },
      },
    });
  });

  after(async () => {
    await server.stop();
  });

  for (const kind of CLIENT_KINDS) {
    it(`${kind}: reads every event of every stream, and measures itself`, async function () {
      if (kind === 'python' && !hasHttpx()) {
        this.skip();
      }
      const { url, caPath } = server;
      const report = await runStreamingClient({
        kind,
        url,
        caPath,
        streams: 3,
        exchanges: EXCHANGES,
      });
      assert.equal(report.complete, EXCHANGES);
      assert.equal(report.outputTokens, 30 * EXCHANGES);
      const { events } = report;
      // The server puts some deltas together.
      assert.ok(
        events <= EXCHANGES * EVENTS && events > EXCHANGES * (DELTAS - 5),
        `${events} events`,
      );
      // Two after one another on at least one connection; no event is sent before it is due.
      assert.ok(report.wallMs > 2 * (DELTAS - 5) * INTERVAL_MS, `${report.wallMs} ms`);
      // Half of the events would have to be late by a whole interval.
      assert.ok(report.gapP50Ms > 1 && report.gapP99Ms >= report.gapP50Ms);
      assert.ok(report.userMs + report.systemMs > 0);
    });
  }

  it('fails when the server cannot be reached', async () => {
    const options = { kind: 'node', url: 'https://127.0.0.1:1', caPath: server.caPath } as const;
    await assert.rejects(runStreamingClient({ ...options, streams: 1, exchanges: 1 }));
  });
});

function hasHttpx(): boolean {
  return spawnSync('/usr/bin/python3', ['-c', 'import httpx']).status === 0;
}
