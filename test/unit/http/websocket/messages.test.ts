/** WebSocket messages: the RFCs' own bytes, every frame shape, compression, limits, and what breaks the rules. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { constants, deflateRawSync } from 'node:zlib';
import type { WebSocketLimits } from '../../../../src/http/websocket/limits.ts';
import { createWebSocketStage } from '../../../../src/http/websocket/websocket-upgrade.ts';
import { type Call, CONNECTION, splitEveryByte } from '../../../support/http-generator.ts';
import {
  createCompressor,
  createSocketWitness,
  frame,
  runSocket,
  type SeenSocket,
  summaryOf,
} from '../../../support/websocket-wire.ts';

const KEY = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);

function fromServer(...parts: Uint8Array[]): Call[] {
  return parts.map((bytes) => ({ side: 'response', bytes }));
}

function fromClient(...parts: Uint8Array[]): Call[] {
  return parts.map((bytes) => ({ side: 'request', bytes }));
}

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

function whole(content: string, opcode = 'text') {
  return { opcode, content, complete: true, holes: 0, damage: [], lostBytes: 0 };
}

function text(payload: string, fin = true, opcode = 1): Buffer {
  return frame({ opcode, payload: Buffer.from(payload), fin });
}

const FOUR_MIB = Buffer.alloc(4_194_304);

/** A socket joined midway, fed by hand: what is pushed is not kept. */
function feed(limits: Partial<WebSocketLimits>) {
  const witness = createSocketWitness();
  const stage = createWebSocketStage({ handler: witness.handler, limits });
  const parser = stage.join(CONNECTION, 'client');
  let position = 0;
  return {
    push(bytes: Uint8Array): void {
      parser?.data('read', bytes, { enterNs: 1n, timeNs: 2n }, position);
      position += bytes.length;
    },
    seen: () => witness.sockets[0] as SeenSocket,
  };
}

describe('websocket messages', () => {
  describe('examples of RFC 6455 §5.7', () => {
    const cases: [string, Call[], 'client' | 'server', unknown[]][] = [
      ['unmasked text', fromServer(hex('81 05 48 65 6c 6c 6f')), 'server', [whole('Hello')]],
      [
        'masked text',
        fromClient(hex('81 85 37 fa 21 3d 7f 9f 4d 51 58')),
        'client',
        [whole('Hello')],
      ],
      [
        'fragmented text',
        fromServer(hex('01 03 48 65 6c'), hex('80 02 6c 6f')),
        'server',
        [whole('Hello')],
      ],
      ['ping', fromServer(hex('89 05 48 65 6c 6c 6f')), 'server', []],
      ['masked pong', fromClient(hex('8a 85 37 fa 21 3d 7f 9f 4d 51 58')), 'client', []],
      [
        '256 bytes of binary',
        fromServer(Buffer.concat([hex('82 7e 01 00'), Buffer.alloc(256, 'b')])),
        'server',
        [whole('b'.repeat(256), 'binary')],
      ],
      [
        '64 KiB of binary',
        fromServer(
          Buffer.concat([hex('82 7f 00 00 00 00 00 01 00 00'), Buffer.alloc(65_536, 'c')]),
        ),
        'server',
        [whole('c'.repeat(65_536), 'binary')],
      ],
    ];
    for (const [title, calls, sender, expected] of cases) {
      it(title, () => {
        const seen = runSocket(calls);
        assert.deepEqual(summaryOf(seen, sender), expected);
        assert.deepEqual(summaryOf(runSocket(splitEveryByte(calls)), sender), expected);
        assert.equal(seen.counters.framingErrors, 0);
      });
    }
  });

  describe('examples of RFC 7692 §7.2.3', () => {
    const hello = whole('Hello');
    const cases: [string, string[], unknown[], string?][] = [
      ['one block', ['c1 07 f2 48 cd c9 c9 07 00'], [hello]],
      ['fragments', ['41 03 f2 48 cd', '80 04 c9 c9 07 00'], [hello]],
      [
        'sharing the window',
        ['c1 07 f2 48 cd c9 c9 07 00', 'c1 05 f2 00 11 00 00'],
        [hello, hello],
      ],
      [
        'not sharing the window',
        ['c1 07 f2 48 cd c9 c9 07 00', 'c1 07 f2 48 cd c9 c9 07 00'],
        [hello, hello],
        '; server_no_context_takeover',
      ],
      ['no compression', ['c1 0b 00 05 00 fa ff 48 65 6c 6c 6f 00'], [hello]],
      ['a final block', ['c1 08 f3 48 cd c9 c9 07 00 00'], [hello]],
      [
        'a message behind a final block, referring to the one before it',
        ['c1 08 f3 48 cd c9 c9 07 00 00', 'c1 05 f2 00 11 00 00'],
        [hello, hello],
      ],
      ['a final block that ends the message', ['c1 07 f3 48 cd c9 c9 07 00'], [hello]],
      ['two blocks', ['c1 0d f2 48 05 00 00 00 ff ff ca c9 c9 07 00'], [hello]],
      ['an empty message', ['c1 01 00'], [whole('')]],
      ['an uncompressed message', ['81 05 48 65 6c 6c 6f'], [hello]],
    ];
    for (const [title, parts, expected, parameters] of cases) {
      it(title, () => {
        const calls = fromServer(...parts.map(hex));
        const options = { extensions: `permessage-deflate${parameters ?? ''}` };
        assert.deepEqual(summaryOf(runSocket(calls, options), 'server'), expected);
        const split = splitEveryByte(calls);
        assert.deepEqual(summaryOf(runSocket(split, options), 'server'), expected);
      });
    }
  });

  it('every length around the three header forms, masked and not', () => {
    for (const size of [0, 1, 2, 3, 4, 5, 124, 125, 126, 127, 65_534, 65_535, 65_536, 200_001]) {
      const payload = randomBytes(size);
      const calls = [
        ...fromClient(frame({ opcode: 2, payload, key: KEY })),
        ...fromServer(frame({ opcode: 2, payload })),
      ];
      for (const cuts of [calls, calls.flatMap((call) => pieces(call, 4099))]) {
        const seen = runSocket(cuts);
        for (const sender of ['client', 'server'] as const) {
          const [one] = seen.messages.filter(({ message }) => message.sender === sender);
          assert.ok(one?.content.equals(payload), `${size} ${sender}`);
          assert.equal(one?.message.wireBytes, size);
          assert.equal(one?.message.contentBytes, size);
        }
      }
    }
  });

  it('control frames between fragments, and a close with code and reason', () => {
    const calls = [
      ...fromServer(
        text('one ', false),
        frame({ opcode: 9, payload: Buffer.from('are you there') }),
        text('two ', false, 0),
        frame({ opcode: 10, payload: new Uint8Array(0) }),
        text('three', true, 0),
        frame({ opcode: 8, payload: Buffer.from('\x03\xe8bye ü', 'latin1') }),
      ),
      ...fromClient(frame({ opcode: 8, payload: Buffer.from([0x0f, 0xa0]), key: KEY })),
    ];
    const seen = runSocket(calls);
    assert.deepEqual(summaryOf(seen, 'server'), [whole('one two three')]);
    assert.deepEqual(
      seen.closes.map(({ sender, code, reason }) => [sender, code, reason]),
      [
        ['server', 1000, 'bye \ufffd'],
        ['client', 4000, ''],
      ],
    );
    assert.deepEqual(seen.ends, ['closed']);
  });

  it('a close without a code, and bytes after it', () => {
    const seen = runSocket(
      fromServer(frame({ opcode: 8, payload: new Uint8Array(0) }), text('too late')),
    );
    assert.deepEqual(seen.closes, [{ direction: 'read', sender: 'server', reason: '' }]);
    assert.deepEqual(seen.messages, []);
  });

  it('frames that come with the handshake response are the first ones', () => {
    const calls = fromServer(text('early'));
    const witness = runSocket([]);
    assert.equal(witness.messages.length, 0);
    const together = runSocket(calls);
    assert.deepEqual(summaryOf(together, 'server'), [whole('early')]);
  });

  it('tells the times of the calls that carried a message', () => {
    const bytes = text('hello');
    const seen = runSocket(
      fromServer(bytes.subarray(0, 1), bytes.subarray(1, 4), bytes.subarray(4)),
    );
    const [one] = seen.messages;
    // Two calls of the handshake come first; each call takes 400 ns and comes 1 µs after the one before.
    assert.equal(one?.message.startNs, 1_003_000n - 400n);
    assert.equal(one?.message.endNs, 1_005_000n);
    assert.deepEqual(one?.times, [1_004_000n, 1_005_000n]);
  });

  describe('negotiation', () => {
    const compressed = fromServer(hex('c1 07 f2 48 cd c9 c9 07 00'), text('plain'));
    const known = [
      'permessage-deflate',
      'permessage-deflate; client_max_window_bits=15',
      'Permessage-Deflate;server_max_window_bits="10" ; client_no_context_takeover',
    ];
    for (const extensions of known) {
      it(extensions, () => {
        const seen = runSocket(compressed, { extensions });
        assert.deepEqual(summaryOf(seen, 'server'), [whole('Hello'), whole('plain')]);
        assert.equal(seen.socket.compression, 'permessage-deflate');
      });
    }
    const unknown = [
      'permessage-deflate; server_max_window_bits=7',
      'permessage-deflate; server_no_context_takeover=1',
      'permessage-deflate; something=1',
      'x-webkit-deflate-frame',
      'permessage-deflate, permessage-deflate',
      'permessage-deflate, mux',
    ];
    for (const extensions of unknown) {
      it(`not understood: ${extensions}`, () => {
        const seen = runSocket(compressed, { extensions });
        assert.equal(seen.socket.compression, 'unknown');
        const [first, second] = summaryOf(seen, 'server') as { damage: string[] }[];
        assert.deepEqual(first?.damage, ['decode-error']);
        assert.deepEqual(second, whole('plain'));
      });
    }
    it('none: a compressed frame breaks the rules', () => {
      const seen = runSocket([...compressed, ...fromServer(text('after'))]);
      assert.equal(seen.counters.framingErrors, 1);
      assert.deepEqual(summaryOf(seen, 'server'), [whole('plain'), whole('after')]);
      assert.equal(seen.gaps.length, 1);
    });
  });

  describe('what breaks the rules is skipped up to the next call', () => {
    const broken: [string, Buffer][] = [
      ['a reserved bit', hex('a1 01 41')],
      ['an unknown opcode', hex('83 01 41')],
      ['a reserved control opcode', hex('8b 00')],
      ['a fragmented ping', hex('09 00')],
      ['a ping with 126 bytes', Buffer.concat([hex('89 7e 00 7e'), Buffer.alloc(126)])],
      ['a length in more bytes than it needs', hex('82 7e 00 01 41')],
      ['a negative length', hex('82 7f ff ff ff ff ff ff ff ff 41')],
      ['a masked frame of the server', hex('81 85 37 fa 21 3d 7f 9f 4d 51 58')],
      ['a continuation of nothing', hex('80 01 41')],
    ];
    for (const [title, bytes] of broken) {
      it(title, () => {
        const seen = runSocket(fromServer(text('before'), bytes, text('after')));
        assert.deepEqual(summaryOf(seen, 'server'), [whole('before'), whole('after')]);
        assert.equal(seen.counters.framingErrors, 1);
        assert.deepEqual(seen.gaps, [{ direction: 'read', lostBytes: undefined }]);
      });
    }
    it('a new message within a fragmented one marks that', () => {
      const seen = runSocket(fromServer(text('begun', false), text('new'), text('after')));
      const [first, ...rest] = summaryOf(seen, 'server') as {
        damage: string[];
        complete: boolean;
      }[];
      assert.deepEqual(first?.damage, ['decode-error']);
      assert.equal(first?.complete, false);
      assert.deepEqual(rest, [whole('after')]);
    });
    it('an unmasked frame of the client', () => {
      const seen = runSocket(
        fromClient(text('unmasked'), frame({ opcode: 1, payload: Buffer.from('{}'), key: KEY })),
      );
      assert.deepEqual(summaryOf(seen, 'client'), [whole('{}')]);
    });
  });

  describe('limits', () => {
    it('a message over the limit is cut and marked, and the next is whole', () => {
      for (const extensions of [undefined, 'permessage-deflate']) {
        const compress = createCompressor(true);
        const messages = [
          'a'.repeat(5000) + randomBytes(4000).toString('hex'),
          'next',
          'a'.repeat(90),
        ];
        const calls = fromServer(
          ...messages.map((message) => {
            const payload = Buffer.from(message);
            return extensions
              ? frame({ opcode: 1, payload: compress(payload), rsv1: true })
              : frame({ opcode: 1, payload });
          }),
        ).flatMap((call) => pieces(call, 1000));
        const seen = runSocket(calls, {
          limits: { maxMessageBytes: 1000 },
          ...(extensions ? { extensions } : {}),
        });
        assert.deepEqual(summaryOf(seen, 'server'), [
          { ...whole('a'.repeat(1000)), holes: 1, damage: ['limit'] },
          whole('next'),
          whole('a'.repeat(90)),
        ]);
      }
    });

    it('a decompression bomb stops within its limit; then compressed messages are marked, others go on', () => {
      const bomb = deflateRawSync(Buffer.alloc(400_000_000), {
        finishFlush: constants.Z_SYNC_FLUSH,
      }).subarray(0, -4);
      const compress = createCompressor(true);
      const calls = [
        ...pieces(
          { side: 'response', bytes: frame({ opcode: 2, payload: bomb, rsv1: true }) },
          16_384,
        ),
        ...fromServer(
          frame({ opcode: 1, payload: compress(Buffer.from('lost')), rsv1: true }),
          text('plain'),
        ),
      ];
      const startMs = performance.now();
      const heldBefore = process.memoryUsage().arrayBuffers;
      const options = { extensions: 'permessage-deflate' };
      const seen = runSocket(calls, { ...options, limits: { maxMessageBytes: 1_000_000 } });
      assert.ok(performance.now() - startMs < 3000, 'it takes no time');
      assert.ok(process.memoryUsage().arrayBuffers - heldBefore < 64_000_000, 'nor memory');
      const [first, second, third] = summaryOf(seen, 'server') as {
        damage: string[];
        content: string;
      }[];
      assert.deepEqual(first?.damage, ['limit']);
      assert.ok((first?.content.length ?? 0) <= 1_000_000);
      assert.deepEqual(second, { ...whole(''), holes: 1, damage: ['limit'] });
      assert.deepEqual(third, whole('plain'));

      const fresh = runSocket(calls, {
        extensions: 'permessage-deflate; server_no_context_takeover',
      });
      assert.deepEqual(summaryOf(fresh, 'server').slice(1), [whole('lost'), whole('plain')]);
    });

    it('a 1 GB frame header hands nothing out and allocates nothing; the next message is whole', () => {
      const { seen, push } = feed({ maxFrameBytes: 1_000_000 });
      push(text('{}'));
      const heldBefore = process.memoryUsage().arrayBuffers;
      push(hex('82 7f 00 00 00 00 40 00 00 00'));
      const [, large] = seen().messages;
      assert.deepEqual([...(large?.message.damage.kinds ?? [])], ['limit']);
      for (let left = 2 ** 30; left > 0; left -= 4_194_304) {
        push(FOUR_MIB);
      }
      push(text('next'));
      assert.ok(process.memoryUsage().arrayBuffers - heldBefore < 1_000_000);
      assert.equal(large?.message.contentBytes, 0);
      assert.equal(large?.holes, 1);
      assert.deepEqual(summaryOf(seen(), 'server')[2], whole('next'));
    });

    it('endless fragments are cut at the limit, in constant memory', () => {
      const { seen, push } = feed({ maxFragments: 1000 });
      push(text('{}'));
      push(text('a', false));
      const heldBefore = process.memoryUsage().arrayBuffers;
      const many = Buffer.concat(Array.from({ length: 1000 }, () => text('a', false, 0)));
      for (let round = 0; round < 1000; round += 1) {
        push(many);
      }
      assert.ok(process.memoryUsage().arrayBuffers - heldBefore < 1_000_000);
      push(text('a', true, 0));
      push(text('next'));
      assert.deepEqual(summaryOf(seen(), 'server').slice(1), [
        { ...whole('a'.repeat(1000)), holes: 1, damage: ['limit'] },
        whole('next'),
      ]);
    });

    it('a flood of control frames in a message costs neither memory nor the message', () => {
      const { seen, push } = feed({});
      push(text('{}'));
      push(text('be', false));
      const heldBefore = process.memoryUsage().arrayBuffers;
      const ping = frame({ opcode: 9, payload: Buffer.alloc(125, 'p') });
      const many = Buffer.concat(Array.from({ length: 1000 }, () => ping));
      for (let round = 0; round < 1000; round += 1) {
        push(many);
      }
      assert.ok(process.memoryUsage().arrayBuffers - heldBefore < 1_000_000);
      push(text('gun', true, 0));
      assert.deepEqual(summaryOf(seen(), 'server')[1], whole('begun'));
    });

    it('a message of 1 GB passes in constant memory', function () {
      this.timeout(60_000);
      const witness = createSocketWitness();
      const stage = createWebSocketStage({
        handler: witness.handler,
        limits: { maxMessageBytes: 1000 },
      });
      const parser = stage.join(CONNECTION, 'client');
      let position = 0;
      const push = (bytes: Uint8Array) => {
        parser?.data('read', bytes, { enterNs: 1n, timeNs: 2n }, position);
        position += bytes.length;
      };
      const block = Buffer.alloc(65_536);
      push(text('{}'));
      const heldBefore = process.memoryUsage().arrayBuffers;
      push(hex('82 7f 00 00 00 00 40 00 00 00'));
      for (let index = 0; index < 2 ** 30 / block.length; index += 1) {
        push(block);
      }
      push(text('next'));
      assert.ok(process.memoryUsage().arrayBuffers - heldBefore < 1_000_000);
      const [, large] = witness.sockets[0]?.messages ?? [];
      assert.equal(large?.message.wireBytes, 2 ** 30);
      assert.deepEqual([...(large?.message.damage.kinds ?? [])], ['limit']);
      const seen = witness.sockets[0] ?? { messages: [] };
      assert.deepEqual(summaryOf(seen, 'server')[2], whole('next'));
    });
  });

  it('bytes that are no deflate, and deflate that is cut, are marked', () => {
    const options = { extensions: 'permessage-deflate; server_no_context_takeover' };
    const cut = createCompressor(false)(randomBytes(300)).subarray(0, 200);
    for (const payload of [hex('07 ff ff'), cut]) {
      const seen = runSocket(
        fromServer(frame({ opcode: 1, payload, rsv1: true }), text('next')),
        options,
      );
      const [first, second] = summaryOf(seen, 'server') as { damage: string[]; holes: number }[];
      assert.deepEqual(first?.damage, ['decode-error']);
      assert.equal(first?.holes, 1);
      assert.deepEqual(second, whole('next'));
    }
  });

  it('ends what is unfinished when the connection does', () => {
    const seen = runSocket(fromServer(text('half', false)));
    assert.deepEqual(summaryOf(seen, 'server'), [
      { ...whole('half'), complete: false, damage: ['truncated'] },
    ]);
    assert.ok(seen.messages[0]?.isEnded);
  });
});

function pieces(call: Call, size: number): Call[] {
  const parts: Call[] = [];
  for (let at = 0; at < call.bytes.length; at += size) {
    parts.push({ ...call, bytes: call.bytes.subarray(at, at + size) });
  }
  return parts;
}
