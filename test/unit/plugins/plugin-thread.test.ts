/** Plugins that hang, end or break their thread: each costs itself, and nothing else is lost. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { loadPlugins } from '../../../src/plugins/load-plugins.ts';
import { createPluginStage } from '../../../src/plugins/plugin-stage.ts';
import type { LoadedPlugin } from '../../../src/plugins/read-plugin.ts';
import { createCounters } from '../../../src/self/counters.ts';
import { contentPolicy } from '../../../src/telemetry/content.ts';
import { callPiece, makeCall, turnPiece } from '../../support/story-pieces.ts';

/** 1000 of it are the deadline: 2 s, so that a busy machine is no slow plugin. */
const BUDGET_NS = 2_000_000;

describe('a plugin in its thread', function () {
  this.timeout(60_000);
  let folder = '';
  let loaded: LoadedPlugin[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sightline-plugin-thread-'));
  });
  afterEach(() => {
    for (const plugin of loaded) {
      plugin.end();
    }
    loaded = [];
    rmSync(folder, { recursive: true, force: true });
  });

  /** A stage with plugins of this text each. */
  async function start(texts: Readonly<Record<string, string>>) {
    for (const [name, text] of Object.entries(texts)) {
      writeFileSync(join(folder, `${name}.mjs`), text, { mode: 0o644 });
    }
    const names = Object.keys(texts).map((name) => `./${name}.mjs`);
    loaded = await loadPlugins(names, { directory: folder, euid: 1000 });
    const warnings: string[] = [];
    const counters = createCounters();
    const stage = createPluginStage({
      plugins: loaded,
      content: contentPolicy('SPAN_ONLY', (text) => text.replaceAll('hunter2', '*******')),
      budgetNs: BUDGET_NS,
      counters,
      warn: (line) => warnings.push(line),
    });
    const errors = (): string[] =>
      counters
        .snapshot()
        .filter(({ name }) => name === 'sightline.plugin_errors')
        .map(({ attributes: { plugin, hook, reason }, value }) =>
          [plugin, hook, reason, value].join(' '),
        );
    return { stage, warnings, errors };
  }

  const GOOD = `export default {
    call: (call) => ({
      attributes: { frozen: Object.isFrozen(call) && Object.isFrozen(call.usage), since: String(call.startNs) },
      redact: (text) => text.toUpperCase(),
    }),
  };`;

  const BAD: [name: string, text: string, error: string, warning: RegExp][] = [
    [
      'never returns',
      'export default { call() { while (true) {} } };',
      'bad call slow 1',
      /its hook call failed: it gave no answer in 2000 ms and was ended/,
    ],
    [
      'never comes back from redacting',
      'export default { call: () => ({ redact() { for (;;) {} } }) };',
      'bad call slow 1',
      /gave no answer in 2000 ms/,
    ],
    [
      'hangs after it answered',
      'export default { call: () => { queueMicrotask(() => { for (;;) {} }); return {}; } };',
      'bad call slow 1',
      /gave no answer in 2000 ms/,
    ],
    [
      'answers a promise that hangs',
      `export default { call: () => (async () => { await 0; for (;;) {} })() };`,
      'bad call promise 1',
      /it answered a promise/,
    ],
    [
      'leaves',
      'export default { call() { process.exit(0); } };',
      'bad call ended 1',
      /its hook call failed: it ended its thread/,
    ],
    [
      'throws',
      'export default { call() { throw new Error("of its own"); } };',
      'bad call threw 1',
      /it threw of its own/,
    ],
  ];
  for (const [name, text, error, warning] of BAD) {
    it(`that ${name} is switched off, and others go on`, async () => {
      const { stage, warnings, errors } = await start({ bad: text, good: GOOD });
      const startMs = Date.now();
      for (let n = 0; n < 20; n += 1) {
        const taken = stage.piece(callPiece());
        assert.ok(taken?.kind === 'call');
        assert.deepEqual(taken.extraAttributes?.frozen, true);
        assert.match(JSON.stringify(taken.call.request.messages), /WHICH FILES/);
      }
      assert.deepEqual(errors(), [error]);
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? '', /^the plugin bad is switched off/);
      assert.match(warnings[0] ?? '', warning);
      // It is waited for once, and never again.
      assert.ok(Date.now() - startMs < 10_000);
      assert.ok(stage.piece(turnPiece()));
    });
  }

  it('that breaks between two questions is switched off then, and guards content', async () => {
    const { stage, warnings, errors } = await start({
      bad: `export const guardsContent = true;
        setTimeout(() => { throw new Error("of a timer"); }, 200);
        export function toolCall() {}`,
    });
    for (let waited = 0; warnings.length === 0 && waited < 20_000; waited += 20) {
      await delay(20);
    }
    assert.deepEqual(errors(), ['bad none ended 1']);
    assert.match(
      warnings[0] ?? '',
      /^the plugin bad is switched off: its thread ended: of a timer/,
    );
    const taken = stage.piece(callPiece(makeCall()));
    assert.ok(taken?.kind === 'call');
    assert.deepEqual(taken.call.request.messages, []);
  });

  it('cannot take all memory', async () => {
    const { stage, errors } = await start({
      bad: 'const all = []; export function call() { for (;;) all.push(new Array(1e5).fill(0)); }',
    });
    assert.ok(stage.piece(callPiece()));
    assert.equal(errors().length, 1);
  });
});
