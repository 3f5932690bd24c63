/** A real SDK agent that asks for shell commands: one trace with its turn, calls, tools and processes. */
import assert from 'node:assert/strict';
import { NODE_AGENTS, runAgent } from '../../support/agents/run-agent.ts';
import { chatSpans } from '../../support/compare.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { assertExact, observe } from '../../support/observed-server.ts';
import type { FlatSpan } from '../../support/otlp-file.ts';

const OPERATION = 'gen_ai.operation.name';

function ofOperation(spans: readonly FlatSpan[], operation: string): FlatSpan[] {
  return spans.filter((span) => span.attributes[OPERATION] === operation);
}

function childrenOf(spans: readonly FlatSpan[], parent: FlatSpan): FlatSpan[] {
  return spans.filter((span) => span.parentSpanId === parent.spanId);
}

describe('an agent turn, captured in the kernel', function () {
  this.timeout(60_000);

  before(function () {
    requireKernel(this);
  });

  for (const program of NODE_AGENTS) {
    it(`${program}: the turn, both kinds of calls, each tool with its process and exit code`, async () => {
      let agentPid = 0;
      const toolPids: number[] = [];
      const observation = await observe({}, async (server) => {
        const run = await runAgent({
          program,
          url: server.url,
          caPath: server.caPath,
          prompts: ['Run `echo one; ls /nowhere-at-all` and then `exit 3`, please.'],
          stream: true,
        });
        assert.equal(run.exitCode, 0, run.stderr);
        agentPid = run.summary?.pid ?? 0;
        toolPids.push(...(run.summary?.turns[0]?.tools.map((tool) => tool.pid) ?? []));
      });
      assertExact(observation, 3);
      const { spans } = observation;
      assert.equal(new Set(spans.map((span) => span.traceId)).size, 1, 'one trace');

      const [turn, ...otherTurns] = ofOperation(spans, 'invoke_agent');
      assert.ok(turn !== undefined && otherTurns.length === 0, 'one turn');
      assert.equal(turn.parentSpanId, undefined);
      assert.equal(turn.kind, 'INTERNAL');
      for (const call of chatSpans(spans)) {
        assert.equal(call.parentSpanId, turn.spanId);
        assert.ok(call.startNs >= turn.startNs && call.endNs <= turn.endNs);
      }

      const tools = ofOperation(spans, 'execute_tool');
      assert.equal(tools.length, 2);
      const exits: unknown[] = [];
      tools.forEach((tool, index) => {
        assert.equal(tool.parentSpanId, turn.spanId);
        const processes = childrenOf(spans, tool);
        assert.equal(processes.length, 1, 'one process of the agent for each tool call');
        const [process] = processes;
        assert.equal(process?.attributes['process.pid'], toolPids[index]);
        assert.equal(process?.attributes['sightline.evidence'], 'wire+process');
        exits.push(process?.attributes['process.exit.code']);
      });
      assert.equal(exits.at(-1), 3);
      for (const span of spans) {
        assert.equal(span.resource['process.pid'], agentPid, 'children share the resource');
        assert.notEqual(
          span.resource['service.name'],
          'sightline',
          'an agent is not named as we are',
        );
      }
    });
  }
});
