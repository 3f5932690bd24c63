/** Losses of WebSocket bytes: where reading goes on, what is said of what was lost, and rests that are no end. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { webSocketSender } from '../../../../src/http/websocket/frame-probe.ts';
import { createWebSocketStage } from '../../../../src/http/websocket/websocket-upgrade.ts';
import { type Call, CONNECTION } from '../../../support/http-generator.ts';
import {
  createCompressor,
  createSocketWitness,
  frame,
  runSocket,
  summaryOf,
} from '../../../support/websocket-wire.ts';

const KEY = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);

function text(payload: string, options: { fin?: boolean; opcode?: number } = {}): Buffer {
  return frame({ opcode: 1, payload: Buffer.from(payload), ...options });
}

function whole(content: string) {
  return { opcode: 'text', content, complete: true, holes: 0, damage: [], lostBytes: 0 };
}

function server(...parts: (Uint8Array | { lost: Uint8Array })[]): Call[] {
  return parts.map((part) =>
    'lost' in part
      ? { side: 'response', bytes: part.lost, isLost: 'silent' }
      : { side: 'response', bytes: part },
  );
}

function reads(bytes: Buffer, size: number): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    parts.push(bytes.subarray(at, at + size));
  }
  return parts;
}

describe('websocket resynchronisation', () => {
  it('a gap within a payload is counted off, and the message goes on behind a hole', () => {
    const bytes = text('one two three');
    const lost = { lost: bytes.subarray(6, 10) };
    const seen = runSocket(server(bytes.subarray(0, 6), lost, bytes.subarray(10), text('next')));
    assert.deepEqual(summaryOf(seen, 'server'), [
      { ...whole('one three'), holes: 1, damage: ['gap'], lostBytes: 4 },
      whole('next'),
    ]);
    assert.deepEqual(seen.gaps, []);
  });

  it('a gap that ends where a frame does needs no search', () => {
    const bytes = text('one two');
    const both = Buffer.concat([bytes.subarray(5), text('more ')]);
    const seen = runSocket([
      ...server(bytes.subarray(0, 5), { lost: bytes.subarray(5) }),
      ...server(text('next')),
    ]);
    assert.deepEqual(summaryOf(seen, 'server')[1], whole('next'));
    assert.equal(seen.counters.resynchronisations, 0);
    const further = runSocket(server(bytes.subarray(0, 5), { lost: both }, text('next')));
    assert.deepEqual(summaryOf(further, 'server')[1], whole('next'));
    assert.equal(further.counters.resynchronisations, 1);
    assert.deepEqual(further.gaps, [{ direction: 'read', lostBytes: both.length }]);
  });

  it('the first message behind a loss is exact, though it comes in many reads, with their times', () => {
    const large = randomBytes(100_000);
    const calls = server(
      { lost: text('lost') },
      ...reads(frame({ opcode: 2, payload: large }), 16_384),
      text('next'),
    );
    const seen = runSocket(calls);
    const [first, second] = seen.messages;
    assert.ok(first);
    assert.ok(first.content.equals(large));
    assert.ok(!first.message.damage.any);
    // Two calls of the handshake, the lost one, then seven reads 1 µs apart.
    assert.equal(first.message.startNs, 1_004_000n - 400n);
    assert.equal(first.message.endNs, 1_010_000n);
    assert.equal(first.times.length, 7);
    assert.equal(second?.content.toString(), 'next');
  });

  it('a message too large to be held back is passed over, and the next is exact', () => {
    const calls = server(
      { lost: text('lost') },
      ...reads(frame({ opcode: 2, payload: randomBytes(900_000) }), 16_384),
      text('next'),
    );
    assert.deepEqual(summaryOf(runSocket(calls), 'server'), [whole('next')]);
    const together = server(
      { lost: text('lost') },
      ...reads(
        Buffer.concat([frame({ opcode: 2, payload: randomBytes(900_000) }), text('next')]),
        16_384,
      ),
      text('last'),
    );
    assert.deepEqual(summaryOf(runSocket(together), 'server'), [whole('next'), whole('last')]);
  });

  it('silence in audio, which reads like empty fragments, is not taken for frames', () => {
    const audio = frame({ opcode: 2, payload: Buffer.alloc(50_000) });
    const parts = reads(audio, 8192);
    const calls = server(
      ...parts.slice(0, 2),
      { lost: parts[2] as Buffer },
      ...parts.slice(3),
      text('next'),
    );
    // All of the loss lies within the payload: nothing is searched.
    assert.deepEqual(summaryOf(runSocket(calls), 'server')[1], whole('next'));
    const headLost = server({ lost: parts[0] as Buffer }, ...parts.slice(1), text('next'));
    const seen = runSocket(headLost);
    assert.deepEqual(summaryOf(seen, 'server'), [whole('next')]);
    assert.equal(seen.counters.framingErrors, 0);
  });

  it('fragments of a message whose beginning was lost are passed over, and not joined to another', () => {
    const seen = runSocket(
      server(
        text('begun ', { fin: false }),
        { lost: text('lost ', { fin: false, opcode: 0 }) },
        text('behind', { fin: false, opcode: 0 }),
        text(' the gap', { opcode: 0 }),
        text('next'),
      ),
    );
    const [first, ...rest] = summaryOf(seen, 'server');
    assert.deepEqual(first, {
      ...whole('begun '),
      complete: false,
      holes: 1,
      damage: ['gap'],
      lostBytes: text('lost ').length,
    });
    assert.deepEqual(rest, [whole('next')]);
    assert.equal(seen.counters.orphanFrames, 2);
  });

  it('with context takeover, every compressed message behind a loss is marked, others are exact', () => {
    for (const keepsContext of [true, false]) {
      const compress = createCompressor(keepsContext);
      const deflated = (payload: string) =>
        frame({ opcode: 1, payload: compress(Buffer.from(payload)), rsv1: true });
      const calls = server(
        deflated('first'),
        { lost: deflated('lost') },
        deflated('first again'),
        text('plain'),
        deflated('first once more'),
      );
      const seen = runSocket(calls, {
        extensions: `permessage-deflate${keepsContext ? '' : '; server_no_context_takeover'}`,
      });
      const lost = { ...whole(''), holes: 1, damage: ['gap'] };
      assert.deepEqual(summaryOf(seen, 'server'), [
        whole('first'),
        keepsContext ? lost : whole('first again'),
        whole('plain'),
        keepsContext ? lost : whole('first once more'),
      ]);
    }
  });

  it('a loss in one direction leaves the other alone', () => {
    const compress = createCompressor(true);
    const client = ['one', 'one two', 'one two three'].map((payload): Call => {
      const deflated = compress(Buffer.from(payload));
      return {
        side: 'request',
        bytes: frame({ opcode: 1, payload: deflated, rsv1: true, key: KEY }),
      };
    });
    const calls = client.flatMap((call, index) => [
      call,
      ...server(index === 1 ? { lost: text('lost') } : text('kept')),
    ]);
    const seen = runSocket(calls, { extensions: 'permessage-deflate' });
    assert.deepEqual(summaryOf(seen, 'client'), [
      whole('one'),
      whole('one two'),
      whole('one two three'),
    ]);
    assert.deepEqual(summaryOf(seen, 'server'), [whole('kept'), whole('kept')]);
  });

  it('after a rest it goes on, and a message the rest cut is not joined with what comes later', () => {
    const witness = createSocketWitness();
    const parser = createWebSocketStage({ handler: witness.handler }).join(CONNECTION, 'client');
    let position = 0;
    const push = (bytes: Uint8Array) => {
      parser?.data('read', bytes, { enterNs: 1n, timeNs: 2n }, position);
      position += bytes.length;
    };
    push(text('{"before":1}'));
    push(text('{"cut', { fin: false }));
    parser?.end('timeout', 5n);
    push(text('":2}', { opcode: 0 }));
    push(text('{"after":3}'));
    parser?.end('closed', 6n);
    const [seen] = witness.sockets;
    assert.deepEqual(summaryOf(seen ?? { messages: [] }, 'server'), [
      whole('{"before":1}'),
      { ...whole('{"cut'), complete: false, damage: ['truncated'] },
      whole('{"after":3}'),
    ]);
    assert.deepEqual(seen?.ends, ['timeout', 'closed']);
  });

  it('joined midway, compressed messages are marked so and others are exact', () => {
    const witness = createSocketWitness();
    const parser = createWebSocketStage({ handler: witness.handler }).join(CONNECTION, 'client');
    const deflated = createCompressor(true)(Buffer.from('{"a":1}'));
    let position = 500;
    for (const bytes of [
      randomBytes(37).map((byte) => byte | 0x30),
      frame({ opcode: 1, payload: deflated, rsv1: true }),
      text('{"b":2}'),
    ]) {
      parser?.data('read', bytes, { enterNs: 1n, timeNs: 2n }, position);
      position += bytes.length;
    }
    assert.deepEqual(summaryOf(witness.sockets[0] ?? { messages: [] }, 'server'), [
      { ...whole(''), holes: 1, damage: ['joined-midway'] },
      whole('{"b":2}'),
    ]);
  });
});

describe('websocket probe', () => {
  it('knows the side that sent frames', () => {
    const json = Buffer.from('{"type":"response.output_text.delta"}');
    assert.equal(webSocketSender(frame({ opcode: 1, payload: json })), 'server');
    assert.equal(webSocketSender(frame({ opcode: 1, payload: json, key: KEY })), 'client');
    const ping = frame({ opcode: 9, payload: Buffer.from('p') });
    const binary = frame({ opcode: 2, payload: randomBytes(50) });
    assert.equal(webSocketSender(Buffer.concat([ping, binary])), 'server');
    assert.equal(webSocketSender(frame({ opcode: 1, payload: Buffer.from('[1,"ü"]') })), 'server');
  });

  it('does not take anything else for one', () => {
    const json = frame({ opcode: 1, payload: Buffer.from('{"a":1}') });
    const others = [
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.from('HTTP/1.1 200 OK\r\n\r\n'),
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      Buffer.from('{"a":1}'),
      Buffer.from('data: {"a":1}\n\n'),
      Buffer.alloc(0),
      Buffer.alloc(1),
      Buffer.alloc(64),
      json.subarray(0, -1),
      Buffer.concat([json, Buffer.from('x')]),
      frame({ opcode: 1, payload: Buffer.from('no json') }),
      frame({ opcode: 2, payload: randomBytes(20) }),
      frame({ opcode: 9, payload: Buffer.from('p') }),
      // HTTP/2: SETTINGS, then WINDOW_UPDATE.
      Buffer.from('00000c04000000000000030000006400040000ffff000004080000000000003fffff', 'hex'),
    ];
    for (const bytes of others) {
      assert.equal(webSocketSender(bytes), undefined, bytes.toString('latin1').slice(0, 30));
    }
    let taken = 0;
    for (let index = 0; index < 20_000; index += 1) {
      taken += webSocketSender(randomBytes(1 + (index % 200))) === undefined ? 0 : 1;
    }
    assert.ok(taken <= 10, `${taken} of 20,000 random reads were taken for frames`);
  });
});
