/** Where HTTP exchanges that are no model calls stand in the story. */
import assert from 'node:assert/strict';
import { type Exchange, Headers } from '../../../src/http/exchange.ts';
import type { Process } from '../../../src/process/process.ts';
import type { HttpPiece } from '../../../src/session/story.ts';
import { Damage, type DamageKind } from '../../../src/util/damage.ts';
import { asks, assistant, bash, createStory, type Story, user } from './story-builder.ts';

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

interface Asked {
  by: Process;
  status?: number;
  traceparent?: string;
  damage?: DamageKind[];
  isGivenUp?: boolean;
  role?: 'client' | 'server';
  hasRequest?: boolean;
}

let nextObject = 0x9000;

function open(story: Story, asked: Asked): Exchange {
  const startNs = story.now;
  const damage = new Damage();
  for (const kind of asked.damage ?? []) {
    damage.add(kind);
  }
  nextObject += 8;
  const exchange: Exchange = {
    connection: { process: asked.by.ref, stack: 'openssl', object: nextObject, generation: 7n },
    role: asked.role ?? 'client',
    version: '1.1',
    ordinal: 0,
    damage,
  };
  if (asked.hasRequest !== false) {
    exchange.request = {
      startNs,
      endNs: startNs + 1n,
      method: 'GET',
      target: '/x',
      headers: new Headers(
        asked.traceparent === undefined ? [] : [['traceparent', asked.traceparent]],
      ),
      bodyBytes: 0,
      complete: true,
    };
  }
  story.stage.exchangeBegan(exchange);
  return exchange;
}

function close(story: Story, exchange: Exchange, asked: Omit<Asked, 'by'> = {}): void {
  story.wait(1_000_000n);
  if (asked.status !== undefined) {
    exchange.response = {
      startNs: story.now,
      endNs: story.now,
      status: asked.status,
      headers: new Headers([]),
      bodyBytes: 5,
      complete: true,
    };
  }
  story.stage.exchangeEnded(exchange, asked.isGivenUp === true);
}

function request(story: Story, asked: Asked): HttpPiece | undefined {
  const before = story.exchanges().length;
  close(story, open(story, asked), { status: 200, ...asked });
  return story.exchanges()[before];
}

/** An agent that was asked to run a command, and the command, which runs. */
function withTool(options: Parameters<typeof createStory>[0] = {}) {
  const story = createStory({ httpSpans: 'agents', ...options });
  const agent = story.running('an-agent');
  const call = story.call({ by: agent, messages: [user('Go')], tools: ['Bash'] });
  call.answer(asks(bash('t1', 'curl https://a.test')));
  const shell = story.spawn(agent, 'bash', '-c', 'curl https://a.test');
  const curl = story.spawn(shell, 'curl', 'https://a.test');
  return { story, agent, shell, curl };
}

describe('HTTP exchanges that are no model calls', () => {
  it('stand below the process that made them, in the trace of the turn', () => {
    const { story, agent, shell, curl } = withTool();
    request(story, { by: curl });
    request(story, { by: agent });
    story.exit(curl);
    story.exit(shell);
    story.end();
    assert.deepEqual(story.tree(), [
      'turn an-agent (source-end)',
      '  chat',
      '  tool Bash [wire+process]',
      '    bash -c curl https://a.test [wire+process]',
      '      curl https://a.test [process]',
      '        GET /x',
      '  GET /x',
    ]);
    for (const piece of story.exchanges()) {
      assert.equal(piece.workload.root, agent);
      assert.equal(piece.ids.traceId, story.turns()[0]?.ids.traceId);
    }
  });

  it('stand below the nearest process with a span where their own has none', () => {
    const { story, curl } = withTool();
    const copy = story.fork(curl);
    const piece = request(story, { by: copy });
    story.exit(curl);
    assert.equal(piece?.ids.parentSpanId, story.processes()[0]?.ids.spanId);
    assert.equal(piece?.process, copy);
  });

  it('belong to the turn that was open when they began', () => {
    const story = createStory({ httpSpans: 'agents', isKnownAgent: () => true });
    const agent = story.running('an-agent');
    const early = open(story, { by: agent });
    const call = story.call({ by: agent, messages: [user('Go')], tools: ['Bash'] });
    const during = open(story, { by: agent });
    call.answer(assistant('Done'));
    close(story, early, { status: 200 });
    close(story, during, { status: 200 });
    const [first, second] = story.exchanges();
    assert.equal(first?.ids.parentSpanId, undefined);
    assert.equal(first?.place, undefined);
    assert.equal(second?.ids.parentSpanId, story.turns()[0]?.ids.spanId);
    assert.notEqual(first?.ids.traceId, second?.ids.traceId);
  });

  it('join the trace that their request names, linked to their place', () => {
    const { story, curl } = withTool();
    const piece = request(story, { by: curl, traceparent: PARENT });
    assert.equal(piece?.ids.traceId, '0af7651916cd43dd8448eb211c80319c');
    assert.equal(piece?.ids.parentSpanId, 'b7ad6b7169203331');
    assert.equal(piece?.place?.kind, 'process');
  });

  it('are told of agents, of all, or of none', () => {
    for (const [httpSpans, count] of [
      ['off', 0],
      ['agents', 1],
      ['all', 2],
    ] as const) {
      const { story, curl } = withTool({ httpSpans });
      request(story, { by: curl });
      request(story, { by: story.running('wget') });
      assert.equal(story.exchanges().length, count, httpSpans);
    }
    assert.equal(createStory().exchanges().length, 0);
  });

  it('are never told of the server, nor without their request', () => {
    const { story, curl } = withTool();
    request(story, { by: curl, role: 'server' });
    request(story, { by: curl, hasRequest: false });
    assert.equal(story.exchanges().length, 0);
    assert.equal(story.counters.counter('sightline.http_unknown_requests', {}).value, 1);
  });

  it('are broken when their connection ended first, not when observation did', () => {
    const { story, curl } = withTool();
    const isBroken = (asked: Partial<Asked>): boolean | undefined => {
      const exchange = open(story, { by: curl, ...asked });
      close(story, exchange, asked);
      return story.exchanges().at(-1)?.isBroken;
    };
    assert.equal(isBroken({ damage: ['truncated'] }), true);
    assert.equal(isBroken({ damage: ['truncated'], isGivenUp: true }), false);
    assert.equal(isBroken({ damage: ['gap', 'truncated'] }), false);
    assert.equal(isBroken({ status: 200 }), false);
  });

  it('have a limit below one process or turn; further ones are counted there, and measured', () => {
    const leftOut: HttpPiece[] = [];
    const { story, agent, shell, curl } = withTool({
      limits: { maxExchangesPerParent: 3 },
      onExchangeLeftOut: (piece) => leftOut.push(piece),
    });
    for (let index = 0; index < 5; index += 1) {
      request(story, { by: curl });
      request(story, { by: agent });
    }
    request(story, { by: shell });
    story.exit(curl);
    story.exit(shell);
    story.end();
    assert.equal(story.exchanges().length, 7);
    assert.equal(leftOut.length, 4);
    const [ofCurl, ofShell] = story.processes();
    assert.equal(ofCurl?.exchangesLeftOut, 2);
    assert.equal(ofShell?.exchangesLeftOut, undefined);
    assert.equal(story.turns()[0]?.exchangesLeftOut, 2);
    const limit = { limit: 'session.maxExchangesPerParent' };
    assert.equal(story.counters.counter('sightline.limits', limit).value, 4);
  });
});
