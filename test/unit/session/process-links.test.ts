/** Processes: which tool call, process or turn they hang under, and when they have a span at all. */
import assert from 'node:assert/strict';
import type { Process } from '../../../src/process/process.ts';
import {
  asks,
  assistant,
  bash,
  createStory,
  MINUTE,
  results,
  type Said,
  type Story,
  user,
} from './story-builder.ts';

const TOOLS = ['Bash'];
const PROMPT = user('please');

function prompt(story: Story, by: Process, ...tools: Parameters<typeof asks>): Said {
  const ask = asks(...tools);
  story.call({ by, messages: [PROMPT], tools: TOOLS }).answer(ask);
  return ask;
}

function conclude(story: Story, by: Process, ask: Said): void {
  const answered = results(
    ...(ask.asks ?? []).map(({ id }) => ({ text: 'ok', ...(id !== undefined && { id }) })),
  );
  story
    .call({ by, messages: [PROMPT, ask, answered], tools: TOOLS })
    .answer(assistant('that was it'));
}

interface Scenario {
  name: string;
  play(story: Story, agent: Process): void;
  tree: string[];
}

const scenarios: Scenario[] = [
  {
    name: 'the process of a tool call that wraps and quotes the command',
    play(story, agent) {
      const ask = prompt(story, agent, bash('t1', 'git log --format="%h it\'s" | head'));
      const wrapped = `source /tmp/snapshot.sh && eval 'git log --format="%h it'\\''s" | head' < /dev/null`;
      const shell = story.spawn(agent, 'bash', '-c', wrapped);
      const git = story.spawn(shell, 'git', 'log');
      story.exit(git);
      story.exit(shell, 3);
      conclude(story, agent, ask);
      const [, piece] = story.processes();
      assert.equal(piece?.process.exit?.exitCode, 3);
      assert.equal(piece?.startNs, shell.programs[0]?.startNs);
      assert.equal(piece?.endNs, shell.exit?.timeNs);
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire+process]',
      `    bash -c source /tmp/snapshot.sh && eval 'git log --format="%h it'\\''s" | head' < /dev/null [wire+process]`,
      '      git log [process]',
      '  chat',
    ],
  },
  {
    name: 'parallel tool calls, each with its process',
    play(story, agent) {
      const ask = prompt(story, agent, bash('t1', 'ls'), bash('t2', 'ls -l'), bash('t3', 'ls'));
      const shells = ['ls', 'ls -l', 'ls'].map((text) => story.spawn(agent, 'sh', '-c', text));
      for (const shell of shells) {
        story.exit(shell);
      }
      conclude(story, agent, ask);
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire+process]',
      '    sh -c ls [wire+process]',
      '  tool Bash [wire+process]',
      '    sh -c ls -l [wire+process]',
      '  tool Bash [wire+process]',
      '    sh -c ls [wire+process]',
      '  chat',
    ],
  },
  {
    name: 'the only outstanding tool call, whose command does not show',
    play(story, agent) {
      const ask = prompt(story, agent, {
        id: 't1',
        name: 'Search',
        arguments: { pattern: 'TODO' },
      });
      story.exit(story.spawn(agent, 'helper', '--stdin'));
      conclude(story, agent, ask);
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool Search [wire]',
      '    helper --stdin [process]',
      '  chat',
    ],
  },
  {
    name: 'two outstanding tool calls, neither of which shows',
    play(story, agent) {
      const ask = prompt(story, agent, { id: 't1', name: 'One' }, { id: 't2', name: 'Two' });
      story.exit(story.spawn(agent, 'helper'));
      conclude(story, agent, ask);
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool One [wire]',
      '  tool Two [wire]',
      '  helper [process]',
      '  chat',
    ],
  },
  {
    name: 'a tool started while the answer still comes',
    play(story, agent) {
      const running = story.call({ by: agent, messages: [PROMPT], tools: TOOLS });
      running.streamTool(bash('t1', 'make test'));
      const shell = story.spawn(agent, 'bash', '-c', 'make test');
      const ask = asks(bash('t1', 'make test'));
      running.answer(ask);
      story.exit(shell);
      conclude(story, agent, ask);
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire+process]',
      '    bash -c make test [wire+process]',
      '  chat',
    ],
  },
  {
    name: 'a process started under the turn, before any tool call',
    play(story, agent) {
      const running = story.call({ by: agent, messages: [PROMPT], tools: TOOLS });
      story.exit(story.spawn(agent, 'git', 'ls-files'));
      running.answer(assistant('b'));
    },
    tree: ['turn agent (answer)', '  chat', '  git ls-files [process]'],
  },
  {
    name: 'processes outside any turn make no span',
    play(story, agent) {
      story.exit(story.spawn(agent, 'git', 'ls-files'));
      const ask = prompt(story, agent, bash('t1', 'ls'));
      conclude(story, agent, ask);
      story.exit(story.spawn(agent, 'git', 'status'));
    },
    tree: ['turn agent (answer)', '  chat', '  tool Bash [wire]', '  chat'],
  },
  {
    name: 'one pid with two execs is one process',
    play(story, agent) {
      const ask = prompt(story, agent, bash('t1', 'sleep 1'));
      const shell = story.spawn(agent, 'bash', '-c', 'sleep 1');
      story.exec(shell, 'sleep', '1');
      story.exit(shell);
      conclude(story, agent, ask);
      assert.equal(story.processes()[0]?.process.programs.length, 2);
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire+process]',
      '    sleep 1 [wire+process]',
      '  chat',
    ],
  },
  {
    name: 'a wrapper that becomes the command is claimed by its second exec',
    play(story, agent) {
      const ask = prompt(story, agent, bash('t1', 'wc -l'), bash('t2', 'date -u'));
      const wrapper = story.spawn(agent, 'sandbox-helper');
      story.exec(wrapper, 'sh', '-c', 'date -u');
      story.exit(wrapper);
      conclude(story, agent, ask);
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire]',
      '  tool Bash [wire+process]',
      '    sh -c date -u [wire+process]',
      '  chat',
    ],
  },
  {
    name: 'sub-shells without exec are stepped over',
    play(story, agent) {
      const ask = prompt(story, agent, bash('t1', '(cat a; cat b) | sort'));
      const shell = story.spawn(agent, 'bash', '-c', '(cat a; cat b) | sort');
      const left = story.fork(shell);
      const inner = story.fork(left);
      story.exec(inner, 'cat', 'a');
      story.exit(inner);
      story.exit(left);
      story.exit(shell);
      conclude(story, agent, ask);
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire+process]',
      '    bash -c (cat a; cat b) | sort [wire+process]',
      '      cat a [process]',
      '  chat',
    ],
  },
  {
    name: 'a child of a parent that has exited already',
    play(story, agent) {
      const ask = prompt(story, agent, bash('t1', 'start-daemon'));
      const shell = story.spawn(agent, 'bash', '-c', 'start-daemon');
      const daemon = story.fork(shell);
      story.exit(shell);
      story.exec(daemon, 'daemon');
      story.exit(daemon);
      conclude(story, agent, ask);
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire+process]',
      '    bash -c start-daemon [wire+process]',
      '      daemon [process]',
      '  chat',
    ],
  },
  {
    name: 'a process that outlives the turn comes at its exit',
    play(story, agent) {
      const ask = prompt(story, agent, bash('t1', 'npm run dev &'));
      const server = story.spawn(agent, 'bash', '-c', 'npm run dev &');
      conclude(story, agent, ask);
      assert.equal(story.processes().length, 0);
      const child = story.spawn(server, 'node', 'dev.js');
      story.exit(child);
      story.exit(server);
      assert.equal(story.processes()[1]?.endNs, server.exit?.timeNs);
      assert.equal(story.processes()[1]?.ids.traceId, story.turns()[0]?.ids.traceId);
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire+process]',
      '    bash -c npm run dev & [wire+process]',
      '      node dev.js [process]',
      '  chat',
    ],
  },
  {
    name: 'a shell kept running gives its children to the tool calls that name them',
    play(story, agent) {
      const ask = prompt(story, agent, { id: 't0', name: 'Shell' });
      const shell = story.spawn(agent, 'bash', '-i');
      conclude(story, agent, ask);
      const again = asks(bash('t1', 'cargo test'));
      const messages = [user('once more')];
      story.call({ by: agent, messages, tools: TOOLS }).answer(again);
      story.exit(story.spawn(shell, 'cargo', 'test'));
      story
        .call({
          by: agent,
          messages: [...messages, again, results({ id: 't1', text: '' })],
          tools: TOOLS,
        })
        .answer(assistant('b'));
      story.exit(shell);
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool Shell [wire]',
      '    bash -i [process]',
      '  chat',
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire+process]',
      '    cargo test [wire+process]',
      '  chat',
    ],
  },
  {
    name: 'a process still running at the end of observation is marked',
    play(story, agent) {
      prompt(story, agent, bash('t1', 'sleep 100'));
      story.spawn(agent, 'sh', '-c', 'sleep 100');
      story.end();
      assert.deepEqual([...(story.processes()[0]?.damage?.kinds ?? [])], ['truncated']);
      assert.equal(story.processes()[0]?.process.exit, undefined);
    },
    tree: [
      'turn agent (source-end)',
      '  chat',
      '  tool Bash [wire+process]',
      '    sh -c sleep 100 [wire+process]',
    ],
  },
  {
    name: 'a tool call whose process runs for long keeps the turn open',
    play(story, agent) {
      const ask = prompt(story, agent, bash('t1', 'make world'));
      const make = story.spawn(agent, 'sh', '-c', 'make world');
      story.wait(45n * MINUTE);
      assert.equal(story.turns().length, 0);
      story.exit(make);
      story.wait(9n * MINUTE);
      conclude(story, agent, ask);
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire+process]',
      '    sh -c make world [wire+process]',
      '  chat',
    ],
  },
  {
    name: 'an agent started by a tool call takes its turns below its process',
    play(story, agent) {
      const ask = prompt(story, agent, bash('t1', 'other-agent "look"'));
      const inner = story.spawn(agent, 'other-agent', 'look');
      const innerAsk = asks(bash('i1', 'ls /'));
      story.call({ by: inner, messages: [user('look')], tools: TOOLS }).answer(innerAsk);
      story.exit(story.spawn(inner, 'sh', '-c', 'ls /'));
      story
        .call({
          by: inner,
          messages: [user('look'), innerAsk, results({ id: 'i1', text: '' })],
          tools: TOOLS,
        })
        .answer(assistant('seen'));
      story.exit(inner);
      conclude(story, agent, ask);
      assert.ok(story.pieces.every((piece) => piece.workload.root === agent));
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire+process]',
      '    other-agent look [wire+process]',
      '      turn other-agent (answer)',
      '        chat',
      '        tool Bash [wire+process]',
      '          sh -c ls / [wire+process]',
      '        chat',
      '  chat',
    ],
  },
  {
    name: 'a model call without tools by a process of a tool call is below that process',
    play(story, agent) {
      const ask = prompt(story, agent, bash('t1', 'curl https://model'));
      const curl = story.spawn(agent, 'curl', 'https://model');
      story.call({ by: curl, messages: [user('x')] }).answer(assistant('y'));
      story.exit(curl);
      conclude(story, agent, ask);
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire+process]',
      '    curl https://model [wire+process]',
      '      chat',
      '  chat',
    ],
  },
  {
    name: 'a process that started before its tool call became known is claimed by it',
    play(story, agent) {
      const running = story.call({ by: agent, messages: [PROMPT], tools: TOOLS });
      const early = story.spawn(agent, 'sh', '-c', 'ls');
      const toolsNs = story.now + 1n;
      const shell = story.spawn(agent, 'sh', '-c', 'ls');
      const ask = asks(bash('t1', 'ls'));
      running.answer(ask, { toolsNs });
      story.exit(early);
      story.exit(shell);
      conclude(story, agent, ask);
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  sh -c ls [process]',
      '  tool Bash [wire+process]',
      '    sh -c ls [wire+process]',
      '  chat',
    ],
  },
  {
    name: 'a tool call that was passed over is no longer in the way of the next one',
    play(story, agent) {
      const ask = prompt(story, agent, bash('t1', 'x'), { id: 't2', name: 'Lost' });
      const messages = [PROMPT, ask, results({ id: 't1', text: '' })];
      const again = asks({ id: 't3', name: 'Search' });
      story.call({ by: agent, messages, tools: TOOLS }).answer(again);
      story.exit(story.spawn(agent, 'helper'));
      story
        .call({
          by: agent,
          messages: [...messages, again, results({ id: 't3', text: '' })],
          tools: TOOLS,
        })
        .answer(assistant('b'));
      const lost = story.tools().find((tool) => tool.toolCall.name === 'Lost');
      assert.equal(lost?.endNs, story.turns()[0]?.endNs);
      assert.deepEqual([...(lost?.damage.kinds ?? [])], ['truncated']);
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire]',
      '  tool Lost [wire]',
      '  chat',
      '  tool Search [wire]',
      '    helper [process]',
      '  chat',
    ],
  },
  {
    name: 'a program left running calls a model after the turn: a trace of its own',
    play(story, agent) {
      const ask = prompt(story, agent, bash('t1', 'app &'));
      const app = story.spawn(agent, 'app');
      conclude(story, agent, ask);
      story.call({ by: app, messages: [user('x')] }).answer(assistant('y'));
      story.exit(app);
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire]',
      '    app [process]',
      '  chat',
      'chat',
    ],
  },
  {
    name: 'the process that calls the model is no process of its own turn, whatever it execs',
    play(story, agent) {
      const host = story.spawn(agent, 'model-host');
      const ask = asks(bash('t1', 'ls'));
      story.call({ by: host, messages: [PROMPT], tools: TOOLS }).answer(ask);
      story.exec(host, 'model-host', 'updated');
      conclude(story, host, ask);
      story.exit(host);
    },
    tree: ['turn agent (answer)', '  chat', '  tool Bash [wire]', '  chat'],
  },
  {
    name: 'tools run by an agent whose worker calls the model, when no program is known',
    play(story) {
      const boss = story.running('boss');
      const worker = story.spawn(boss, 'worker');
      story.call({ by: boss, messages: [user('b')], tools: TOOLS }).answer(assistant('c'));
      const ask = asks(bash('t1', 'ls'));
      story.call({ by: worker, messages: [PROMPT], tools: TOOLS }).answer(ask);
      story.exit(story.spawn(boss, 'sh', '-c', 'ls'));
      conclude(story, worker, ask);
    },
    tree: [
      'turn boss (answer)',
      '  chat',
      'turn worker (answer)',
      '  chat',
      '  tool Bash [wire+process]',
      '    sh -c ls [wire+process]',
      '  chat',
    ],
  },
  {
    name: 'tools run by another process of the agent than the one that calls the model',
    play(story, agent) {
      const host = story.spawn(agent, 'model-host');
      const ask = asks(bash('t1', 'ls'));
      story.call({ by: host, messages: [PROMPT], tools: TOOLS }).answer(ask);
      story.exit(story.spawn(agent, 'sh', '-c', 'ls'));
      conclude(story, host, ask);
    },
    tree: [
      'turn agent (answer)',
      '  chat',
      '  tool Bash [wire+process]',
      '    sh -c ls [wire+process]',
      '  chat',
    ],
  },
];

describe('processes of a turn', () => {
  for (const { name, play, tree } of scenarios) {
    it(name, () => {
      const story = createStory({
        isKnownAgent: (process) => process.programs.at(-1)?.argv[0] === 'agent',
      });
      play(story, story.running('agent'));
      assert.deepEqual(story.tree(), tree);
      assert.equal(story.stage.openProcesses, 0);
      const ids = story.pieces.map((piece) => piece.ids.spanId);
      assert.equal(new Set(ids).size, ids.length);
    });
  }

  it('beyond the limits make no span, and mark the turn', () => {
    const story = createStory({ limits: { maxProcessesPerTurn: 2, maxOpenProcesses: 1 } });
    const agent = story.running('agent');
    const ask = prompt(story, agent, bash('t1', 'many'));
    const first = story.spawn(agent, 'one');
    story.spawn(agent, 'two');
    story.exit(first);
    story.exit(story.spawn(agent, 'three'));
    story.spawn(agent, 'four');
    conclude(story, agent, ask);
    assert.deepEqual(
      story.processes().map((piece) => piece.process.programs.at(-1)?.argv[0]),
      ['one', 'three'],
    );
    assert.deepEqual([...(story.turns()[0]?.damage.kinds ?? [])], ['limit']);
    for (const limit of ['maxProcessesPerTurn', 'maxOpenProcesses']) {
      const counter = story.counters.counter('sightline.limits', { limit: `session.${limit}` });
      assert.equal(counter.value, 1, limit);
    }
  });
});
