import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { CLIENT_KINDS, runStreamingClient } from '../../../bench/support/streaming-client.ts';
import { type ModelServer, startModelServer } from '../../support/model-server/server.ts';

/** Of the scenario below: the role alone, the deltas, the finish reason, the usage, and `[DONE]`. */
const DELTAS = 30;
const EVENTS = DELTAS + 4;

describe('the clients of the benches', function () {
  this.timeout(30_000);
  let server: ModelServer;

  before(async () => {
    server = await startModelServer({
      defaultScenario: {
        text: 'word '.repeat(DELTAS),
        deltas: DELTAS,
        intervalMs: 5,
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
      const report = await runStreamingClient({ kind, url, caPath, streams: 3, exchanges: 5 });
      assert.equal(report.complete, 5);
      assert.equal(report.outputTokens, 150);
      assert.ok(report.events <= 5 * EVENTS && report.events > 5 * 10, `${report.events} events`);
      // Two after one another on at least one connection.
      assert.ok(report.wallMs > 2 * 10 * 5, `${report.wallMs} ms`);
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
