/** Turns: which calls belong together, when a turn begins and what ends it. */
import assert from 'node:assert/strict';
import {
  asks,
  assistant,
  bash,
  createStory,
  MINUTE,
  results,
  type Said,
  SECOND,
  type Story,
  user,
} from './story-builder.ts';

const TOOLS = ['Bash'];

/** One prompt, one tool call without a process, one answer. */
function playTurn(story: Story, by: Parameters<Story['call']>[0]['by'], id: string): Said[] {
  const messages = [user(`do ${id}`)];
  const ask = asks(bash(id, `run ${id}`));
  story.call({ by, messages, tools: TOOLS }).answer(ask);
  const next = [...messages, ask, results({ id, text: 'ok' })];
  const done = assistant(`done ${id}`);
  story.call({ by, messages: next, tools: TOOLS }).answer(done);
  return [...next, done];
}

interface Scenario {
  name: string;
  play(story: Story): void;
  tree: string[];
}

const scenarios: Scenario[] = [
  {
    name: 'a prompt, a tool call, an answer',
    play(story) {
      playTurn(story, story.running('agent'), 't1');
    },
    tree: ['turn agent (answer)', '  chat', '  tool Bash [wire]', '  chat'],
  },
  {
    name: 'tool calls decide, not a finish reason of stop beside them',
    play(story) {
      const by = story.running('agent');
      const ask = asks(bash('t1', 'ls'));
      story
        .call({ by, messages: [user('a')], tools: TOOLS })
        .answer(ask, { finishReasons: ['stop'] });
      assert.equal(story.turns().length, 0);
      story
        .call({ by, messages: [user('a'), ask, results({ id: 't1', text: '' })], tools: TOOLS })
        .answer(assistant('b'));
    },
    tree: ['turn agent (answer)', '  chat', '  tool Bash [wire]', '  chat'],
  },
  {
    name: 'a call without tools outside an agent is its span alone',
    play(story) {
      story.call({ by: story.running('curl'), messages: [user('a')] }).answer(assistant('b'));
    },
    tree: ['chat'],
  },
  {
    name: 'a call that declares no tools and gets tool calls all the same takes a turn',
    play(story) {
      const by = story.running('agent');
      const ask = asks(bash('t1', 'ls'));
      story.call({ by, messages: [user('a')] }).answer(ask);
      story
        .call({ by, messages: [user('a'), ask, results({ id: 't1', text: '' })] })
        .answer(assistant('b'));
    },
    tree: ['turn agent (answer)', '  chat', '  tool Bash [wire]', '  chat'],
  },
  {
    name: 'a background call without tools stays outside the turn',
    play(story) {
      const by = story.running('agent');
      const main = story.call({ by, messages: [user('a')], tools: TOOLS });
      const title = story.call({ by, messages: [user('title of: a')] });
      title.answer(assistant('A'));
      main.answer(assistant('b'));
    },
    tree: ['turn agent (answer)', '  chat', 'chat'],
  },
  {
    name: 'a call without tools that continues the open turn belongs to it',
    play(story) {
      const by = story.running('agent');
      const ask = asks(bash('t1', 'ls'));
      story.call({ by, messages: [user('a')], tools: TOOLS }).answer(ask);
      story
        .call({ by, messages: [user('a'), ask, results({ id: 't1', text: '' })] })
        .answer(assistant('forced'));
    },
    tree: ['turn agent (answer)', '  chat', '  tool Bash [wire]', '  chat'],
  },
  {
    name: 'a known agent without tools takes turns',
    play(story) {
      const by = story.running('plain-agent');
      story.call({ by, messages: [user('a')] }).answer(assistant('b'));
    },
    tree: ['turn plain-agent (answer)', '  chat'],
  },
  {
    name: 'two conversations interleaved in one process',
    play(story) {
      const by = story.running('agent');
      const first = asks(bash('t1', 'one'));
      const second = asks(bash('t2', 'two'));
      const a = story.call({ by, messages: [user('A')], tools: TOOLS });
      const b = story.call({ by, messages: [user('B')], tools: TOOLS });
      b.answer(second);
      a.answer(first);
      const b2 = story.call({
        by,
        messages: [user('B'), second, results({ id: 't2', text: '' })],
        tools: TOOLS,
      });
      const a2 = story.call({
        by,
        messages: [user('A'), first, results({ id: 't1', text: '' })],
        tools: TOOLS,
      });
      a2.answer(assistant('end of A'));
      b2.answer(assistant('end of B'));
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire]',
      '  chat',
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire]',
      '  chat',
    ],
  },
  {
    name: 'a call without tools or results that goes off an open turn is part of it and does not end it',
    play(story) {
      const by = story.running('agent');
      const ask = asks(bash('t1', 'ls'));
      story.call({ by, messages: [user('a')], tools: TOOLS }).answer(ask);
      story
        .call({ by, messages: [user('a'), ask, user('say in a word what you do')] })
        .answer(assistant('listing'));
      story
        .call({ by, messages: [user('a'), ask, results({ id: 't1', text: '' })], tools: TOOLS })
        .answer(assistant('b'));
      assert.equal(story.tools()[0]?.result?.text, '');
    },
    tree: ['turn agent (answer)', '  chat', '  tool Bash [wire]', '  chat', '  chat'],
  },
  {
    name: 'a branch off a turn with a call under way is a turn beside it',
    play(story) {
      const by = story.running('agent');
      const ask = asks(bash('t1', 'ls'));
      story.call({ by, messages: [user('a')], tools: TOOLS }).answer(ask);
      const main = story.call({
        by,
        messages: [user('a'), ask, results({ id: 't1', text: '' })],
        tools: TOOLS,
      });
      story
        .call({ by, messages: [user('a'), ask, user('suggest something')], tools: TOOLS })
        .answer(assistant('x'));
      const more = asks(bash('t2', 'pwd'));
      main.answer(more);
      story
        .call({
          by,
          messages: [
            user('a'),
            ask,
            results({ id: 't1', text: '' }),
            more,
            results({ id: 't2', text: '' }),
          ],
          tools: TOOLS,
        })
        .answer(assistant('b'));
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire]',
      '  chat',
      '  tool Bash [wire]',
      '  chat',
      'turn agent (answer)',
      '  chat',
    ],
  },
  {
    name: 'a tool-call id used by two conversations, one of which has altered its history',
    play(story) {
      const by = story.running('agent');
      const [first, second] = [asks(bash('call_0', 'one')), asks(bash('call_0', 'two'))];
      const answers = results({ id: 'call_0', text: '' });
      story.call({ by, messages: [user('A')], tools: TOOLS }).answer(first);
      story.call({ by, messages: [user('B')], tools: TOOLS }).answer(second);
      const b2 = story.call({ by, messages: [user('B'), second, answers], tools: TOOLS });
      story
        .call({ by, messages: [user('A, shortened'), asks(), answers], tools: TOOLS })
        .answer(assistant('end of A'));
      assert.equal(story.turns()[0]?.startNs, story.calls()[0]?.call.startNs);
      b2.answer(assistant('end of B'));
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire]',
      '  chat',
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire]',
      '  chat',
    ],
  },
  {
    name: 'two conversations that say the same all the way, without tool-call ids',
    play(story) {
      const by = story.running('agent');
      const messages = [user('same')];
      const ask = asks({ name: 'Bash' });
      const a = story.call({ by, messages, tools: TOOLS });
      const b = story.call({ by, messages, tools: TOOLS });
      a.answer(ask);
      b.answer(ask);
      const next = [...messages, ask, results({ text: '' })];
      const a2 = story.call({ by, messages: next, tools: TOOLS });
      const b2 = story.call({ by, messages: next, tools: TOOLS });
      a2.answer(assistant('end'));
      b2.answer(assistant('end'));
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire]',
      '  chat',
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire]',
      '  chat',
    ],
  },
  {
    name: 'the same prompt twice in parallel, with the tool-call ids counted from zero in each',
    play(story) {
      const by = story.running('agent');
      const prompt = user('same');
      const a = story.call({ by, messages: [prompt], tools: TOOLS });
      const b = story.call({ by, messages: [prompt], tools: TOOLS });
      const first = asks(bash('call_0', 'one'));
      const second = asks(bash('call_0', 'two'));
      a.answer(first);
      b.answer(second);
      const answers = results({ id: 'call_0', text: '' });
      story.call({ by, messages: [prompt, second, answers], tools: TOOLS }).answer(assistant('2'));
      assert.equal(story.turns().length, 1);
      assert.match(String(story.tools()[0]?.toolCall.argumentsText), /two/);
      story.call({ by, messages: [prompt, first, answers], tools: TOOLS }).answer(assistant('1'));
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire]',
      '  chat',
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire]',
      '  chat',
    ],
  },
  {
    name: 'a failed call tried again stays in the turn',
    play(story) {
      const by = story.running('agent');
      const messages = [user('a')];
      story.call({ by, messages, tools: TOOLS }).answer(undefined, { error: { type: '529' } });
      story.wait(20n * SECOND);
      story.call({ by, messages, tools: TOOLS }).answer(assistant('b'));
    },
    tree: ['turn agent (answer)', '  chat', '  chat'],
  },
  {
    name: 'a failed call not tried again ends the turn with an error',
    play(story) {
      const by = story.running('agent');
      story
        .call({ by, messages: [user('a')], tools: TOOLS })
        .answer(undefined, { error: { type: '400' } });
      story.wait(59n * SECOND);
      assert.equal(story.turns().length, 0);
      story.wait(2n * SECOND);
    },
    tree: ['turn agent (error)', '  chat'],
  },
  {
    name: 'a failed call followed by the exit of the agent ends the turn with an error',
    play(story) {
      const by = story.running('agent');
      story
        .call({ by, messages: [user('a')], tools: TOOLS })
        .answer(undefined, { error: { type: '401' } });
      story.exit(by, 1);
    },
    tree: ['turn agent (error)', '  chat'],
  },
  {
    name: 'tool calls of a failed try that is repeated are over',
    play(story) {
      const by = story.running('agent');
      const broken = story.call({ by, messages: [user('a')], tools: TOOLS });
      broken.streamTool(bash('t1', 'ls'));
      broken.answer(asks(bash('t1', 'ls')), { complete: false });
      story.call({ by, messages: [user('a')], tools: TOOLS });
      assert.deepEqual([...(story.tools()[0]?.damage.kinds ?? [])], ['truncated']);
      story.end();
    },
    tree: ['turn agent (source-end)', '  chat', '  tool Bash [wire]', '  chat'],
  },
  {
    name: 'tool calls without ids are answered in order',
    play(story) {
      const by = story.running('agent');
      const ask = asks({ name: 'first' }, { name: 'second' });
      story.call({ by, messages: [user('a')], tools: TOOLS }).answer(ask);
      story
        .call({
          by,
          messages: [user('a'), ask, results({ text: 'of first' }, { text: 'of second' })],
          tools: TOOLS,
        })
        .answer(assistant('b'));
      assert.deepEqual(
        story.tools().map((tool) => [tool.toolCall.name, tool.result?.text]),
        [
          ['first', 'of first'],
          ['second', 'of second'],
        ],
      );
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool first [wire]',
      '  tool second [wire]',
      '  chat',
    ],
  },
  {
    name: 'a tool call that is never answered ends with its turn',
    play(story) {
      const by = story.running('agent');
      story.call({ by, messages: [user('a')], tools: TOOLS }).answer(asks(bash('t1', 'ls')));
      story.exit(by);
      const [tool] = story.tools();
      assert.equal(tool?.result, undefined);
      assert.deepEqual([...(tool?.damage.kinds ?? [])], ['truncated']);
      assert.equal(tool?.endNs, story.turns()[0]?.endNs);
    },
    tree: ['turn agent (process-exit)', '  chat', '  tool Bash [wire]'],
  },
  {
    name: 'a turn in which nothing happens for too long is closed at the last thing seen',
    play(story) {
      const by = story.running('agent');
      const { endNs } = story
        .call({ by, messages: [user('a')], tools: TOOLS })
        .answer(asks(bash('t1', 'ls')));
      story.wait(10n * MINUTE);
      assert.equal(story.turns()[0]?.endNs, endNs);
      assert.ok(story.turns()[0]?.damage.kinds.has('truncated'));
    },
    tree: ['turn agent (timeout)', '  chat', '  tool Bash [wire]'],
  },
  {
    name: 'results that come after the timeout begin another turn, marked and linked',
    play(story) {
      const by = story.running('agent');
      const ask = asks(bash('t1', 'ls'));
      story.call({ by, messages: [user('a')], tools: TOOLS }).answer(ask);
      story.wait(11n * MINUTE);
      story
        .call({ by, messages: [user('a'), ask, results({ id: 't1', text: '' })], tools: TOOLS })
        .answer(assistant('b'));
      const [first, second] = story.turns();
      assert.deepEqual(second?.previous, first?.ids);
      assert.deepEqual([...(second?.damage.kinds ?? [])], ['joined-midway']);
    },
    tree: ['turn agent (timeout)', '  chat', '  tool Bash [wire]', 'turn agent (answer)', '  chat'],
  },
  {
    name: 'a first request that carries tool results is joined midway',
    play(story) {
      const by = story.running('agent');
      const messages = [user('a'), asks(bash('t1', 'ls')), results({ id: 't1', text: '' })];
      story.call({ by, messages, tools: TOOLS }).answer(assistant('b'));
      assert.deepEqual([...(story.turns()[0]?.damage.kinds ?? [])], ['joined-midway']);
      assert.equal(story.tools().length, 0);
    },
    tree: ['turn agent (answer)', '  chat'],
  },
  {
    name: 'a first request that carries history and a new prompt is a whole turn',
    play(story) {
      const by = story.running('agent');
      const messages = [user('a'), assistant('b'), user('c')];
      story.call({ by, messages, tools: TOOLS }).answer(assistant('d'));
      assert.equal(story.turns()[0]?.damage.any, false);
      assert.equal(story.turns()[0]?.previous, undefined);
    },
    tree: ['turn agent (answer)', '  chat'],
  },
  {
    name: 'a new prompt in place of the tool results ends the turn before it',
    play(story) {
      const by = story.running('agent');
      const ask = asks(bash('t1', 'ls'));
      story.call({ by, messages: [user('a')], tools: TOOLS }).answer(ask);
      story
        .call({ by, messages: [user('a'), ask, user('never mind')], tools: TOOLS })
        .answer(assistant('b'));
      assert.deepEqual(story.turns()[1]?.previous, story.turns()[0]?.ids);
    },
    tree: [
      'turn agent (new-prompt)',
      '  chat',
      '  tool Bash [wire]',
      'turn agent (answer)',
      '  chat',
    ],
  },
  {
    name: 'an answer with a hole does not end the turn, and results of unseen tool calls go on with it',
    play(story) {
      const by = story.running('agent');
      story
        .call({ by, messages: [user('a')], tools: TOOLS })
        .answer(asks(), { damage: 'gap', finishReasons: [] });
      assert.equal(story.turns().length, 0);
      const unseen = [user('a'), asks(bash('t1', 'ls')), results({ id: 't1', text: '' })];
      story.call({ by, messages: unseen, tools: TOOLS }).answer(assistant('b'));
      assert.deepEqual([...(story.turns()[0]?.damage.kinds ?? [])], ['gap']);
    },
    tree: ['turn agent (answer)', '  chat', '  chat'],
  },
  {
    name: 'an answer that pauses is gone on with',
    play(story) {
      const by = story.running('agent');
      const paused = assistant('searching');
      story
        .call({ by, messages: [user('a')], tools: TOOLS })
        .answer(paused, { finishReasons: ['pause_turn'] });
      story
        .call({ by, messages: [user('a'), paused], tools: TOOLS })
        .answer(assistant('found'), { finishReasons: ['end_turn'] });
    },
    tree: ['turn agent (answer)', '  chat', '  chat'],
  },
  {
    name: 'what the source end cuts off is marked',
    play(story) {
      const by = story.running('agent');
      story.call({ by, messages: [user('a')], tools: TOOLS });
      story.end();
      assert.deepEqual([...(story.calls()[0]?.call.damage.kinds ?? [])], ['truncated']);
      assert.ok(story.turns()[0]?.damage.kinds.has('truncated'));
    },
    tree: ['turn agent (source-end)', '  chat'],
  },
  {
    name: 'the server side of a call makes nothing',
    play(story) {
      const by = story.running('model-server');
      story
        .call({ by, messages: [user('a')], tools: TOOLS, role: 'server' })
        .answer(assistant('b'));
    },
    tree: [],
  },
];

describe('turns', () => {
  for (const { name, play, tree } of scenarios) {
    it(name, () => {
      const story = createStory({
        promptsWithoutTools: (process) => process.programs.at(-1)?.argv[0] === 'plain-agent',
      });
      play(story);
      assert.deepEqual(story.tree(), tree);
      assert.equal(story.stage.openTurns, 0);
    });
  }

  it('are linked along a conversation, also when the client alters what was before the last answer', () => {
    const story = createStory();
    const by = story.running('agent');
    const history = playTurn(story, by, 't1');
    const second = [...history, user('and now?')];
    story.call({ by, messages: second, tools: TOOLS }).answer(assistant('nothing'));
    const altered = [user('summary of it all'), assistant('nothing'), user('sure?')];
    story.call({ by, messages: altered, tools: TOOLS }).answer(assistant('yes'));
    const [one, two, three] = story.turns();
    assert.deepEqual(two?.previous, one?.ids);
    assert.deepEqual(three?.previous, two?.ids);
    assert.notEqual(one?.ids.traceId, two?.ids.traceId);
  });

  it('are linked when the client alters the last answer itself', () => {
    const story = createStory();
    const by = story.running('agent');
    story.call({ by, messages: [user('a')], tools: TOOLS }).answer(assistant('with reasoning'));
    const altered = [user('a'), assistant('without'), user('b')];
    story.call({ by, messages: altered, tools: TOOLS }).answer(assistant('c'));
    assert.deepEqual(story.turns()[1]?.previous, story.turns()[0]?.ids);
  });

  it('with the same tool-call ids in parallel go by their history, in either order', () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const story = createStory();
      const by = story.running('agent');
      const both = ['one', 'two'].map((command) => asks(bash('call_0', command)));
      for (const ask of both) {
        story.call({ by, messages: [user('same')], tools: TOOLS }).answer(ask);
      }
      for (const which of order) {
        const ask = both[which];
        assert.ok(ask);
        const messages = [user('same'), ask, results({ id: 'call_0', text: '' })];
        story.call({ by, messages, tools: TOOLS }).answer(assistant(`end ${which}`));
        assert.equal(
          story.turns().at(-1)?.startNs,
          story.calls()[which]?.call.startNs,
          `order ${order}`,
        );
      }
    }
  });

  it('are not linked to a failed call that has been tried again already', () => {
    const story = createStory();
    const by = story.running('agent');
    const messages = [user('a')];
    story.call({ by, messages, tools: TOOLS }).answer(undefined, { error: { type: '500' } });
    story.call({ by, messages, tools: TOOLS }).answer(assistant('b'));
    story.call({ by, messages, tools: TOOLS }).answer(assistant('b'));
    assert.deepEqual(
      story.turns().map((turn) => [turn.callCount, turn.previous]),
      [
        [2, undefined],
        [1, undefined],
      ],
    );
  });

  it('are not linked to a call under way, which nobody can have an answer of', () => {
    const story = createStory();
    const by = story.running('agent');
    const first = story.call({ by, messages: [user('a')], tools: TOOLS });
    const messages = [user('a'), assistant('from before'), user('c')];
    story.call({ by, messages, tools: TOOLS }).answer(assistant('d'));
    first.answer(assistant('b'));
    assert.deepEqual(
      story.turns().map((turn) => turn.previous),
      [undefined, undefined],
    );
  });

  it('do not take the beginning of a torn request for the whole', () => {
    const story = createStory();
    const by = story.running('agent');
    const torn = { by, messages: [user('a')], tools: TOOLS, isTorn: true };
    story.call({ by, messages: [user('a')], tools: TOOLS }).answer(assistant('b'));
    // Its prompt is missing: what is left ends with the earlier answer.
    const messages = [user('a'), assistant('b')];
    story.call({ ...torn, messages }).answer(assistant('c'));
    // Of two torn ones with the same beginning the second is no repetition of the first.
    story.call(torn).answer(undefined, { error: { type: '500' } });
    story.call(torn).answer(assistant('d'));
    const [first, second, third] = story.turns();
    assert.deepEqual(second?.previous, first?.ids);
    assert.equal(second?.callCount, 1);
    assert.equal(third?.callCount, 1);
    assert.equal(third?.previous, undefined);
    assert.equal(story.stage.openTurns, 1);
  });

  it('of unrelated conversations are not linked', () => {
    const story = createStory();
    const by = story.running('agent');
    playTurn(story, by, 't1');
    playTurn(story, by, 't2');
    assert.equal(story.turns()[1]?.previous, undefined);
  });

  it('go on across the processes of one agent', () => {
    const story = createStory({
      isKnownAgent: (process) => process.programs.at(-1)?.argv[0] === 'agent',
    });
    const root = story.running('agent');
    const first = story.spawn(root, 'worker', '1');
    const ask = asks(bash('t1', 'ls'));
    story.call({ by: first, messages: [user('a')], tools: TOOLS }).answer(ask);
    story.exit(first);
    const second = story.spawn(root, 'worker', '2');
    story
      .call({
        by: second,
        messages: [user('a'), ask, results({ id: 't1', text: '' })],
        tools: TOOLS,
      })
      .answer(assistant('b'));
    const [turn] = story.turns();
    assert.equal(story.turns().length, 1);
    assert.equal(turn?.agentName, 'agent');
    assert.equal(turn?.workload.root, root);
    assert.deepEqual(
      story.calls().map((piece) => piece.process),
      [first, second],
    );
  });

  it('join the trace of a traceparent, and hang below its span', () => {
    const story = createStory();
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
    const by = story.running('agent');
    story.call({ by, messages: [user('a')], tools: TOOLS, traceparent }).answer(assistant('b'));
    const [turn] = story.turns();
    assert.equal(turn?.ids.traceId, traceId);
    assert.equal(turn?.ids.parentSpanId, 'b7ad6b7169203331');
    assert.equal(story.calls()[0]?.ids.parentSpanId, turn?.ids.spanId);
  });

  it('leave a call to another trace that its request names', () => {
    const story = createStory();
    const by = story.running('agent');
    const ask = asks(bash('t1', 'ls'));
    story.call({ by, messages: [user('a')], tools: TOOLS }).answer(ask);
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    story
      .call({
        by,
        messages: [user('a'), ask, results({ id: 't1', text: '' })],
        tools: TOOLS,
        traceparent: `00-${traceId}-b7ad6b7169203331-01`,
      })
      .answer(assistant('b'));
    const last = story.calls()[1];
    assert.equal(last?.ids.traceId, traceId);
    assert.equal(last?.ids.parentSpanId, 'b7ad6b7169203331');
    assert.deepEqual(last?.turn, story.turns()[0]?.ids);
    assert.equal(story.turns()[0]?.callCount, 2);
  });

  it('come after their calls and tools, and end with the last thing seen', () => {
    const story = createStory();
    playTurn(story, story.running('agent'), 't1');
    assert.deepEqual(
      story.pieces.map((piece) => piece.kind),
      ['call', 'tool', 'call', 'turn'],
    );
    const [tool] = story.tools();
    const [first, last] = story.calls();
    const [turn] = story.turns();
    assert.equal(tool?.startNs, first?.call.endNs);
    assert.equal(tool?.endNs, last?.call.startNs);
    assert.equal(turn?.startNs, first?.call.startNs);
    assert.equal(turn?.endNs, last?.call.endNs);
    assert.equal(turn?.toolCalls, 1);
  });

  it('hand over all their calls, the middle ones without messages', () => {
    const story = createStory();
    const by = story.running('agent');
    const messages = [user('a')];
    for (let round = 0; round < 3; round += 1) {
      const ask = asks(bash(`t${round}`, 'ls'));
      story.call({ by, messages: [...messages], tools: TOOLS }).answer(ask);
      messages.push(ask, results({ id: `t${round}`, text: '' }));
    }
    story.call({ by, messages, tools: TOOLS }).answer(assistant('b'));
    const calls = story.turns()[0]?.calls ?? [];
    assert.deepEqual(
      calls.map((call) => call.request.messages.length),
      [1, 0, 0, 7],
    );
    assert.ok(calls.every((call) => call.response !== undefined));
    assert.equal(story.calls()[1]?.call.request.messages.length, 3);
  });

  it('have ids that depend on what happened only, never zero', () => {
    const [a, b] = [createStory(), createStory()].map((story) => {
      playTurn(story, story.running('agent'), 't1');
      return story.pieces.map((piece) => piece.ids);
    });
    assert.deepEqual(a, b);
    for (const ids of a ?? []) {
      assert.match(ids.traceId, /^(?!0{32})[0-9a-f]{32}$/);
      assert.match(ids.spanId, /^(?!0{16})[0-9a-f]{16}$/);
    }
  });
});

describe('limits of the session room', () => {
  const count = (story: Story, limit: string) =>
    story.counters.counter('sightline.limits', { limit: `session.${limit}` }).value;

  it('close the turn silent longest when too many are open', () => {
    const story = createStory({ limits: { maxOpenTurns: 2 } });
    for (const name of ['a', 'b', 'c']) {
      story
        .call({ by: story.running(name), messages: [user('x')], tools: TOOLS })
        .answer(asks(bash('t1', 'ls')));
    }
    assert.equal(story.stage.openTurns, 2);
    assert.equal(story.turns()[0]?.agentName, 'a');
    assert.ok(story.turns()[0]?.damage.kinds.has('limit'));
    assert.equal(count(story, 'maxOpenTurns'), 1);
  });

  it('forget the oldest calls', () => {
    const story = createStory({ limits: { maxCallsPerTree: 2 } });
    const by = story.running('agent');
    for (let round = 0; round < 3; round += 1) {
      const messages = [user(`q${round}`)];
      story.call({ by, messages, tools: TOOLS }).answer(assistant(`a${round}`));
    }
    for (const round of [2, 0]) {
      const messages = [user(`q${round}`), assistant(`a${round}`), user('more')];
      story.call({ by, messages, tools: TOOLS }).answer(assistant('b'));
    }
    const previous = story.turns().map((turn) => turn.previous !== undefined);
    assert.deepEqual(previous, [false, false, false, true, false]);
    assert.ok(count(story, 'maxCallsPerTree') > 0);
  });

  it('cut the tool calls and calls of a turn, and mark it', () => {
    const story = createStory({ limits: { maxToolsPerTurn: 1, maxCallsPerTurn: 2 } });
    const by = story.running('agent');
    const messages = [user('a')];
    for (let round = 0; round < 3; round += 1) {
      const ask = asks(bash(`t${round}`, 'ls'));
      story.call({ by, messages: [...messages], tools: TOOLS }).answer(ask);
      messages.push(ask, results({ id: `t${round}`, text: '' }));
    }
    story.call({ by, messages, tools: TOOLS }).answer(assistant('b'));
    const [turn] = story.turns();
    assert.equal(story.turns().length, 1);
    assert.equal(turn?.calls.length, 2);
    assert.equal(turn?.callCount, 4);
    assert.deepEqual([...(turn?.damage.kinds ?? [])], ['limit']);
    assert.equal(story.tools().length, 1);
  });

  it('place calls beyond the open ones when they are finished', () => {
    const story = createStory({ limits: { maxOpenCalls: 1 } });
    const by = story.running('agent');
    const a = story.call({ by, messages: [user('a')], tools: TOOLS });
    const b = story.call({ by, messages: [user('b')], tools: TOOLS });
    b.answer(assistant('x'));
    a.answer(assistant('y'));
    assert.equal(story.turns().length, 2);
    assert.equal(count(story, 'maxOpenCalls'), 1);
  });

  it('forget agents without open turns', () => {
    const story = createStory({ limits: { maxTrees: 1 } });
    const first = story.running('first');
    story.call({ by: first, messages: [user('a')], tools: TOOLS }).answer(assistant('b'));
    const second = story.running('second');
    story.call({ by: second, messages: [user('a')], tools: TOOLS }).answer(assistant('b'));
    story
      .call({ by: first, messages: [user('a'), assistant('b'), user('c')], tools: TOOLS })
      .answer(assistant('d'));
    assert.equal(story.turns()[2]?.previous, undefined);
    assert.ok(count(story, 'maxTrees') > 0);
  });
});
