/** What plugins may do to what is exported, and what they may not do to Sightline. */
import assert from 'node:assert/strict';
import { Headers } from '../../../src/http/exchange.ts';
import type { ModelCall } from '../../../src/llm/model-call.ts';
import type { Plugin } from '../../../src/plugins/plugin.ts';
import { createPluginStage, type PluginStage } from '../../../src/plugins/plugin-stage.ts';
import { readPlugin } from '../../../src/plugins/read-plugin.ts';
import { createCounters } from '../../../src/self/counters.ts';
import type { StoryPiece } from '../../../src/session/story.ts';
import { contentPolicy } from '../../../src/telemetry/content.ts';
import type { CaptureContent } from '../../../src/telemetry/options.ts';
import { describePiece } from '../../../src/telemetry/piece-span.ts';
import { CONVENTIONS } from '../../../src/telemetry/semconv.ts';
import {
  callPiece,
  makeCall,
  processPiece,
  ROOT_PROCESS,
  toolPiece,
  turnPiece,
  WORKLOAD,
} from '../../support/story-pieces.ts';

interface Harness {
  stage: PluginStage;
  warnings: string[];
  errors(): string[];
  /** The span that a piece becomes; undefined when it is dropped. */
  span(piece: StoryPiece): ReturnType<typeof describePiece> | undefined;
}

interface HarnessOptions {
  mode?: CaptureContent;
  now?: () => bigint;
}

function start(plugins: unknown[], options: HarnessOptions = {}): Harness {
  const warnings: string[] = [];
  const counters = createCounters();
  const content = contentPolicy(options.mode ?? 'SPAN_ONLY', (text) =>
    text.replaceAll('hunter2', '*******'),
  );
  const stage = createPluginStage({
    plugins: plugins.map((plugin, index) =>
      readPlugin('test', { default: plugin as Plugin }, `p${index}`, options.now),
    ),
    content,
    budgetNs: 1_000_000_000,
    counters,
    warn: (line) => warnings.push(line),
  });
  return {
    stage,
    warnings,
    errors: () =>
      counters
        .snapshot()
        .filter(({ name }) => name === 'sightline.plugin_errors')
        .map(({ attributes: { plugin, hook, reason }, value }) =>
          [plugin, hook, reason, value].join(' '),
        ),
    span(piece) {
      const taken = stage.piece(piece);
      return taken && describePiece(taken, content, CONVENTIONS['1.41']);
    },
  };
}

/** As it would be without any plugin. */
function plain(piece: StoryPiece, mode: CaptureContent = 'SPAN_ONLY') {
  return start([], { mode }).span(piece);
}

const silenced = (call: ModelCall): ModelCall => ({
  ...call,
  request: { ...call.request, messages: [{ role: 'user', parts: [] }] },
});

describe('what a plugin answers', () => {
  it('lets everything be as it was when it says nothing', () => {
    const nothing = () => undefined;
    const { span, errors } = start([
      { exchange: nothing, call: nothing, toolCall: () => null, turn: () => ({}) },
    ]);
    for (const piece of [callPiece(), toolPiece(), turnPiece(), processPiece()]) {
      assert.deepEqual(span(piece), plain(piece));
    }
    assert.deepEqual(errors(), []);
  });

  it('is added to the span, but never in place of what was observed', () => {
    const { span } = start([
      {
        exchange: () => ({ attributes: { 'a.exchange': 1, both: 'exchange' } }),
        call: () => ({
          attributes: {
            both: 'call',
            'a.list': ['x', 'y'],
            'a.flag': false,
            'gen_ai.response.id': 'forged',
            'gen_ai.usage.input_tokens': 1,
          },
        }),
      },
      { call: () => ({ attributes: { both: 'second' } }) },
    ]);
    const piece = callPiece();
    const expected = plain(piece);
    assert.deepEqual(span(piece), {
      ...expected,
      attributes: {
        ...expected?.attributes,
        'a.exchange': 1,
        both: 'second',
        'a.list': ['x', 'y'],
        'a.flag': false,
      },
    });
  });

  it('redacts every text of the content, and what a turn repeats of it', () => {
    const redact = (text: string) => text.replace(/files|Two|ls/g, '[gone]');
    const { span } = start([{ call: () => ({ redact }), toolCall: () => ({ redact }) }]);
    const call = makeCall();
    const shown = [
      span(callPiece(call)),
      span(toolPiece()),
      span(turnPiece({ calls: [call] })),
    ].map((each) => JSON.stringify(each?.attributes));
    assert.equal(shown.join().match(/\[gone\]/g)?.length, 5);
    assert.doesNotMatch(shown.join(), /files|Two|ls -a/);
    // Structure stays, and the piece that was given is not touched.
    assert.match(shown[0] ?? '', /role\\":\\"user/);
    assert.match(JSON.stringify(call.request), /files/);
  });

  it('puts content in place of other content, and takes it away', () => {
    const parts = [{ type: 'text', content: 'Better asked.' }];
    const { span } = start([
      {
        call: () => ({
          content: { inputMessages: [{ role: 'user', parts }], outputMessages: undefined },
        }),
        turn: ({ content }: { content: { outputMessages: unknown } }) => ({
          content: { inputMessages: [], outputMessages: content.outputMessages },
        }),
      },
    ]);
    const attributes = span(callPiece())?.attributes ?? {};
    assert.deepEqual(JSON.parse(String(attributes['gen_ai.input.messages'])), [
      { role: 'user', parts },
    ]);
    assert.equal(attributes['gen_ai.output.messages'], undefined);
    const turn = span(turnPiece())?.attributes ?? {};
    assert.equal(turn['gen_ai.input.messages'], undefined);
    assert.match(String(turn['gen_ai.output.messages']), /Two: a and b/);
  });

  it('redacts numbers, in arguments of any key, but no types, roles and ids', () => {
    const seen: string[] = [];
    const { span } = start([
      {
        call: () => ({
          redact: (text: string) => {
            seen.push(text);
            return text === '12345678' ? 'N' : text;
          },
        }),
      },
    ]);
    const call = makeCall();
    call.request.messages = [
      {
        role: 'assistant',
        parts: [
          {
            type: 'tool_call',
            id: 'call_9',
            name: 'pay',
            arguments: { type: 'card', account: 12345678, amount: 5 },
          },
        ],
      },
    ];
    const shown = String(span(callPiece(call))?.attributes['gen_ai.input.messages']);
    assert.deepEqual(JSON.parse(shown)[0].parts[0].arguments, {
      type: 'card',
      account: 'N',
      amount: 5,
    });
    assert.ok(seen.includes('card') && !seen.includes('tool_call') && !seen.includes('call_9'));
  });

  it('drops, and a turn is made of the calls that are left', () => {
    const { span, stage } = start([
      {
        exchange: ({ target }: { target?: string }) => ({ drop: target === '/health' }),
        call: ({ requestModel }: { requestModel?: string }) => requestModel !== 'tiny' && undefined,
        toolCall: () => ({ drop: true }),
      },
    ]);
    const kept = makeCall();
    const small = makeCall();
    small.request = { ...small.request, model: 'tiny' };
    const probe = makeCall();
    probe.exchange = {
      ...probe.exchange,
      request: { ...probe.exchange.request!, target: '/health' },
    };
    assert.equal(span(callPiece(small)), undefined);
    assert.equal(span(callPiece(probe)), undefined);
    assert.ok(span(callPiece(kept)));
    assert.equal(span(toolPiece()), undefined);
    // A turn keeps copies of the calls between the first and the last.
    const calls = [small, { ...probe }, kept];
    const turn = stage.piece(turnPiece({ calls, callCount: 3 }));
    assert.ok(turn?.kind === 'turn');
    assert.equal(turn.callCount, 1);
    assert.deepEqual(turn.calls, [kept]);
    assert.equal(stage.piece(turnPiece({ calls: [small], callCount: 1, toolCalls: 0 })), undefined);
    assert.equal(
      stage.isServedCallKept({ workload: WORKLOAD, process: ROOT_PROCESS, call: probe }),
      false,
    );
    assert.ok(stage.isServedCallKept({ workload: WORKLOAD, process: ROOT_PROCESS, call: kept }));
  });
});

describe('what a plugin is given', () => {
  it('is frozen, without credentials, and without content while that is off', () => {
    const views: Record<string, Record<string, unknown>> = {};
    const keep = (hook: string) => (view: Record<string, unknown>) => {
      views[hook] = view;
    };
    const hooks = {
      exchange: keep('exchange'),
      call: keep('call'),
      toolCall: keep('toolCall'),
      turn: keep('turn'),
    };
    const call = makeCall({ error: { type: '401', message: 'key hunter2 is wrong' } });
    call.request.messages = [{ role: 'user', parts: [{ type: 'text', content: 'hunter2' }] }];
    call.exchange.request = { ...call.exchange.request!, headers: new Headers([['A', 'b']]) };
    const pieces = [callPiece(call), toolPiece(), turnPiece({ calls: [call] })];
    const on = start([hooks]);
    pieces.forEach(on.stage.piece);
    assert.match(JSON.stringify(views.call?.content), /\*{7}/);
    assert.deepEqual(views.exchange?.requestHeaders, [['A', 'b']]);
    assert.deepEqual(views.toolCall?.content, { arguments: '{"command":"ls -a"}', result: 'a\nb' });
    const text = JSON.stringify(views, (_, value) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    assert.doesNotMatch(text, /hunter2/);
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(frozen));
    assert.ok(Object.values(views).every(frozen));

    const off = start([hooks], { mode: 'NO_CONTENT' });
    [callPiece(silenced(call)), toolPiece(), turnPiece()].forEach(off.stage.piece);
    assert.deepEqual(views.call?.content, { errorMessage: 'key ******* is wrong' });
    assert.deepEqual(views.toolCall?.content, {});
    assert.deepEqual(views.turn?.content, {});
  });

  it('may have its error message changed even while content is off', () => {
    const { span } = start([{ call: () => ({ redact: () => 'refused' }) }], { mode: 'NO_CONTENT' });
    const call = silenced(makeCall({ error: { type: '401', message: 'for C-1' } }));
    assert.deepEqual(span(callPiece(call))?.error, { message: 'refused' });
  });

  it('is the same exchange only once', () => {
    let asked = 0;
    const { stage } = start([
      {
        exchange: () => {
          asked += 1;
        },
      },
    ]);
    const call = makeCall();
    stage.piece(callPiece(call));
    stage.exchange(call.exchange, () => ROOT_PROCESS);
    stage.exchange(makeCall().exchange, () => ROOT_PROCESS);
    assert.equal(asked, 2);
  });
});

describe('a plugin that fails', () => {
  const thrower = () => {
    throw new Error('of the plugin\nsecond line');
  };
  const wrong: [name: string, call: unknown, reason: string, warning: RegExp][] = [
    ['throws', thrower, 'threw', /it threw of the plugin;/],
    [
      'throws what cannot be shown',
      () => {
        throw Object.create(null);
      },
      'threw',
      /cannot be shown/,
    ],
    ['answers a text', () => 'yes', 'wrong-answer', /it answered a text/],
    ['answers true', () => true, 'wrong-answer', /it answered a boolean/],
    ['answers what is unknown', () => ({ attribute: {} }), 'wrong-answer', /"attribute"/],
    ['answers a promise', () => Promise.reject(new Error('x')), 'promise', /a promise/],
    // biome-ignore lint/suspicious/noThenProperty: that is what is tested
    ['answers a thenable', () => ({ then: () => {} }), 'promise', /a promise/],
    ['adds an object', () => ({ attributes: { a: {} } }), 'wrong-answer', /an object/],
    ['adds a mixed list', () => ({ attributes: { a: [1, 'x'] } }), 'wrong-answer', /a list/],
    ['adds no number', () => ({ attributes: { a: Number.NaN } }), 'wrong-answer', /a number/],
    [
      'adds a mark of ours',
      () => ({ attributes: { 'sightline.damage': 'x' } }),
      'wrong-answer',
      /not free/,
    ],
    [
      'adds too many',
      () => ({ attributes: Object.fromEntries([...Array(65).keys()].map((n) => [`a${n}`, n])) }),
      'wrong-answer',
      /65 attributes/,
    ],
    [
      'puts a text for messages',
      () => ({ content: { inputMessages: 'x' } }),
      'wrong-answer',
      /a list is expected/,
    ],
    [
      'puts messages without parts',
      () => ({ content: { inputMessages: [{ role: 'user' }] } }),
      'wrong-answer',
      /nothing where a list/,
    ],
    ['puts a function', () => ({ content: { errorMessage: () => 1 } }), 'wrong-answer', /no JSON/],
    ['puts an unknown field', () => ({ content: { ids: {} } }), 'wrong-answer', /"ids"/],
    ['redacts to nothing', () => ({ redact: () => undefined }), 'wrong-answer', /from redact/],
    [
      'changes what it is given',
      (view: { usage: object }) => Object.assign(view.usage, { a: 1 }),
      'threw',
      /not extensible/,
    ],
    [
      'goes in circles',
      () => {
        const round: unknown[] = [];
        round.push(round);
        return { content: { inputMessages: round } };
      },
      'wrong-answer',
      /too deep/,
    ],
  ];

  for (const [name, call, reason, warning] of wrong) {
    it(`${name}: is switched off, once, and the span is as without it`, () => {
      const { span, warnings, errors } = start([
        { name: 'bad', call },
        { name: 'good', call: () => ({ attributes: { good: true } }) },
      ]);
      for (const piece of [callPiece(), callPiece()]) {
        const expected = plain(piece);
        assert.deepEqual(span(piece), {
          ...expected,
          attributes: { ...expected?.attributes, good: true },
        });
      }
      assert.deepEqual(errors(), [`bad call ${reason} 1`]);
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? '', /^the plugin bad is switched off, its hook call failed: /);
      assert.match(warnings[0] ?? '', warning);
      assert.doesNotMatch(warnings[0] ?? '', /\n/);
    });
  }

  it('is slow: once far too long, or too long on average', () => {
    let clockNs = 0n;
    const now = () => clockNs;
    const taking = (ns: number) => () => {
      clockNs += BigInt(ns);
    };
    const { stage, errors, warnings } = start(
      [
        { name: 'stuck', call: taking(250_000_000_001) },
        { name: 'slow', turn: taking(1_000_000_001) },
        { name: 'quick', call: taking(999_999_999), turn: taking(10) },
      ],
      { now },
    );
    for (let n = 0; n < 200; n += 1) {
      assert.ok(stage.piece(callPiece()));
      assert.ok(stage.piece(turnPiece()));
    }
    assert.deepEqual(errors(), ['stuck call slow 1', 'slow turn slow 1']);
    assert.match(warnings[0] ?? '', /it took 250000\.0 ms once/);
    assert.match(warnings[1] ?? '', /on average, more than 1000\.0 ms \(SIGHTLINE_PLUGIN_BUDGET\)/);
  });

  it('is waited for a thousand budgets, but never longer than half a minute', () => {
    const deadlines: number[] = [];
    for (const budgetNs of [1_000_000, 10_000_000_000]) {
      const plugin = readPlugin('test', { default: { call: () => undefined } }, 'p');
      const stage = createPluginStage({
        plugins: [
          {
            ...plugin,
            ask(hook, view, deadlineMs) {
              deadlines.push(deadlineMs);
              return plugin.ask(hook, view, deadlineMs);
            },
          },
        ],
        content: contentPolicy('NO_CONTENT'),
        budgetNs,
        counters: createCounters(),
        warn: assert.fail,
      });
      stage.piece(callPiece());
    }
    assert.deepEqual(deadlines, [1000, 30_000]);
  });

  it('guarded content: none is exported from then on', () => {
    const { span, warnings } = start([{ name: 'guard', guardsContent: true, toolCall: thrower }]);
    const call = makeCall({ error: { type: '500', message: 'words' } });
    assert.match(JSON.stringify(span(callPiece(makeCall()))?.attributes), /Which files/);
    const shown = [span(toolPiece()), span(callPiece(call)), span(turnPiece({ calls: [call] }))];
    for (const each of shown) {
      assert.doesNotMatch(JSON.stringify([each?.attributes, each?.error]), /ls|Which|Two|words/);
    }
    assert.equal(shown[1]?.attributes['error.type'], '500');
    assert.match(warnings[0] ?? '', /no content is exported from now on/);
  });
});
