/** The SDK agents against the server that plays the model: rounds of tools, parallel calls, failures, several turns. */
import assert from 'node:assert/strict';
import { type AgentRun, NODE_AGENTS, runAgent } from '../../support/agents/run-agent.ts';
import { scenarioMarker } from '../../support/model-server/scenario.ts';
import { type ModelServer, startModelServer } from '../../support/model-server/server.ts';

function summaryOf(run: AgentRun) {
  assert.equal(run.exitCode, 0, run.stderr);
  assert.ok(run.summary, run.stdout);
  return run.summary;
}

describe('SDK agents', function () {
  this.timeout(60_000);
  let server: ModelServer;

  before(async () => {
    server = await startModelServer();
  });
  after(() => server.stop());
  beforeEach(() => server.reset());

  for (const program of NODE_AGENTS) {
    for (const stream of [false, true]) {
      it(`${program} runs the commands of its prompts, ${stream ? '' : 'not '}streaming`, async () => {
        const run = await runAgent({
          program,
          stream,
          url: server.url,
          caPath: server.caPath,
          prompts: ['Run `echo one` and then `echo two; exit 3`.', 'And now `echo three`.'],
        });
        const { turns } = summaryOf(run);
        const truth = await server.settle(5);
        assert.equal(truth.length, 5);
        assert.deepEqual(
          turns.flatMap((turn) => turn.calls),
          truth.map((exchange) => exchange.answer?.id),
        );
        assert.deepEqual(
          turns.map((turn) => turn.tools.map((tool) => [tool.command, tool.exitCode])),
          [
            [
              ['echo one', 0],
              ['echo two; exit 3', 3],
            ],
            [['echo three', 0]],
          ],
        );
        // The final answer holds what the commands really printed, so it is no constant of the server.
        assert.match(turns[0]!.answer, /gave: one\n[\s\S]*gave: two\nexit code 3/);
        assert.match(turns[1]!.answer, /gave: three$/);
        const failed = truth[2]!.request.toolResults;
        assert.equal(failed?.length, 1);
        assert.equal(failed[0]?.id, turns[0]!.tools[1]?.id);
        assert.equal(failed[0]?.isError, program === 'anthropic-agent' ? true : undefined);
      });
    }

    it(`${program} runs parallel tool calls of a marked plan`, async () => {
      const marker = scenarioMarker({
        toolDeltas: 'interleaved',
        agent: {
          rounds: [[{ command: 'echo a' }, { command: 'echo b' }], [{ command: 'false' }]],
          final: 'All done.',
        },
      });
      const run = await runAgent({
        program,
        stream: true,
        url: server.url,
        caPath: server.caPath,
        prompts: [`Work. ${marker}`],
      });
      const turn = summaryOf(run).turns[0]!;
      const truth = await server.settle(3);
      assert.deepEqual(
        turn.tools.map((tool) => [tool.command, tool.exitCode, tool.output]),
        [
          ['echo a', 0, 'a\n'],
          ['echo b', 0, 'b\n'],
          ['false', 1, ''],
        ],
      );
      assert.equal(turn.answer, 'All done.');
      assert.deepEqual(
        truth.map((exchange) => exchange.answer?.choices[0]?.toolCalls.map((call) => call.id)),
        [turn.tools.slice(0, 2).map((tool) => tool.id), [turn.tools[2]!.id], []],
      );
    });
  }
});
