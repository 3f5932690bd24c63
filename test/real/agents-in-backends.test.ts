/**
 * Real SDK agents, seen where a user looks: their trace in Jaeger through its API, their tokens in Prometheus, and
 * every panel of the dashboard answered, all through the collector with the files that the project ships.
 */
import assert from 'node:assert/strict';
import { PANELS } from '../../deploy/grafana/overview.ts';
import {
  type AgentProgram,
  type AgentSummary,
  NODE_AGENTS,
  PYTHON_AGENTS,
  runAgent,
} from '../support/agents/run-agent.ts';
import {
  type Backends,
  eventually,
  type JaegerSpan,
  type JaegerTrace,
  startBackends,
} from '../support/backends.ts';
import { requireKernel } from '../support/kernel-guard.ts';
import { type ModelServer, startModelServer } from '../support/model-server/server.ts';
import { type RunningSightline, startSightline } from '../support/sightline.ts';

const BIN = process.env.SIGHTLINE_TEST_BACKENDS ?? '';
const PYTHON = process.env.SIGHTLINE_TEST_PYTHON ?? '';

function tag(span: JaegerSpan | undefined, key: string): unknown {
  return span?.tags.find((candidate) => candidate.key === key)?.value;
}

function parentOf(span: JaegerSpan): string | undefined {
  return span.references.find((reference) => reference.refType === 'CHILD_OF')?.spanID;
}

function spansOf(trace: JaegerTrace, operation: string): JaegerSpan[] {
  return trace.spans
    .filter((span) => tag(span, 'gen_ai.operation.name') === operation)
    .sort((a, b) => a.startTime - b.startTime);
}

function assertTrace(trace: JaegerTrace, summary: AgentSummary, server: ModelServer): void {
  const [turn, ...otherTurns] = spansOf(trace, 'invoke_agent');
  assert.ok(turn !== undefined && otherTurns.length === 0, 'one turn in the trace');
  assert.equal(parentOf(turn), undefined);

  const ids = summary.turns[0]?.calls ?? [];
  const calls = spansOf(trace, 'chat');
  assert.deepEqual(
    calls.map((call) => tag(call, 'gen_ai.response.id')),
    ids,
  );
  for (const call of calls) {
    assert.equal(parentOf(call), turn.spanID);
    const truth = server
      .truth()
      .find((exchange) => exchange.answer?.id === tag(call, 'gen_ai.response.id'));
    assert.equal(tag(call, 'gen_ai.usage.input_tokens'), truth?.answer?.usage.inputTokens);
    assert.equal(tag(call, 'gen_ai.usage.output_tokens'), truth?.answer?.usage.outputTokens);
  }

  const tools = spansOf(trace, 'execute_tool');
  const ran = summary.turns[0]?.tools ?? [];
  assert.equal(tools.length, ran.length);
  tools.forEach((tool, index) => {
    assert.equal(parentOf(tool), turn.spanID);
    const [process] = trace.spans.filter((span) => parentOf(span) === tool.spanID);
    assert.ok(process, 'the tool call holds the process it started');
    assert.equal(tag(process, 'process.pid'), ran[index]?.pid);
    assert.equal(tag(process, 'process.exit.code'), ran[index]?.exitCode);
    assert.equal(tag(process, 'sightline.evidence'), 'wire+process');
  });
}

describe('SDK agents in real backends', function () {
  this.timeout(180_000);
  let backends: Backends;
  let server: ModelServer;
  let sightline: RunningSightline;

  before(async function () {
    requireKernel(this);
    assert.notEqual(BIN, '', 'SIGHTLINE_TEST_BACKENDS names no folder: use "npm run test:real"');
    backends = await startBackends(BIN);
    server = await startModelServer();
    sightline = await startSightline({
      env: {
        OTEL_TRACES_EXPORTER: 'otlp',
        OTEL_METRICS_EXPORTER: 'otlp',
        OTEL_LOGS_EXPORTER: 'otlp',
        OTEL_EXPORTER_OTLP_ENDPOINT: backends.grpcEndpoint,
        OTEL_BSP_SCHEDULE_DELAY: '200ms',
        OTEL_METRIC_EXPORT_INTERVAL: '1s',
      },
    });
  });

  after(async () => {
    sightline?.discard();
    await server?.stop();
    await backends?.stop();
  });

  for (const program of [...NODE_AGENTS, ...PYTHON_AGENTS] as AgentProgram[]) {
    const service = `real-${program}`;

    it(`${program}: one trace in Jaeger, with both tools' processes and exit codes`, async () => {
      const run = await runAgent({
        program,
        url: server.url,
        caPath: server.caPath,
        prompts: ['Run `echo all is well` and then `exit 3`, please.'],
        stream: true,
        env: { OTEL_SERVICE_NAME: service },
        ...(program.endsWith('_agent') ? { pythonPath: PYTHON } : {}),
      });
      const { summary } = run;
      assert.ok(run.exitCode === 0 && summary, run.stderr);
      assert.deepEqual(
        summary.turns[0]?.tools.map((tool) => tool.exitCode),
        [0, 3],
      );
      const trace = await eventually(`the trace of ${service} in Jaeger`, async () => {
        const traces = await backends.traces(service);
        const isWhole = traces.some((found) => spansOf(found, 'invoke_agent').length > 0);
        return isWhole ? traces : undefined;
      });
      assert.equal(trace.length, 1, 'one trace for the turn');
      assertTrace(trace[0]!, summary, server);
    });

    it(`${program}: its tokens in Prometheus`, async () => {
      const answers = server.truth().filter((exchange) => exchange.answer);
      const own = answers.slice(-3);
      for (const type of ['input', 'output'] as const) {
        const expected = own.reduce(
          (sum, { answer }) => sum + (answer?.usage[`${type}Tokens`] ?? 0),
          0,
        );
        const expression = `sum(gen_ai_client_token_usage_sum{service_name="${service}", gen_ai_token_type="${type}"})`;
        const seen = await eventually(`${type} tokens of ${service}`, async () => {
          const [series] = await backends.query(expression);
          return series !== undefined && Number(series.value[1]) >= expected
            ? Number(series.value[1])
            : undefined;
        });
        assert.equal(seen, expected);
      }
    });
  }

  for (const panel of PANELS) {
    it(`the dashboard's panel "${panel.title}" has data`, async () => {
      for (const { expr } of panel.queries) {
        const expression = expr
          .replaceAll('$__rate_interval', '5m')
          .replaceAll('$__range', '1h')
          .replaceAll('"$agent"', '".*"')
          .replaceAll('"$model"', '".*"');
        const series = await backends.query(expression);
        assert.ok(series.length > 0 || panel.mayBeEmpty, expression);
      }
    });
  }

  it('ends cleanly', async () => {
    const finished = await sightline.stop();
    assert.equal(finished.code, 0, finished.stderr);
    assert.doesNotMatch(finished.stderr, /not exported/);
  });
});
