/** Keys within messages are told to the recorder with what to write instead, so that a replay reads stars. */
import assert from 'node:assert/strict';
import type { Direction } from '../../../../src/capture/events.ts';
import { createWebSocketStage } from '../../../../src/http/websocket/websocket-upgrade.ts';
import { CONNECTION, cut } from '../../../support/http-generator.ts';
import {
  createCompressor,
  createSocketWitness,
  frame,
  handshake,
  runSocket,
} from '../../../support/websocket-wire.ts';

const KEY = Uint8Array.of(0x9c, 0x00, 0x2a, 0x7f);
const SECRET = 'sk-proj-0123456789abcdefghij';
const STARS = '*'.repeat(SECRET.length);

interface Piece {
  direction: Direction;
  bytes: Uint8Array;
}

/** Reads the pieces as the recorder would keep them: each byte that was told secret overwritten before release. */
function record(pieces: readonly Piece[]): { recorded: Piece[]; contents: string[] } {
  const witness = createSocketWitness();
  const streams = { read: Buffer.alloc(0), write: Buffer.alloc(0) };
  const released = { read: 0, write: 0 };
  const stage = createWebSocketStage({
    handler: witness.handler,
    onSecret(_connection, direction, position, length, replacement) {
      assert.ok(position >= released[direction], 'it is told before the bytes are released');
      assert.ok(position + length <= streams[direction].length);
      assert.ok(replacement === undefined || replacement.length === length);
      streams[direction].fill('*', position, position + length);
      if (replacement) {
        streams[direction].set(replacement, position);
      }
    },
    onRelease(_connection, direction, upToPosition) {
      assert.ok(upToPosition >= released[direction], 'it never goes back');
      released[direction] = upToPosition;
    },
  });
  // Joined, not upgraded: the same parser, and positions from 0.
  const parser = stage.join(CONNECTION, 'client');
  for (const { direction, bytes } of pieces) {
    const position = streams[direction].length;
    streams[direction] = Buffer.concat([streams[direction], bytes]);
    parser?.data(direction, bytes, { enterNs: 1n, timeNs: 2n }, position);
  }
  parser?.end('closed', 3n);
  assert.equal(released.read, streams.read.length, 'everything is released in the end');
  assert.equal(released.write, streams.write.length);
  let at = { read: 0, write: 0 };
  const recorded = pieces.map(({ direction, bytes }) => {
    const start = at[direction];
    at = { ...at, [direction]: start + bytes.length };
    return { direction, bytes: streams[direction].subarray(start, start + bytes.length) };
  });
  return {
    recorded,
    contents: witness.sockets[0]?.messages.map(({ content }) => content.toString()) ?? [],
  };
}

describe('websocket credentials', () => {
  const text = `{"type":"session.update","key":"${SECRET}","more":"${'x'.repeat(300)}"}`;
  for (const [sender, masking] of [
    ['client', { key: KEY }],
    ['server', {}],
  ] as const) {
    const direction = sender === 'client' ? 'write' : 'read';
    const pieces = (parts: readonly Uint8Array[]) =>
      parts.map((bytes) => ({ direction, bytes }) as const);

    it(`of the ${sender}: a recording reads stars, at every split`, () => {
      const whole = frame({ opcode: 1, payload: Buffer.from(text), ...masking });
      for (let at = 1; at < whole.length; at += 1) {
        const { recorded } = record(
          pieces([
            frame({ opcode: 9, payload: Buffer.from('p'), ...masking }),
            whole.subarray(0, at),
            whole.subarray(at),
          ]),
        );
        const replayed = record(recorded);
        assert.deepEqual(replayed.contents, [text.replace(SECRET, STARS)], `split at ${at}`);
      }
    });

    it(`of the ${sender}: across fragments with keys of their own, control frames between`, () => {
      const payload = Buffer.from(text);
      const start = text.indexOf(SECRET);
      const fragments = [
        payload.subarray(0, start + 5),
        payload.subarray(start + 5, start + 9),
        payload.subarray(start + 9),
      ];
      const frames = fragments.flatMap((part, index) => [
        frame({
          opcode: index === 0 ? 1 : 0,
          fin: index === 2,
          payload: part,
          ...(sender === 'client' ? { key: Uint8Array.of(index, 77, 255, index * 3) } : {}),
        }),
        frame({ opcode: 10, payload: Buffer.from('pong'), ...masking }),
      ]);
      const ping = frame({ opcode: 9, payload: Buffer.from('p'), ...masking });
      for (const parts of [
        [ping, ...frames],
        [ping, ...cut(Buffer.concat(frames), [0.1, 0.12, 0.13, 0.2])],
      ]) {
        const { recorded } = record(pieces(parts));
        assert.deepEqual(record(recorded).contents, [text.replace(SECRET, STARS)]);
      }
    });

    it(`of the ${sender}: in a control frame`, () => {
      const ping = frame({ opcode: 9, payload: Buffer.from(`Bearer ${SECRET}`), ...masking });
      const { recorded } = record(pieces([ping]));
      const bytes = Buffer.from(recorded[0]?.bytes ?? []);
      const start = sender === 'client' ? 6 : 2;
      const unmasked = bytes
        .subarray(start)
        .map((byte, index) => byte ^ (sender === 'client' ? (KEY[index & 3] as number) : 0));
      assert.equal(Buffer.from(unmasked).toString(), `Bearer ${STARS}`);
    });
  }

  it('bytes that cannot be placed are secret, and compressed ones that cannot be read', () => {
    const compressed = frame({
      opcode: 1,
      rsv1: true,
      payload: createCompressor(true)(Buffer.from(text)),
    });
    const noise = Buffer.from(`no frame at all ${SECRET}`);
    const { recorded } = record([
      { direction: 'read', bytes: noise },
      { direction: 'read', bytes: frame({ opcode: 9, payload: Buffer.from('p') }) },
      { direction: 'read', bytes: compressed },
    ]);
    assert.equal(Buffer.from(recorded[0]?.bytes ?? []).toString(), '*'.repeat(noise.length));
    assert.equal(
      Buffer.from(recorded[2]?.bytes ?? []).toString('latin1', 4),
      '*'.repeat(compressed.length - 4),
    );
  });

  it('a control frame that comes in pieces is released only when it was searched', () => {
    const payload = Buffer.from(`token ghp_${'aB3'.repeat(12)}`);
    const ping = frame({ opcode: 9, payload, key: Uint8Array.of(1, 2, 3, 4) });
    const cut = ping.length - 10;
    const rest = { side: 'request', bytes: ping.subarray(cut) } as const;
    for (const last of [rest, { ...rest, isLost: 'announced' as const }]) {
      let releasedTo = 0;
      let secretBytes = 0;
      runSocket([{ side: 'request', bytes: ping.subarray(0, cut) }, last], {
        stage: {
          onSecret(_connection, direction, position, length) {
            if (direction === 'write') {
              assert.ok(position >= releasedTo, `${position} was released, up to ${releasedTo}`);
              secretBytes += length;
            }
          },
          onRelease(_connection, direction, upToPosition) {
            releasedTo = direction === 'write' ? Math.max(releasedTo, upToPosition) : releasedTo;
          },
        },
      });
      assert.ok(secretBytes >= payload.length - 'token '.length - 10, `${secretBytes} bytes`);
    }
  });

  it('a control frame with a hole in it is secret to its end', () => {
    const ping = frame({ opcode: 9, payload: Buffer.from('x'.repeat(60)) });
    const first = handshake().filter(({ side }) => side === 'response')[0]?.bytes.length ?? 0;
    const secret = new Set<number>();
    runSocket(
      [
        { side: 'response', bytes: ping.subarray(0, 22) },
        { side: 'response', bytes: ping.subarray(22, 42), isLost: 'announced' },
        { side: 'response', bytes: ping.subarray(42) },
      ],
      {
        stage: {
          onSecret(_connection, _direction, position, length) {
            for (let at = position; at < position + length; at += 1) {
              secret.add(at);
            }
          },
        },
      },
    );
    for (let at = first + 2; at < first + ping.length; at += 1) {
      assert.ok(secret.has(at) || (at >= first + 22 && at < first + 42), `byte ${at - first}`);
    }
  });

  it('what follows a close frame is secret, in the same read or in others', () => {
    const close = frame({ opcode: 8, payload: Buffer.from([3, 232]) });
    const ping = frame({ opcode: 9, payload: Buffer.from('p') });
    const bytes = Buffer.concat([close, textFrame('after'), Buffer.from('no frame')]);
    for (let at = 1; at <= bytes.length; at += 1) {
      const { recorded, contents } = record(
        [ping, bytes.subarray(0, at), bytes.subarray(at)].map((piece) => ({
          direction: 'read',
          bytes: piece,
        })),
      );
      const all = Buffer.concat(recorded.slice(1).map((piece) => piece.bytes));
      assert.equal(all.toString('latin1', close.length), '*'.repeat(bytes.length - close.length));
      assert.deepEqual(contents, []);
    }
  });
});

function textFrame(payload: string): Buffer {
  return frame({ opcode: 1, payload: Buffer.from(payload) });
}
