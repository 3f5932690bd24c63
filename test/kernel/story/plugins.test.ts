/** Plugins beside real programs: what each hook does to spans, metrics and events, and what a broken one costs. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { runAgent } from '../../support/agents/run-agent.ts';
import { runClient } from '../../support/clients/run-client.ts';
import { chatSpans } from '../../support/compare.ts';
import { type HttpsServer, startHttpsServer } from '../../support/https-server.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import type { ModelServer } from '../../support/model-server/server.ts';
import { type Observation, observe } from '../../support/observed-server.ts';
import type { FlatPoint, FlatSpan } from '../../support/otlp-file.ts';
import { startHttpReceiver } from '../../support/otlp-receiver.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const CUSTOMER = 'C-0012345';
const run = promisify(execFile);

const FOUR_HOOKS = `
const redact = (text) => text.replaceAll('${CUSTOMER}', 'C-*******');
export default {
  name: 'four-hooks',
  exchange({ process, method, target, status, responseBytes }) {
    const isDropped = target === '/dropped' || process.argv.some((each) => each.endsWith('node-fetch.mjs'));
    return { drop: isDropped, attributes: { 'seen.exchange': [method ?? '', target ?? '', String(status)], 'seen.bytes': responseBytes } };
  },
  call: ({ usage }) => ({ redact, attributes: { 'seen.call': usage.outputTokens ?? -1, 'gen_ai.operation.name': 'forged' } }),
  toolCall: ({ name }) => ({ redact, attributes: { 'seen.tool': name } }),
  turn: ({ callCount }) => ({ redact, attributes: { 'seen.turn': callCount } }),
};
`;

interface ObservedAgent extends Observation {
  /** Sightline's own health, which goes to the endpoint alone. */
  own: FlatPoint[];
}

const BROKEN = {
  'never-returns': 'export const call = () => { while (true) {} };',
  'redacts-forever': 'export const turn = () => ({ redact() { for (;;) {} } });',
  'takes-seconds':
    'export function exchange() { const end = Date.now() + 3000; while (Date.now() < end); }',
  throws: 'export function toolCall() { throw new Error("of its own"); }',
};

describe('plugins beside real programs', function () {
  this.timeout(120_000);
  let folder = '';
  let server: HttpsServer;
  let port = 0;

  before(async function () {
    requireKernel(this);
    folder = mkdtempSync(join(tmpdir(), 'sightline-plugins-'));
    // Root runs only what nobody else can write, whatever the umask is here.
    chmodSync(folder, 0o755);
    server = await startHttpsServer((request, response) => {
      request.resume();
      response.end('seven b');
    });
    port = server.port;
  });
  after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function put(name: string, text: string): string {
    const path = join(folder, `${name}.mjs`);
    writeFileSync(path, text, { mode: 0o644 });
    return path;
  }

  function example(name: string): string {
    const path = join(folder, name);
    copyFileSync(join(ROOT, 'examples/plugins', name), path);
    chmodSync(path, 0o644);
    return path;
  }

  /** An agent that runs curl twice for a customer, and a program that calls the model three times. */
  async function observeAgent(plugins: readonly string[]): Promise<ObservedAgent> {
    const receiver = await startHttpReceiver();
    const env = {
      SIGHTLINE_PLUGINS: plugins.join(','),
      SIGHTLINE_HTTP_SPANS: 'all',
      OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'SPAN_AND_EVENT',
      AGENTS_ROOT: join(ROOT, 'test/support'),
      OTEL_METRICS_EXPORTER: 'otlp',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${receiver.port}`,
    };
    const work = async (model: ModelServer): Promise<void> => {
      const curl = `curl -s -o /dev/null --cacert ${server.caPath} https://127.0.0.1:${port}`;
      const agent = await runAgent({
        program: 'openai-agent',
        url: model.url,
        caPath: model.caPath,
        prompts: [`Run \`echo ${CUSTOMER}; ${curl}/kept; ${curl}/dropped; true\`, please.`],
        stream: true,
      });
      assert.equal(agent.exitCode, 0, agent.stderr);
      const { url, caPath } = model;
      await runClient({ program: 'node-fetch', url, caPath, count: 3 });
    };
    try {
      const observation = await observe({ env, added: /^(?:seen|team)[.]/ }, work);
      return { ...observation, own: receiver.content().points };
    } finally {
      await receiver.close();
    }
  }

  const ofOperation = (spans: readonly FlatSpan[], name: string): FlatSpan[] =>
    spans.filter((span) => span.attributes['gen_ai.operation.name'] === name);

  function httpSpans(spans: readonly FlatSpan[]): FlatSpan[] {
    return spans.filter(
      (span) => 'http.request.method' in span.attributes && span.attributes['server.port'] === port,
    );
  }

  function countOf(points: readonly FlatPoint[], metric: string, ofPort: unknown): number {
    return points
      .filter((point) => point.metric === metric && point.attributes['server.port'] === ofPort)
      .reduce((sum, point) => sum + (point.histogram?.count ?? 0), 0);
  }

  const health = (points: readonly FlatPoint[], metric: string): unknown[] =>
    points
      .filter((point) => point.metric === metric)
      .map(({ attributes: { plugin, hook, reason }, value }) =>
        [plugin, hook, reason, value].filter((each) => each !== undefined).join(' '),
      )
      .sort();

  it('add to, redact and drop what all four hooks are asked about', async () => {
    const { spans, points, logs, own, truth, finished } = await observeAgent([
      put('four-hooks', FOUR_HOOKS),
    ]);
    assert.equal(finished.code, 0, finished.stderr);
    assert.doesNotMatch(finished.stderr, /switched off/);
    assert.equal(truth.length, 5, 'two calls of the agent, three that are dropped');
    const chats = chatSpans(spans);
    assert.equal(chats.length, 2);
    for (const { attributes } of chats) {
      assert.deepEqual(attributes['seen.exchange'], ['POST', '/v1/chat/completions', '200']);
      assert.equal(attributes['seen.call'], attributes['gen_ai.usage.output_tokens']);
      assert.equal(attributes['gen_ai.operation.name'], 'chat');
    }
    const [turn, ...otherTurns] = ofOperation(spans, 'invoke_agent');
    assert.equal(otherTurns.length, 0);
    assert.equal(turn?.attributes['seen.turn'], 2);
    const [tool] = ofOperation(spans, 'execute_tool');
    assert.equal(tool?.attributes['seen.tool'], tool?.attributes['gen_ai.tool.name']);

    const texts = [...chats, ...ofOperation(spans, 'execute_tool'), turn].map((span) =>
      JSON.stringify(span?.attributes),
    );
    for (const text of texts) {
      assert.match(text, /C-\*{7}/);
      assert.doesNotMatch(text, new RegExp(CUSTOMER));
    }

    const [http, ...others] = httpSpans(spans);
    assert.equal(others.length, 0);
    assert.deepEqual(http?.attributes['seen.exchange'], ['GET', '/kept', '200']);
    assert.equal(http?.attributes['seen.bytes'], 7);

    // What is dropped is not measured either, and has no events.
    const modelPort = chats[0]?.attributes['server.port'];
    assert.equal(countOf(points, 'http.client.request.duration', port), 1);
    assert.equal(countOf(points, 'gen_ai.client.operation.duration', modelPort), 2);
    const traces = new Set(chats.map(({ traceId }) => traceId));
    const events = logs.filter((log) => log.attributes['server.port'] === modelPort);
    assert.equal(events.length, 2);
    assert.ok(events.every((log) => traces.has(log.traceId)));
    assert.ok(events.every((log) => 'seen.call' in log.attributes));
    assert.doesNotMatch(JSON.stringify(events.map((log) => log.attributes)), new RegExp(CUSTOMER));
    // Nothing of a plugin's is on a metric.
    assert.ok(
      points.every((each) => Object.keys(each.attributes).every((key) => !/^seen/.test(key))),
    );
    const drops = health(own, 'sightline.plugin_drops').join();
    assert.match(drops, /^four-hooks exchange \d+$/);
  });

  it('that hang, take seconds or throw are switched off, counted, and nothing else is lost', async () => {
    const broken = Object.entries(BROKEN).map(([name, text]) => put(name, text));
    const observation = await observeAgent([...broken, put('four-hooks', FOUR_HOOKS)]);
    const { spans, own, finished, truth } = observation;
    assert.equal(finished.code, 0, finished.stderr);
    assert.equal(truth.length, 5);
    assert.equal(chatSpans(spans).length, 2, finished.stderr);
    assert.ok(chatSpans(spans).every(({ attributes }) => 'seen.call' in attributes));
    assert.ok(chatSpans(spans).every(({ attributes }) => !('sightline.damage' in attributes)));
    assert.equal(ofOperation(spans, 'invoke_agent').length, 1);
    assert.equal(ofOperation(spans, 'execute_tool').length, 1);
    assert.equal(httpSpans(spans).length, 1);
    assert.deepEqual(health(own, 'sightline.plugin_errors'), [
      'never-returns call slow 1',
      'redacts-forever turn slow 1',
      'takes-seconds exchange slow 1',
      'throws toolCall threw 1',
    ]);
    assert.equal(finished.stderr.match(/is switched off/g)?.length, 4);
    assert.match(finished.stderr, /never-returns is switched off, .* no answer in 1000 ms/);
  });

  it('as the examples are: the team by its folder, customers kept out', async () => {
    const { spans, logs, finished } = await observeAgent([
      example('team-from-path.mjs'),
      example('customer-privacy.mjs'),
    ]);
    assert.equal(finished.code, 0, finished.stderr);
    assert.doesNotMatch(finished.stderr, /switched off/);
    const ofAgent = [
      ...ofOperation(spans, 'invoke_agent'),
      ...ofOperation(spans, 'execute_tool'),
      ...chatSpans(spans).filter((span) => span.parentSpanId !== undefined),
    ];
    assert.equal(ofAgent.length, 4);
    for (const { attributes } of ofAgent) {
      // The agent's script lies in AGENTS_ROOT/agents.
      assert.equal(attributes['team.name'], 'agents');
      assert.equal(attributes['team.cost_centre'], undefined);
      assert.match(JSON.stringify(attributes), /C-\*{7}/);
      assert.doesNotMatch(JSON.stringify(attributes), new RegExp(CUSTOMER));
    }
    const events = logs.map((log) => JSON.stringify(log.attributes)).join();
    assert.doesNotMatch(events, new RegExp(CUSTOMER));
    const clients = chatSpans(spans).filter((span) => span.parentSpanId === undefined);
    assert.equal(clients.length, 3);
    assert.ok(clients.every(({ attributes }) => attributes['team.name'] === 'clients'));
  });

  it('drop health checks as the example says', async () => {
    const env = {
      SIGHTLINE_PLUGINS: example('customer-privacy.mjs'),
      SIGHTLINE_HTTP_SPANS: 'all',
    };
    const ca = server.caPath;
    const url = `https://127.0.0.1:${port}`;
    const observation = await observe({ env }, async ({ url: base, caPath }) => {
      await runClient({ program: 'node-fetch', url: base, caPath, count: 1 });
      await run('curl', ['-s', '-o', '/dev/null', '--cacert', ca, `${url}/a`]);
      await run('curl', ['-s', '-A', 'kube-probe/1.30', '--cacert', ca, `${url}/healthz`]);
    });
    const measured = observation.points;
    assert.equal(countOf(measured, 'http.client.request.duration', port), 1);
    assert.equal(chatSpans(observation.spans).length, 1);
  });
});
