/** HTTP exchanges that are no model calls, captured in the kernel: where they stand, what they say, and which are dropped. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { deferToAfterEach } from '../../support/after-each.ts';
import { runAgent } from '../../support/agents/run-agent.ts';
import { runClient } from '../../support/clients/run-client.ts';
import { chatSpans } from '../../support/compare.ts';
import { conventionViolations } from '../../support/conventions/check.ts';
import { type HttpsServer, startHttpsServer } from '../../support/https-server.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { startModelServer } from '../../support/model-server/server.ts';
import { observe } from '../../support/observed-server.ts';
import { type FlatSpan, type OtlpContent, readOtlpFile } from '../../support/otlp-file.ts';
import { replayToFile, runSightline, startSightline } from '../../support/sightline.ts';

const MIB = 1024 * 1024;
const DOWNLOAD_BYTES = 100 * MIB;
const SECRET = 'hunter2-is-not-a-key-by-its-shape';
const OWN_METHODS = 'OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS';
const run = promisify(execFile);

function httpSpans(spans: readonly FlatSpan[], port: number): FlatSpan[] {
  return spans.filter(
    (span) => 'http.request.method' in span.attributes && span.attributes['server.port'] === port,
  );
}

describe('HTTP exchanges that are no model calls', function () {
  this.timeout(120_000);
  const defer = deferToAfterEach();
  let server: HttpsServer;
  let port = 0;
  let curl: string[] = [];

  before(async function () {
    requireKernel(this);
    const block = Buffer.alloc(MIB, 'b');
    server = await startHttpsServer(async (request, response) => {
      const path = request.url?.split('?', 1)[0];
      request.resume();
      if (path === '/missing') {
        response.writeHead(404, { 'content-type': 'text/plain' }).end('none');
      } else if (path === '/broken') {
        response.writeHead(200, { 'content-length': 1000 }).write('half');
        setTimeout(() => response.destroy(), 50);
      } else if (path === '/download') {
        const head = {
          'content-type': 'application/octet-stream',
          'content-length': DOWNLOAD_BYTES,
        };
        response.writeHead(200, head);
        for (let done = 0; done < DOWNLOAD_BYTES; done += MIB) {
          if (!response.write(block)) {
            await once(response, 'drain');
          }
        }
        response.end();
      } else {
        response.writeHead(201, { 'content-type': 'application/json' }).end('{"a":1}');
      }
    });
    port = server.port;
    curl = ['-s', '-o', '/dev/null', '--cacert', server.caPath];
  });
  after(async () => {
    await server?.stop();
  });

  /** What a Sightline with this environment exports of some curl processes, each with the arguments given. */
  async function observeCurl(
    env: Readonly<Record<string, string>>,
    requests: readonly string[][],
  ): Promise<OtlpContent & { own: FlatSpan[] }> {
    // Of this host's other programs nothing is of interest here.
    const sightline = await startSightline({ env: { SIGHTLINE_TARGET_COMM: 'curl', ...env } });
    try {
      for (const args of requests) {
        await run('curl', [...curl, ...args]).catch((error: { code?: unknown }) => {
          // What the server breaks off, curl calls an error (18: a partial file).
          assert.equal(error.code, 18);
        });
      }
      const finished = await sightline.stop();
      assert.equal(finished.code, 0, finished.stderr);
      const content = readOtlpFile(sightline.file);
      // What a user lists is none of the conventions' own methods.
      const isListed = (violation: string): boolean =>
        OWN_METHODS in env && /http\.request\.method is \S+, not one of/.test(violation);
      const violations = conventionViolations(content).filter((each) => !isListed(each));
      assert.deepEqual(violations.slice(0, 20), []);
      return { ...content, own: httpSpans(content.spans, port) };
    } finally {
      sightline.discard();
    }
  }

  const url = (path: string): string => `https://127.0.0.1:${port}${path}`;

  it('of a tool stand below the process that made them, without their credentials', async () => {
    const target = url(`/repos?per_page=3&api_key=${SECRET}`);
    const text = target.replace('https://', `https://ada:${SECRET}@`);
    const observation = await observe({}, async (model) => {
      const agent = await runAgent({
        program: 'openai-agent',
        url: model.url,
        caPath: model.caPath,
        prompts: [`Run \`curl ${curl.join(' ')} -d a=b '${text}'; true\`, please.`],
        stream: true,
      });
      assert.equal(agent.exitCode, 0, agent.stderr);
      // Outside an agent's tree, and so none of its spans.
      await run('curl', [...curl, url('/alone')]);
    });
    const { spans, points } = observation;
    const [span, ...others] = httpSpans(spans, port);
    assert.ok(span !== undefined && others.length === 0, 'one span, and none of the server');
    assert.equal(span.name, 'POST');
    assert.equal(span.kind, 'CLIENT');
    const parent = spans.find((each) => each.spanId === span.parentSpanId);
    assert.equal(parent?.name, 'curl');
    const tool = ofAncestors(spans, span).find((each) => each.name.startsWith('execute_tool'));
    assert.ok(tool !== undefined, 'it is below the tool call');
    assert.ok(span.startNs >= parent.startNs && span.endNs <= parent.endNs);
    assert.equal(span.resource['process.pid'], parent.resource['process.pid']);
    assert.equal(span.attributes['process.pid'], parent.attributes['process.pid']);
    assert.equal(span.attributes['url.full'], url('/repos?per_page=3&api_key=REDACTED'));
    assert.equal(span.attributes['http.response.status_code'], 201);
    assert.equal(span.attributes['http.request.body.size'], 3);
    assert.equal(span.attributes['http.response.body.size'], 7);
    assert.equal(span.attributes['network.peer.port'], port);
    assert.equal(span.attributes['sightline.damage'], undefined);
    const measured = points.filter(
      ({ metric, attributes }) =>
        metric === 'http.client.request.duration' && attributes['server.port'] === port,
    );
    assert.deepEqual(
      measured.map((point) => point.histogram?.count),
      [1],
      'nothing of the process outside of an agent',
    );
    const all = JSON.stringify(observation, (_key, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    const outsideTruth = all.split(SECRET).length - 1;
    const truth = JSON.stringify(observation.truth).split(SECRET).length - 1;
    assert.equal(
      outsideTruth,
      truth,
      'the secret is nowhere but in what the model itself was told',
    );
  });

  it('of a lone program are there with all: of a method that is not known, of errors, and of 100 MiB', async () => {
    const requests = [
      [url('/one')],
      ['-X', 'PROPFIND', url('/two')],
      [url('/missing')],
      [url('/broken')],
      [url('/download')],
    ];
    const { own } = await observeCurl({ SIGHTLINE_HTTP_SPANS: 'all' }, requests);
    assert.deepEqual(
      own.map(({ name, parentSpanId, attributes }) => [
        name,
        parentSpanId,
        attributes['http.response.status_code'],
        attributes['error.type'],
        attributes['sightline.damage'],
      ]),
      [
        ['GET', undefined, 201, undefined, undefined],
        ['HTTP', undefined, 201, undefined, undefined],
        ['GET', undefined, 404, '404', undefined],
        ['GET', undefined, 200, '_OTHER', ['truncated']],
        ['GET', undefined, 200, undefined, undefined],
      ],
    );
    assert.equal(own[0]?.resource['service.name'], 'curl');
    assert.equal(own[1]?.attributes['http.request.method_original'], 'PROPFIND');
    // Nobody looks at a download: most of it is never copied, and its size is exact all the same.
    assert.equal(own[4]?.attributes['http.response.body.size'], DOWNLOAD_BYTES);
  });

  it('of a lone program tell the methods that OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS lists', async () => {
    const { own, points } = await observeCurl(
      { SIGHTLINE_HTTP_SPANS: 'all', [OWN_METHODS]: 'PROPFIND, POST' },
      [['-X', 'PROPFIND', url('/one')], [url('/two')]],
    );
    const method = 'http.request.method';
    assert.deepEqual(
      own.map(({ name, attributes }) => [
        name,
        attributes[method],
        attributes[`${method}_original`],
      ]),
      [
        ['PROPFIND', 'PROPFIND', undefined],
        ['HTTP', '_OTHER', 'GET'],
      ],
    );
    const measured = points
      .filter(
        ({ metric, attributes }) =>
          metric === 'http.client.request.duration' && attributes['server.port'] === port,
      )
      .map(({ attributes }) => attributes[method]);
    assert.deepEqual(measured.sort(), ['PROPFIND', '_OTHER']);
  });

  it('of a lone program are not there with off', async () => {
    const { own } = await observeCurl({ SIGHTLINE_HTTP_SPANS: 'off' }, [[url('/one')]]);
    assert.deepEqual(own, []);
  });

  for (const [filter, kept] of [
    ['request.host.startsWith("127.") && request.path.matches("^/t")', ['/two']],
    ['response.status < 400 && request.path != "/one"', ['/two']],
    ['response.size != 7 && process.name == "curl"', ['/missing']],
  ] as const) {
    it(`are dropped where it is false that ${filter}`, async () => {
      const { own } = await observeCurl(
        { SIGHTLINE_HTTP_SPANS: 'all', SIGHTLINE_HTTP_FILTER: filter },
        [[url('/one')], [url('/two')], [url('/missing')]],
      );
      const urls = own.map((span) => span.attributes['url.full']);
      assert.deepEqual(urls, kept.map(url));
    });
  }

  it('and those that are, are dropped by the same filter: one model server of two is seen', async () => {
    const first = await startModelServer();
    defer(() => first.stop());
    const second = await startModelServer();
    defer(() => second.stop());
    const models = [first, second];
    const filter = `request.port != ${first.port} && response.status < 500`;
    const sightline = await startSightline({ env: { SIGHTLINE_HTTP_FILTER: filter } });
    defer(sightline.discard);
    for (const { url: base, caPath } of models) {
      const agent = await runAgent({
        program: 'anthropic-agent',
        url: base,
        caPath,
        prompts: ['Run `exit 3`, please.'],
        stream: true,
      });
      assert.equal(agent.exitCode, 0, agent.stderr);
      await runClient({
        program: 'node-fetch',
        url: base,
        caPath,
        count: 2,
        scenario: [{}, { status: 503 }],
      });
    }
    await sightline.stop();
    const { spans } = readOtlpFile(sightline.file);
    const ports = (port_: number): FlatSpan[] =>
      chatSpans(spans).filter((span) => span.attributes['server.port'] === port_);
    assert.equal(ports(first.port).length, 0);
    assert.equal(
      ports(second.port).length,
      3,
      'two calls of the agent, and the one that was answered',
    );
    const turns = spans.filter((span) => span.name.startsWith('invoke_agent'));
    const traces = new Set(ports(second.port).map((span) => span.traceId));
    assert.equal(turns.filter((turn) => traces.has(turn.traceId)).length, 1);
  });

  it('come out of a recording as they came out live, by the filter that is set then', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sightline-http-'));
    const recording = join(folder, 'run.slrec');
    const env = {
      SIGHTLINE_TARGET_COMM: 'curl',
      SIGHTLINE_HTTP_SPANS: 'all',
      SIGHTLINE_HTTP_FILTER: 'request.path != "/one"',
    };
    const live = await startSightline({ command: 'record', args: ['-o', recording], env });
    try {
      for (const path of ['/one', '/two', '/download']) {
        await run('curl', [...curl, url(path)]);
      }
      assert.equal((await live.stop()).code, 0);
      const replay = async (extra: Record<string, string>): Promise<string> => {
        const file = join(folder, `${Object.keys(extra).length}.jsonl`);
        await replayToFile(recording, file, { ...env, ...extra });
        return file;
      };
      const traces = (path: string): string =>
        readFileSync(path, 'utf8')
          .split('\n')
          .filter((line) => line.startsWith('{"resourceSpans"'))
          .join('\n');
      assert.equal(traces(await replay({})), traces(live.file));
      assert.equal(httpSpans(readOtlpFile(live.file).spans, port).length, 2);
      const unfiltered = readOtlpFile(await replay({ SIGHTLINE_HTTP_FILTER: 'true' }));
      assert.equal(httpSpans(unfiltered.spans, port).length, 3);
    } finally {
      live.discard();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('are not looked at with an expression that is wrong: one line, exit code 2', async () => {
    const refused = await runSightline(['run'], { SIGHTLINE_HTTP_FILTER: 'request.verb == "GET"' });
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /^[^\n]*SIGHTLINE_HTTP_FILTER[^\n]*at character 8[^\n]*\n$/);
  });
});

function ofAncestors(spans: readonly FlatSpan[], span: FlatSpan): FlatSpan[] {
  const parent = spans.find((each) => each.spanId === span.parentSpanId);
  return parent === undefined ? [] : [parent, ...ofAncestors(spans, parent)];
}
