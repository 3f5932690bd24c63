/** The API over events and recordings; `package.test.ts` proves that it can be installed. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AnalysisOptions,
  analyzeRecording,
  type CallPiece,
  createAnalyzer,
  definePlugin,
  type HttpPiece,
  SightlineError,
  type ToolPiece,
  type TurnPiece,
} from '../../../src/index.ts';
import { agentEvents, CUSTOMER, SECRET, writeRecording } from '../../support/recorded-agent.ts';

describe('the analysis of a recording', () => {
  let folder = '';
  let recording = '';

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sightline-api-'));
    recording = join(folder, 'agent.slrec');
    writeRecording(recording, agentEvents());
  });

  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  async function analyse(options: AnalysisOptions = {}) {
    const told: string[] = [];
    const calls: CallPiece[] = [];
    const tools: ToolPiece[] = [];
    const turns: TurnPiece[] = [];
    const totals = await analyzeRecording(recording, {
      onHost: ({ hostName }) => told.push(`host ${hostName}`),
      onExchange: ({ request, response }, process) =>
        told.push(`${process.ref.pid} ${request?.method} ${response?.status}`),
      onCall(piece) {
        told.push('call');
        calls.push(piece);
      },
      onToolCall(piece) {
        told.push(`tool ${piece.toolCall.name}`);
        tools.push(piece);
      },
      onTurn(piece) {
        told.push(`turn of ${piece.callCount}`);
        turns.push(piece);
      },
      ...options,
    });
    const text = JSON.stringify([calls, tools, turns], (key, value) =>
      typeof value === 'bigint' || key === 'parent' ? String(value) : value,
    );
    return { totals, told, calls, tools, turns, text };
  }

  it('tells everything in its order, and counts it', async () => {
    const { totals, told, calls } = await analyse();
    assert.deepEqual(told, [
      'host build-7',
      'call',
      '10 POST 200',
      'call',
      '10 POST 200',
      'call',
      '10 POST 200',
      'tool lookup',
      'call',
      'turn of 2',
      '10 POST 200',
    ]);
    assert.deepEqual(totals, {
      events: 12,
      exchanges: 4,
      http: 0,
      calls: 4,
      toolCalls: 1,
      processes: 0,
      turns: 1,
      isTruncated: false,
    });
    assert.equal(calls[0]?.call.response?.usage.outputTokens, 7);
    assert.equal(calls[0]?.workload.name, 'agent');
  });

  it('tells HTTP exchanges that are no model calls, below their turn, as it is asked to', async () => {
    const path = join(folder, 'pages.slrec');
    writeRecording(path, agentEvents(['/repos/1?api_key=hunter2', '/repos/2']));
    const find = async (options: AnalysisOptions) => {
      const found: HttpPiece[] = [];
      const turns: TurnPiece[] = [];
      const totals = await analyzeRecording(path, {
        onHttp: (piece) => found.push(piece),
        onTurn: (piece) => turns.push(piece),
        ...options,
      });
      assert.equal(totals.http, found.length);
      // What the filter drops is no exchange that anybody is told of.
      const exchanges = options.httpFilter === undefined ? 6 : 5;
      assert.deepEqual([totals.exchanges, totals.calls, totals.turns], [exchanges, 4, 1]);
      return {
        found,
        turn: turns[0],
        targets: found.map(({ exchange }) => exchange.request?.target),
      };
    };
    const { found, turn, targets } = await find({});
    assert.deepEqual(targets, ['/repos/1?api_key=*******', '/repos/2']);
    assert.ok(
      found.every(
        ({ ids, place }) => place?.kind === 'turn' && ids.parentSpanId === turn?.ids.spanId,
      ),
    );
    assert.equal(found[0]?.exchange.response?.status, 200);
    assert.equal(found[0]?.workload.name, 'agent');

    assert.deepEqual((await find({ httpSpans: 'off' })).targets, []);
    const filtered = await find({ httpSpans: 'all', httpFilter: 'request.path != "/repos/1"' });
    assert.deepEqual(filtered.targets, ['/repos/2']);
    const plugin = definePlugin({
      exchange: ({ target }) =>
        target === '/repos/2' ? { drop: true } : { attributes: { 'seen.target': target } },
    });
    const [kept, ...others] = (await find({ plugins: [plugin] })).found;
    assert.deepEqual(others, []);
    assert.deepEqual(kept?.extraAttributes, { 'seen.target': '/repos/1?api_key=*******' });
    for (const wrong of ['request.verb == "GET"', 'request.method', '(']) {
      assert.throws(() => createAnalyzer({ httpFilter: wrong }), { code: 'SL_CONFIG_VALUE' });
    }
  });

  it('keeps content only when asked to, and never a credential', async () => {
    const off = await analyse();
    assert.doesNotMatch(off.text, new RegExp(`${CUSTOMER}|ping|orders`));
    const on = await analyse({ keepContent: true });
    assert.ok(!on.text.includes(SECRET));
    assert.equal(on.tools[0]?.toolCall.argumentsText, JSON.stringify({ customer: CUSTOMER }));
    assert.equal(on.tools[0]?.result?.text, `${CUSTOMER} has 2 orders`);
    assert.equal(on.calls[3]?.call.request.toolResults[0]?.text, `${CUSTOMER} has 2 orders`);
    assert.match(JSON.stringify(on.turns[0]?.calls.at(-1)?.response), /both orders/);
    const cut = await analyse({ keepContent: true, maxContentBytes: 8 });
    assert.doesNotMatch(cut.text, /has 2 orders/);
  });

  it('does what plugins say, and says when one is switched off', async () => {
    const plugin = definePlugin({
      call: ({ content }) =>
        content.inputMessages?.length === 1 ? { drop: true } : { attributes: { kept: 1 } },
      toolCall() {
        throw new Error('oh');
      },
    });
    const warnings: string[] = [];
    const { totals, calls, turns } = await analyse({
      keepContent: true,
      plugins: [plugin],
      onWarning: (line) => warnings.push(line),
    });
    // Switched off by the tool call, before the last call came.
    assert.deepEqual(
      [totals.calls, totals.toolCalls, calls[0]?.extraAttributes],
      [1, 1, undefined],
    );
    assert.equal(turns[0]?.callCount, 1);
    assert.match(warnings.join(), /^the plugin plugin-1 is switched off, its hook toolCall failed/);
    const wrong = { plugins: [{ call: 1 } as never] };
    assert.throws(() => createAnalyzer(wrong), { code: 'SL_PLUGIN' });
  });

  it('passes on what a handler throws, and calls none after it', async () => {
    let calls = 0;
    const failing = analyse({
      onCall() {
        calls += 1;
        throw new RangeError('of the handler');
      },
    });
    await assert.rejects(failing, RangeError);
    assert.equal(calls, 1);
  });

  it('says when a recording is cut, and refuses what is none', async () => {
    const cut = join(folder, 'cut.slrec');
    writeRecording(cut, agentEvents());
    truncateSync(cut, Math.floor(statSync(cut).size / 2));
    assert.equal((await analyzeRecording(cut)).isTruncated, true);
    writeFileSync(cut, 'something else altogether');
    await assert.rejects(
      analyzeRecording(cut),
      (error: unknown) => error instanceof SightlineError && /^SL_RECORDING_/.test(error.code),
    );
  });

  it('does not listen to the environment', async () => {
    const before = process.env.SIGHTLINE_PLUGINS;
    process.env.SIGHTLINE_PLUGINS = './nowhere.mjs';
    try {
      assert.equal((await analyse()).totals.calls, 4);
    } finally {
      if (before === undefined) {
        delete process.env.SIGHTLINE_PLUGINS;
      } else {
        process.env.SIGHTLINE_PLUGINS = before;
      }
    }
  });
});
