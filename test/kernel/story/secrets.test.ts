/** A real agent is told credentials, runs them in commands and gets them back: none leaves, live, recorded or replayed. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { deferToAfterEach } from '../../support/after-each.ts';
import { runAgent } from '../../support/agents/run-agent.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { startModelServer } from '../../support/model-server/server.ts';
import { secretCorpus } from '../../support/secrets/corpus.ts';
import { createLeakFinder } from '../../support/secrets/leak-finder.ts';
import { runSightline, startSightline } from '../../support/sightline.ts';

describe('credentials that an agent handles', function () {
  this.timeout(120_000);
  const defer = deferToAfterEach();

  before(function () {
    requireKernel(this);
  });

  for (const encoding of ['identity', 'gzip'] as const) {
    it(`are in nothing that is exported, printed, logged, recorded or replayed: ${encoding}`, () =>
      converse(encoding));
  }

  async function converse(encoding: 'identity' | 'gzip'): Promise<void> {
    // Every rule's first sample that can stand in a shell command as it is.
    const corpus = secretCorpus(1).filter(({ text }) => /^[A-Za-z0-9_.:/=~+-]+$/.test(text));
    const findLeak = createLeakFinder(corpus);
    const env = {
      OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'SPAN_AND_EVENT',
      OTEL_LOG_LEVEL: 'debug',
      SIGHTLINE_REDACT: 'email,/ACME-[0-9]{5,}/',
    };
    const folder = mkdtempSync(join(tmpdir(), 'sightline-secrets-'));
    defer(() => rmSync(folder, { recursive: true, force: true }));
    const recording = join(folder, 'run.slrec');
    const server = await startModelServer({ defaultScenario: { deltas: 5, encoding } });
    defer(() => server.stop());
    const live = await startSightline({ command: 'record', args: ['-o', recording], env });
    defer(live.discard);
    // Two a command: the model server quotes a result only so far, and half a key may lack what tells it.
    const prompts: string[] = [];
    for (let from = 0; from < corpus.length; from += 2) {
      const texts = corpus.slice(from, from + 2).map(({ text }) => text);
      prompts.push(`Run \`echo ${texts.join(' ')} ACME-12345 ann@acme.example\`, please.`);
    }
    const run = await runAgent({
      program: 'openai-agent',
      url: server.url,
      caPath: server.caPath,
      prompts,
      stream: true,
    });
    assert.equal(run.exitCode, 0, run.stderr);
    const finished = await live.stop();
    assert.equal(finished.code, 0, finished.stderr);
    const file = join(folder, 'replayed.jsonl');
    const replayed = await runSightline(['replay', '--print', 'exchanges', recording], {
      ...env,
      SIGHTLINE_FILE: file,
      OTEL_TRACES_EXPORTER: 'console',
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_LOGS_EXPORTER: 'none',
    });
    assert.equal(replayed.code, 0, replayed.stderr);
    const bytes = readFileSync(recording);
    const outputs = {
      exported: readFileSync(live.file, 'utf8'),
      stdout: finished.stdout,
      log: finished.stderr,
      recorded: gunzipSync(bytes.subarray(bytes.indexOf(Buffer.of(0x1f, 0x8b)))).toString('latin1'),
      printed: replayed.stdout,
      'log of the replay': replayed.stderr,
      replayed: readFileSync(file, 'utf8'),
    };
    assert.ok(outputs.exported.includes('echo ****'), 'the commands are exported, masked');
    assert.ok(outputs.recorded.includes('chat/completions'), 'the requests are recorded');
    assert.ok(outputs.recorded.includes('"tool_calls"'), 'the answers are recorded as text');
    for (const [where, text] of Object.entries(outputs)) {
      const leak = findLeak(text);
      const at = leak?.index ?? 0;
      const context = text.slice(Math.max(0, at - 60), at);
      assert.equal(leak, undefined, `${leak?.rule} is in what was ${where}: …${context}`);
      assert.ok(!/ACME-12345|ann@acme/.test(text), `a pattern's match is in what was ${where}`);
    }
  }
});
