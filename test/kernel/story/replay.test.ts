/** A recording gives what the live run gave, byte for byte, and holds no credential. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { deferToAfterEach } from '../../support/after-each.ts';
import { runAgent } from '../../support/agents/run-agent.ts';
import { runClient } from '../../support/clients/run-client.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { startModelServer } from '../../support/model-server/server.ts';
import { parseOtlpLines } from '../../support/otlp-file.ts';
import { replayToFile, startSightline } from '../../support/sightline.ts';

/** Traces and logs; metrics carry the time of their export. */
function tracesAndLogs(path: string): string {
  if (!existsSync(path)) {
    return '';
  }
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.filter((line) => /^\{"resource(?:Spans|Logs)"/.test(line)).join('\n');
}

describe('a recording', function () {
  this.timeout(120_000);
  const defer = deferToAfterEach();

  before(function () {
    requireKernel(this);
  });

  it('replays to the same with plugins as the live run had with them', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sightline-replay-'));
    defer(() => rmSync(folder, { recursive: true, force: true }));
    chmodSync(folder, 0o755);
    const plugin = join(folder, 'house.mjs');
    writeFileSync(
      plugin,
      `const house = ({ workload }) => ({
         attributes: { 'house.script': workload.root.argv[1] ?? '' },
         redact: (text) => text.replace(/hello/g, 'h****'),
       });
       export default {
         call: (view) => (view.content.inputMessages?.length > 5 ? false : house(view)),
         toolCall: house,
         turn: house,
         exchange: ({ status }) => ({ attributes: { 'house.status': status ?? 0 } }),
       };`,
      { mode: 0o644 },
    );
    const recording = join(folder, 'run.slrec');
    const env = {
      OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'SPAN_AND_EVENT',
      SIGHTLINE_PLUGINS: plugin,
      // The machine may be busy: that it is slow is no matter here.
      SIGHTLINE_PLUGIN_BUDGET: '1s',
    };
    const server = await startModelServer();
    defer(() => server.stop());
    const live = await startSightline({ command: 'record', args: ['-o', recording], env });
    defer(live.discard);
    const agent = await runAgent({
      program: 'openai-agent',
      url: server.url,
      caPath: server.caPath,
      prompts: ['Run `echo hello` and `exit 3`, please.', 'And `true`.'],
      stream: true,
    });
    const finished = await live.stop();
    assert.equal(finished.code, 0, finished.stderr);
    assert.doesNotMatch(finished.stderr, /switched off/);
    const file = join(folder, 'replayed.jsonl');
    await replayToFile(recording, file, env);
    // Of this agent alone: others may run on this host.
    const ofAgent = (path: string): string =>
      tracesAndLogs(path)
        .split('\n')
        .filter((line) => line.includes(`"process.pid","value":{"intValue":${agent.pid}}`))
        .join('\n');
    const expected = ofAgent(live.file);
    assert.equal(ofAgent(file), expected);

    const { spans } = parseOtlpLines(expected);
    const own = spans.filter(({ resource }) => Number(resource['process.pid']) === agent.pid);
    const of = (name: string) => own.filter((span) => span.name.startsWith(name));
    // The second turn's requests hold all of the first: more than five messages.
    const callCount = agent.summary?.turns.flatMap(({ calls }) => calls).length ?? 0;
    assert.ok(of('chat').length > 0 && of('chat').length < callCount, `${of('chat').length}`);
    assert.equal(of('execute_tool').length, 3);
    for (const { attributes } of [...of('chat'), ...of('execute_tool')]) {
      assert.match(String(attributes['house.script']), /openai-agent\.mjs$/);
    }
    assert.ok(of('chat').every(({ attributes }) => Number(attributes['house.status']) === 200));
    const said = JSON.stringify(
      [...of('chat'), ...of('execute_tool')].map((s) => s.attributes),
      (_, value) => (typeof value === 'bigint' ? String(value) : value),
    );
    assert.match(said, /h\*{4}/);
    assert.doesNotMatch(said, /hello/);
  });

  for (const content of ['NO_CONTENT', 'SPAN_AND_EVENT']) {
    it(`replays to the same traces and logs as the live run (${content})`, async () => {
      const env = { OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: content };
      const folder = mkdtempSync(join(tmpdir(), 'sightline-replay-'));
      defer(() => rmSync(folder, { recursive: true, force: true }));
      const recording = join(folder, 'run.slrec');
      const server = await startModelServer();
      defer(() => server.stop());
      const live = await startSightline({ command: 'record', args: ['-o', recording], env });
      defer(live.discard);
      await runAgent({
        program: 'openai-agent',
        url: server.url,
        caPath: server.caPath,
        prompts: ['Run `echo hello` and `exit 3`, please.', 'And `true`.'],
        stream: true,
      });
      await runClient({
        program: 'node-https',
        url: server.url,
        caPath: server.caPath,
        api: 'anthropic',
        count: 12,
        connections: 4,
        concurrency: 4,
        stream: true,
        scenario: [{ textBytes: 3000, encoding: 'gzip' }, { status: 429 }],
      });
      const finished = await live.stop();
      assert.equal(finished.code, 0, finished.stderr);
      const file = join(folder, 'replayed.jsonl');
      await replayToFile(recording, file, env);
      const expected = tracesAndLogs(live.file);
      const { spans, logs } = parseOtlpLines(expected);
      assert.ok(spans.length >= 12 + 5, `only ${spans.length} spans`);
      assert.equal(logs.length > 0, content !== 'NO_CONTENT');
      assert.equal(tracesAndLogs(file), expected);

      assert.equal(statSync(recording).mode & 0o777, 0o600);
      // The preamble is followed by gzip members.
      const bytes = readFileSync(recording);
      const plain = gunzipSync(bytes.subarray(bytes.indexOf(Buffer.of(0x1f, 0x8b))));
      assert.ok(plain.includes('chat/completions'), 'the recording holds the requests');
      assert.ok(!plain.includes('sk-test-'), 'a key is in the recording');
      assert.ok(!/bearer sk/i.test(plain.toString('latin1')), 'a key is in the recording');
    });
  }
});
