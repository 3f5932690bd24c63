/** Every client program against the server, without any observer: what it parsed equals the server's truth. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ClientProgram,
  NODE_CLIENTS,
  PYTHON_CLIENTS,
  runClient,
} from '../../support/clients/run-client.ts';
import type { Scenario } from '../../support/model-server/scenario.ts';
import { type ModelServer, startModelServer } from '../../support/model-server/server.ts';
import { assertEqualToTruth } from './equal-to-truth.ts';

/** The same for every client; a list, so that requests on one connection differ. */
const SCENARIOS: Scenario[] = [
  {},
  { writeBytes: 'random', chunkBytes: 7, textBytes: 900, usageAt: 'auto' },
  { encoding: 'gzip', newline: 'crlf', comments: 2 },
  { encoding: 'deflate', reasoning: 'Because of größer.', asciiJson: true },
  {
    toolCalls: [
      { name: 'read_file', arguments: { path: '/tmp/größe', lines: [1, 2] } },
      { name: 'list', arguments: '' },
    ],
    tokens: { cacheRead: 12, input: 40 },
  },
];

const API_ONLY: Partial<Record<ClientProgram, 'openai' | 'anthropic'>> = {
  'openai-sdk': 'openai',
  'anthropic-sdk': 'anthropic',
};

describe('client programs', function () {
  this.timeout(60_000);
  let server: ModelServer;

  before(async () => {
    server = await startModelServer();
  });
  after(() => server.stop());
  beforeEach(() => server.reset());

  for (const program of [...NODE_CLIENTS, ...PYTHON_CLIENTS]) {
    const apis = API_ONLY[program] === undefined ? ['openai', 'anthropic'] : [API_ONLY[program]];
    for (const api of apis as ('openai' | 'anthropic')[]) {
      for (const stream of [false, true]) {
        it(`${program} speaks ${api}, ${stream ? '' : 'not '}streaming`, async () => {
          const count = 5;
          const run = await runClient({
            program,
            api,
            stream,
            includeUsage: true,
            url: server.url,
            caPath: server.caPath,
            count,
            connections: 3,
            encoding: 'gzip, deflate',
            bodyBytes: 2000,
            scenario: SCENARIOS,
          });
          assert.equal(run.exitCode, 0, run.stderr);
          assert.equal(run.results.length, count, run.stderr);
          assertEqualToTruth(run.results, await server.settle(count));
        });
      }
    }
  }

  it('fetches raw bytes of many sizes and encodings unchanged', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'targets-'));
    const targetsPath = join(directory, 'targets.txt');
    const targets: string[] = [];
    for (const size of [0, 1, 2, 100, 4096, 65536, 300_000]) {
      for (const encoding of ['identity', 'gzip', 'deflate']) {
        targets.push(`GET /bytes/${size}?seed=${size}&encoding=${encoding}&transfer=chunked`);
      }
      targets.push(`POST /echo ${size}`);
    }
    writeFileSync(targetsPath, targets.join('\n'));
    try {
      for (const program of [
        'node-https',
        'node-fetch',
        'curl',
        ...PYTHON_CLIENTS,
      ] as ClientProgram[]) {
        server.reset();
        const run = await runClient({
          program,
          url: server.url,
          caPath: server.caPath,
          encoding: 'gzip, deflate',
          targetsPath,
        });
        assert.equal(run.results.length, targets.length, `${program}: ${run.stderr}`);
        const truth = await server.settle(targets.length);
        run.results.forEach((result, index) => {
          const { request, response } = truth[index]!;
          const what = `${program} ${targets[index]}`;
          assert.equal(
            `${request.method} ${request.target}`,
            targets[index]!.split(' ').slice(0, 2).join(' '),
          );
          assert.equal(result.bodySha256, response.decodedSha256, what);
          assert.equal(result.bodyBytes, response.decodedBytes, what);
          if (request.target === '/echo') {
            assert.equal(request.bodySha256, response.bodySha256, what);
          }
        });
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('uses several connections at the same time, and each again', async () => {
    const count = 23;
    for (const program of ['node-https', 'requests_client', 'aiohttp_client'] as const) {
      server.reset();
      const run = await runClient({
        program,
        url: server.url,
        caPath: server.caPath,
        stream: true,
        count,
        connections: 4,
        scenario: { intervalMs: 2 },
      });
      const truth = await server.settle(count);
      assertEqualToTruth(run.results, truth);
      const connections = new Set(truth.map((exchange) => exchange.connection));
      assert.equal(connections.size, 4, program);
      const overlaps = truth.some((exchange, index) => {
        const next = truth[index + 1];
        return (
          next !== undefined &&
          next.connection !== exchange.connection &&
          BigInt(next.response.firstByteNs) < BigInt(exchange.response.lastByteNs)
        );
      });
      assert.ok(overlaps, `${program} has answers under way at the same time`);
    }
  });

  it('sends a megabyte and gets five', async () => {
    for (const program of ['node-fetch', 'httpx_client'] as const) {
      server.reset();
      const run = await runClient({
        program,
        url: server.url,
        caPath: server.caPath,
        bodyBytes: 1024 * 1024,
        scenario: { textBytes: 5 * 1024 * 1024 },
      });
      const truth = await server.settle(1);
      assertEqualToTruth(run.results, truth);
      assert.ok(truth[0]!.request.bodyBytes > 1024 * 1024);
      assert.ok(truth[0]!.response.bodyBytes > 5 * 1024 * 1024);
    }
  });

  it('reports what went wrong', async () => {
    for (const program of ['openai-sdk', 'node-https', 'requests_client'] as const) {
      server.reset();
      const run = await runClient({
        program,
        url: server.url,
        caPath: server.caPath,
        stream: true,
        count: 3,
        scenario: [
          { status: 429 },
          { fail: { afterEvents: 3, how: 'reset', midEvent: true } },
          { fail: { afterEvents: 2, how: 'error-event' } },
        ],
      });
      assert.equal(run.results.length, 3);
      for (const result of run.results) {
        assert.ok(result.error, `${program} request ${result.request}`);
      }
      const [limited, broken, failed] = await server.settle(3);
      assert.equal(limited?.answer?.error?.code, 'rate_limit_exceeded');
      assert.equal(limited?.response.status, 429);
      assert.equal(broken?.response.complete, false);
      assert.equal(broken?.response.events, 3);
      assert.equal(failed?.answer?.error?.type, 'server_error');
      assert.equal(failed?.answer?.complete, false);
    }
  });
});
