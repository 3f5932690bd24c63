/** HTTP/2 on the real kernel: one connection, many streams at a time, and exactly one span for each. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { deferToAfterEach } from '../../support/after-each.ts';
import { chatSpans, compareSpansWithTruth } from '../../support/compare.ts';
import { type Http2ModelServer, startHttp2ModelServer } from '../../support/http2-model-server.ts';
import { huffman } from '../../support/http2-writer.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { type FlatSpan, readOtlpFile } from '../../support/otlp-file.ts';
import { type RunningSightline, replayToFile, startSightline } from '../../support/sightline.ts';

const CLIENT = fileURLToPath(new URL('../../support/http2-client.mjs', import.meta.url));
const CONTENT_ON = { OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'SPAN_ONLY' };
const STREAMS = 100;

/** Runs a program to its end; rejects when it fails. */
async function runProgram(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input?: string,
): Promise<string> {
  const { NODE_OPTIONS: _loader, ...own } = process.env;
  const child = spawn(program, args, {
    env: { ...own, ...env },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  let out = '';
  let errors = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  child.stdin?.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  assert.equal(code, 0, errors);
  return out;
}

/** The `chat` spans of the calls that `work` makes to an HTTP/2 model server. */
async function observe(
  work: (server: Http2ModelServer) => Promise<void>,
): Promise<{ server: Http2ModelServer; spans: FlatSpan[] }> {
  const server = await startHttp2ModelServer();
  let sightline: RunningSightline | undefined;
  try {
    sightline = await startSightline({ env: CONTENT_ON });
    await work(server);
    await sightline.stop();
    const { spans } = readOtlpFile(sightline.file);
    const mine = chatSpans(spans).filter((span) => span.attributes['server.port'] === server.port);
    return { server, spans: mine };
  } finally {
    sightline?.discard();
    await server.stop();
  }
}

function assertExact(server: Http2ModelServer, spans: readonly FlatSpan[], count: number): void {
  assert.equal(server.truth().length, count, 'requests that the server answered');
  assert.deepEqual(compareSpansWithTruth(spans, server.truth(), { content: true }), []);
  assert.equal(spans.length, count);
  for (const span of spans) {
    assert.equal(span.attributes['server.address'], '127.0.0.1');
    assert.equal(span.attributes['sightline.damage'], undefined);
  }
}

function spanLines(path: string): string {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.filter((line) => line.startsWith('{"resourceSpans"')).join('\n');
}

describe('HTTP/2 on the real kernel', function () {
  this.timeout(180_000);
  const defer = deferToAfterEach();

  before(function () {
    requireKernel(this);
  });

  for (const api of ['openai', 'anthropic']) {
    it(`Node's client (${api}): ${STREAMS} streamed answers at once on one connection are ${STREAMS} exact spans`, async () => {
      const scenarios = [
        { textBytes: 1000, intervalMs: 2 },
        { textBytes: 3000, encoding: 'gzip', intervalMs: 1 },
        { toolCalls: [{ name: 'shell', arguments: { command: 'ls' } }] },
        { text: 'Grüße, 世界 🌍', intervalMs: 5 },
        { textBytes: 40_000 },
      ];
      const { server, spans } = await observe(async ({ url, caPath }) => {
        const out = await runProgram(
          process.execPath,
          [
            CLIENT,
            ...['--url', url, '--api', api, '--count', String(STREAMS)],
            ...['--concurrency', String(STREAMS), '--stream', '--include-usage'],
            ...['--scenario', JSON.stringify(scenarios)],
          ],
          { NODE_EXTRA_CA_CERTS: caPath },
        );
        assert.equal(out.trim().split('\n').length, STREAMS);
        assert.ok(!out.includes('"error"'), out);
      });
      assertExact(server, spans, STREAMS);
    });
  }

  it('curl: 23 requests, a connection each', async () => {
    const { server, spans } = await observe(async ({ url, caPath }) => {
      for (let index = 0; index < 23; index += 1) {
        const body = JSON.stringify({
          model: 'gpt-4o',
          stream: index % 2 === 0,
          messages: [{ role: 'user', content: `Prompt ${index}` }],
        });
        const version = await runProgram(
          'curl',
          [
            ...['--silent', '--show-error', '--http2', '--cacert', caPath, '--data-binary', '@-'],
            ...['--header', 'authorization: Bearer sk-0123456789abcdefghij'],
            ...['--header', 'content-type: application/json'],
            ...['--output', '/dev/null', '--write-out', '%{http_version}'],
            `${url}/v1/chat/completions`,
          ],
          {},
          body,
        );
        assert.equal(version, '2');
      }
    });
    assertExact(server, spans, 23);
  });

  it('curl: several transfers on one connection', async () => {
    const { server, spans } = await observe(async ({ url, caPath }) => {
      const body = '{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"Hi"}]}';
      const transfer = ['--data-binary', body, '--header', 'content-type: application/json'];
      const targets = Array.from({ length: 23 }, () => [
        '--output',
        '/dev/null',
        `${url}/v1/chat/completions`,
      ]).flat();
      await runProgram('curl', [
        ...['--silent', '--show-error', '--http2', '--cacert', caPath],
        ...['--parallel', '--parallel-max', '10', ...transfer, ...targets],
      ]);
    });
    assertExact(server, spans, 23);
  });

  it('a recording holds no credential, and replays to the same exact spans', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sightline-http2-'));
    defer(() => rmSync(folder, { recursive: true, force: true }));
    const recording = join(folder, 'run.slrec');
    const server = await startHttp2ModelServer();
    defer(() => server.stop());
    const live = await startSightline({
      command: 'record',
      args: ['-o', recording],
      env: CONTENT_ON,
    });
    defer(live.discard);
    await runProgram(
      process.execPath,
      [CLIENT, '--url', server.url, '--count', '23', '--concurrency', '10', '--stream'],
      { NODE_EXTRA_CA_CERTS: server.caPath },
    );
    assert.equal((await live.stop()).code, 0);
    const file = join(folder, 'replayed.jsonl');
    await replayToFile(recording, file, CONTENT_ON);
    const spans = chatSpans(readOtlpFile(file).spans).filter(
      (span) => span.attributes['server.port'] === server.port,
    );
    assertExact(server, spans, 23);
    assert.equal(spanLines(file), spanLines(live.file), 'as the live run gave them');
    // The preamble is followed by gzip members.
    const written = readFileSync(recording);
    const plain = gunzipSync(written.subarray(written.indexOf(Buffer.of(0x1f, 0x8b))));
    assert.ok(plain.includes('chat.completion.chunk'), 'the recording holds the answers');
    const key = 'sk-test-0123456789abcdef';
    assert.ok(!plain.includes(key) && !plain.includes(huffman(`Bearer ${key}`)));
  });
});
