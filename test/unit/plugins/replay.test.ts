/** The example plugins and broken ones, as a user gives them: `sightline replay` of a recording. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { replay } from '../../../src/agent.ts';
import type { PrintStage } from '../../../src/cli/agent-surface.ts';
import { printLine } from '../../../src/cli/print.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { createLog } from '../../../src/self/log.ts';
import { type OtlpContent, readOtlpFile } from '../../support/otlp-file.ts';
import { agentEvents, CUSTOMER, SECRET, writeRecording } from '../../support/recorded-agent.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

describe('a replay with plugins', function () {
  this.timeout(60_000);
  let folder = '';
  let recording = '';
  /** The examples, copied: root runs only what belongs to root. */
  let team = '';
  let privacy = '';

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sightline-plugins-'));
    recording = join(folder, 'agent.slrec');
    writeRecording(recording, agentEvents());
    // Root's own plugins may not be writable by others, whatever the umask is here.
    chmodSync(folder, 0o755);
    team = example('team-from-path.mjs');
    privacy = example('customer-privacy.mjs');
  });

  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function example(name: string): string {
    const path = join(folder, name);
    writeFileSync(path, readFileSync(join(ROOT, 'examples/plugins', name)), { mode: 0o644 });
    return path;
  }

  interface Outcome {
    warnings: string;
    /** All that was written for people and for programs. */
    text: string;
    content: OtlpContent;
  }

  async function replayWith(
    plugins: readonly string[],
    env: Record<string, string> = {},
    stage?: PrintStage,
    paths = [recording],
  ): Promise<Outcome> {
    const file = join(folder, 'out.jsonl');
    rmSync(file, { force: true });
    let shown = '';
    let warnings = '';
    const config = loadConfig({
      SIGHTLINE_PLUGINS: plugins.join(','),
      SIGHTLINE_PLUGIN_BUDGET: '1s',
      SIGHTLINE_FILE: file,
      OTEL_TRACES_EXPORTER: 'console',
      OTEL_LOGS_EXPORTER: 'console',
      OTEL_METRICS_EXPORTER: 'console',
      ...env,
    });
    const show = (text: string): void => {
      shown += text;
    };
    const log = createLog({
      level: 'warn',
      format: 'text',
      write: (line) => {
        warnings += line;
      },
    });
    const print = stage && {
      stage,
      sink: (at: PrintStage, value: unknown) =>
        show(`${printLine(at, value, { showBodies: true })}\n`),
    };
    await replay(config, {
      paths,
      log,
      terminal: { write: show },
      ...(print === undefined ? {} : { print }),
    });
    return {
      warnings,
      text: shown + warnings + readFileSync(file, 'utf8'),
      content: readOtlpFile(file),
    };
  }

  const CONTENT_ON = { OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'SPAN_AND_EVENT' };
  const namesOf = ({ content }: Outcome) => content.spans.map(({ name }) => name).sort();

  it('exports all of it when there are none', async () => {
    const outcome = await replayWith([], CONTENT_ON);
    assert.deepEqual(namesOf(outcome), [
      'chat gpt-4o-mini',
      'chat gpt-4o-mini',
      'chat gpt-4o-mini',
      'chat gpt-4o-mini',
      'execute_tool lookup',
      'invoke_agent agent',
    ]);
    assert.ok(outcome.text.includes(CUSTOMER));
    assert.ok(!outcome.text.includes(SECRET));
  });

  it('says the team, and keeps customers and health checks out of spans, events, metrics and the tree', async () => {
    const outcome = await replayWith([team, privacy], CONTENT_ON);
    assert.deepEqual(namesOf(outcome), [
      'chat gpt-4o-mini',
      'chat gpt-4o-mini',
      'execute_tool lookup',
      'invoke_agent agent',
    ]);
    assert.equal(outcome.content.logs.length, 2);
    for (const { attributes } of [...outcome.content.spans, ...outcome.content.logs.slice(0, 2)]) {
      assert.equal(attributes['team.name'], 'support');
      assert.equal(attributes['team.cost_centre'], 'CC-1040');
    }
    assert.ok(outcome.text.includes('C-*******'), outcome.text);
    assert.ok(!outcome.text.includes(CUSTOMER), outcome.text);
    assert.doesNotMatch(outcome.text, /ping|Are you there/);
    assert.ok(!outcome.text.includes(SECRET));
    const [turn] = outcome.content.spans.filter(({ name }) => name.startsWith('invoke_agent'));
    assert.equal(turn?.attributes['gen_ai.usage.input_tokens'], 200);
    const durations = outcome.content.points.filter(
      ({ metric }) => metric === 'gen_ai.client.operation.duration',
    );
    assert.deepEqual(
      durations.map(({ histogram }) => histogram?.count),
      [2],
    );
  });

  it('gives the same again, byte for byte', async () => {
    const [first, second] = [
      await replayWith([team, privacy], CONTENT_ON),
      await replayWith([team, privacy], CONTENT_ON),
    ];
    assert.deepEqual(first?.content.spans, second?.content.spans);
    assert.deepEqual(first?.content.logs, second?.content.logs);
  });

  it('drops by header while content is off, and prints calls as they are exported', async () => {
    const outcome = await replayWith([privacy], {}, 'calls');
    // The prompt is not known then: only the probe that says who it is.
    assert.equal(namesOf(outcome).filter((name) => name.startsWith('chat')).length, 3);
    assert.equal(outcome.text.match(/^\{"api":/gm)?.length, 3);
  });

  it('goes on without a plugin that throws, with one warning, and without content after a guard', async () => {
    const broken = join(folder, 'broken.mjs');
    writeFileSync(
      broken,
      'export default { call() { throw new Error("oh"); }, turn: async => async };',
      { mode: 0o644 },
    );
    const plain = await replayWith([], CONTENT_ON);
    const outcome = await replayWith([broken], CONTENT_ON);
    assert.deepEqual(outcome.content.spans, plain.content.spans);
    assert.equal(outcome.warnings.match(/switched off/g)?.length, 1);
    assert.match(
      outcome.warnings,
      /warning: the plugin broken is switched off, its hook call failed/,
    );

    const guard = join(folder, 'guard.mjs');
    writeFileSync(
      guard,
      'export const guardsContent = true; export function call() { throw new Error("oh"); }',
      { mode: 0o644 },
    );
    const withheld = await replayWith([guard], CONTENT_ON);
    assert.deepEqual(namesOf(withheld), namesOf(plain));
    assert.doesNotMatch(withheld.text, /C-0012345|ping|Are you there/);
  });

  it('of two recordings switches a plugin off once, and exports no content after a guard of the first', async () => {
    const guard = join(folder, 'guard.mjs');
    const text = 'export const guardsContent = true; export function toolCall() { throw "no"; }';
    writeFileSync(guard, text, { mode: 0o644 });
    const outcome = await replayWith([guard], CONTENT_ON, undefined, [recording, recording]);
    assert.equal(outcome.warnings.match(/switched off/g)?.length, 1, outcome.warnings);
    const ofSecond = outcome.content.spans.slice(outcome.content.spans.length / 2);
    assert.doesNotMatch(
      JSON.stringify(ofSecond, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
      new RegExp(CUSTOMER),
    );
  });

  it('is none with a plugin that cannot be used: exit code 2 and one line', () => {
    const broken = join(folder, 'no-javascript.mjs');
    writeFileSync(broken, 'export default {{', { mode: 0o644 });
    const words = ['--import', 'tsx', 'src/cli/main.ts', 'replay', recording];
    const { status, stdout, stderr } = spawnSync(process.execPath, words, {
      cwd: ROOT,
      env: { PATH: process.env.PATH, SIGHTLINE_PLUGINS: broken },
      encoding: 'utf8',
    });
    assert.equal(status, 2);
    assert.equal(stdout, '');
    assert.match(stderr, /^sightline: SIGHTLINE_PLUGINS has [^\n]+ cannot be loaded: [^\n]+\n$/);
  });

  it('leaves stdout to its own lines: what a plugin prints goes to stderr', () => {
    const chatty = join(folder, 'chatty.mjs');
    const text =
      'console.log("of the module"); export const turn = () => console.log("of a hook");';
    writeFileSync(chatty, text, { mode: 0o644 });
    const words = ['--import', 'tsx', 'src/cli/main.ts', 'replay', '--print', 'calls', recording];
    const { status, stdout, stderr } = spawnSync(process.execPath, words, {
      cwd: ROOT,
      env: { PATH: process.env.PATH, SIGHTLINE_PLUGINS: chatty, SIGHTLINE_PLUGIN_BUDGET: '1s' },
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    for (const line of stdout.trimEnd().split('\n')) {
      assert.doesNotThrow(() => JSON.parse(line), line);
    }
    assert.match(stderr, /^of the module$/m);
  });
});
