/** The server as a process of its own, and the demo that runs it with its agent. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runClient } from '../../support/clients/run-client.ts';
import type { ExchangeTruth } from '../../support/model-server/exchange-truth.ts';
import { spawnModelServer } from '../../support/model-server/spawn.ts';
import { assertEqualToTruth } from './equal-to-truth.ts';

function runDemo(
  prefix: readonly string[],
): Promise<{ code: number | null; out: string; err: string }> {
  const path = fileURLToPath(new URL('../../../demo/run.ts', import.meta.url));
  const child = spawn(
    process.execPath,
    [`--import=${import.meta.resolve('tsx')}`, path, ...prefix],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let out = '';
  let err = '';
  child.stdout.on('data', (bytes) => {
    out += bytes;
  });
  child.stderr.on('data', (bytes) => {
    err += bytes;
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })));
}

describe('the model server as a process', function () {
  this.timeout(60_000);

  it('answers, keeps the truth in a file, and obeys', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'truth-'));
    const truthPath = join(directory, 'truth.jsonl');
    const server = await spawnModelServer({ truthPath, seed: 7 });
    try {
      await server.script([{ text: 'scripted' }]);
      const run = await runClient({
        program: 'node-fetch',
        url: server.url,
        caPath: server.caPath,
        count: 3,
        stream: true,
      });
      const truth = await server.settle(3);
      assertEqualToTruth(run.results, truth);
      assert.equal(truth[0]?.answer?.choices[0]?.text, 'scripted');
      await assert.rejects(server.settle(4, 50), /saw 3 of 4 exchanges end/);
      await server.reset();
      assert.deepEqual(await server.settle(), []);
      const { caPath } = server;
      await server.stop();
      assert.equal(existsSync(caPath), false, 'the certificate is gone with the server');
      const written = new Map<number, ExchangeTruth>();
      for (const line of readFileSync(truthPath, 'utf8').split('\n').filter(Boolean)) {
        const exchange = JSON.parse(line) as ExchangeTruth;
        written.set(exchange.exchange, exchange);
      }
      assert.deepEqual(
        [...written.values()].map((exchange) => exchange.answer),
        truth.map((exchange) => exchange.answer),
      );
      assert.equal(written.get(3)?.clientEnd, 'closed');
    } finally {
      await server.stop();
      rmSync(directory, { recursive: true });
    }
  });

  it('runs the demo under any command and ends with its exit code', async () => {
    const plain = await runDemo([]);
    assert.equal(plain.code, 0, plain.err);
    assert.match(plain.out, /\$ uname -a\n/);
    assert.match(plain.out, /gave: Linux /);
    assert.match(plain.out, /exit 3` gave: exit code 3\n$/);
    const failing = await runDemo(['sh', '-c', 'test -r "$NODE_EXTRA_CA_CERTS" && exit 7', 'sh']);
    assert.equal(failing.code, 7, failing.err);
    const missing = await runDemo(['/no/such/observer', '--']);
    assert.equal(missing.code, 127);
    assert.match(missing.err, /cannot start \/no\/such\/observer/);
  });
});
