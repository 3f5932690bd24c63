/** OpenAI's and Anthropic's Python SDKs and the agents on them against the model server, without any observer. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { runAgent } from '../support/agents/run-agent.ts';
import { runClient } from '../support/clients/run-client.ts';
import { type ModelServer, startModelServer } from '../support/model-server/server.ts';
import { assertEqualToTruth } from '../unit/model-server/equal-to-truth.ts';

describe('Python SDKs', function () {
  this.timeout(300_000);
  let server: ModelServer;
  let pythonPath: string;

  before(async () => {
    const script = fileURLToPath(new URL('../../scripts/real/python-sdks.sh', import.meta.url));
    pythonPath = execFileSync(script, { encoding: 'utf8' }).trim();
    server = await startModelServer();
  });
  after(() => server?.stop());
  beforeEach(() => server.reset());

  for (const program of ['openai_client', 'anthropic_client'] as const) {
    for (const stream of [false, true]) {
      it(`${program}, ${stream ? '' : 'not '}streaming`, async () => {
        const run = await runClient({
          program,
          pythonPath,
          stream,
          includeUsage: true,
          url: server.url,
          caPath: server.caPath,
          count: 23,
          scenario: [
            {},
            { encoding: 'gzip', writeBytes: 'random' },
            { toolCalls: [{ name: 'look', arguments: { at: 'größe' } }], newline: 'crlf' },
          ],
        });
        assert.equal(run.exitCode, 0, run.stderr);
        assertEqualToTruth(run.results, await server.settle(23));
      });
    }
  }

  for (const program of ['openai_agent', 'anthropic_agent'] as const) {
    for (const stream of [false, true]) {
      it(`${program}, ${stream ? '' : 'not '}streaming`, async () => {
        const run = await runAgent({
          program,
          pythonPath,
          stream,
          url: server.url,
          caPath: server.caPath,
          prompts: ['Run `echo one` and then `echo two; exit 3`.'],
        });
        assert.equal(run.exitCode, 0, run.stderr);
        const turn = run.summary?.turns[0];
        assert.deepEqual(
          turn?.tools.map((tool) => [tool.command, tool.exitCode]),
          [
            ['echo one', 0],
            ['echo two; exit 3', 3],
          ],
        );
        assert.match(turn?.answer ?? '', /gave: one\n[\s\S]*gave: two\nexit code 3/);
        const truth = await server.settle(3);
        assert.deepEqual(
          turn?.calls,
          truth.map((exchange) => exchange.answer?.id),
        );
      });
    }
  }
});
