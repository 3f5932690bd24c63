/**
 * WebSocket messages behind a handshake. The input's first byte says what was agreed on (1: permessage-deflate; 2: the
 * client, 4: the server without context takeover), the rest are calls.
 */
import assert from 'node:assert/strict';
import type { Writable } from 'node:stream';
import * as ws from 'ws';
import { createWebSocketStage } from '../../../src/http/websocket/websocket-upgrade.ts';
import {
  createCompressor,
  createSocketWitness,
  frame,
  handshake,
  type SeenSocket,
} from '../../support/websocket-wire.ts';
import {
  callsFrom,
  decodeCalls,
  encodeCalls,
  eventsOf,
  type InputCall,
  isWhole,
  mutateCalls,
  type Pieces,
  piecesFor,
  RESPONSE,
  sideOf,
} from '../calls-input.ts';
import { createSecretLog, observeConnection } from '../connection-witness.ts';
import type { FuzzTarget } from '../target.ts';

const LIMITS = {
  maxMessageBytes: 4000,
  maxInflatedBytes: 20_000,
  maxSearchBytes: 1000,
  maxSearchCalls: 8,
};
const DEFLATE = 1;
const KEY = Uint8Array.of(0x12, 0x34, 0x56, 0x78);

function extensionsOf(flags: number): string | undefined {
  if ((flags & DEFLATE) === 0) {
    return undefined;
  }
  const client = (flags & 2) === 0 ? '' : '; client_no_context_takeover';
  const server = (flags & 4) === 0 ? '' : '; server_no_context_takeover';
  return `permessage-deflate${client}${server}`;
}

function handshakeOf(flags: number): InputCall[] {
  return decodeCalls(callsFrom(handshake(extensionsOf(flags))));
}

function observe(flags: number, calls: readonly InputCall[], pieces?: Pieces) {
  const witness = createSocketWitness();
  const secrets = createSecretLog();
  const stage = createWebSocketStage({
    handler: witness.handler,
    limits: LIMITS,
    onSecret: (_connection, direction, position, length) =>
      secrets.add(direction, position, length),
    onDecoded: (_connection, direction, { position, length }) =>
      secrets.add(direction, position, length),
    onRelease: (_connection, direction, upTo) => secrets.release(direction, upTo),
  });
  observeConnection(eventsOf([...handshakeOf(flags), ...calls], pieces), {
    upgrade: stage.upgrade,
  });
  const [socket] = witness.sockets;
  assert.ok(socket !== undefined, 'the handshake opens a WebSocket');
  return { socket, secrets: secrets.all() };
}

function account(socket: SeenSocket): unknown {
  return {
    messages: socket.messages.map(({ message, content, holes, isEnded }) => ({
      sender: message.sender,
      opcode: message.opcode,
      ordinal: message.ordinal,
      wireBytes: message.wireBytes,
      content: content.toString('latin1'),
      complete: message.complete,
      holes,
      isEnded,
      damage: [...message.damage.kinds],
      lostBytes: message.damage.lostBytes,
    })),
    closes: socket.closes,
    gaps: socket.gaps,
    ends: socket.ends,
  };
}

/** The receiving half of `ws`, which its types leave out. */
const { Receiver } = ws as unknown as {
  Receiver: new (options: {
    isServer: boolean;
    skipUTF8Validation: boolean;
    maxPayload: number;
  }) => Writable;
};

/** Messages of one side as `ws` reads them; undefined where it refuses. */
function readByWs(bytes: Buffer, isFromClient: boolean): string[] | undefined {
  const messages: string[] = [];
  let isRefused = false;
  const receiver = new Receiver({
    isServer: isFromClient,
    skipUTF8Validation: true,
    maxPayload: LIMITS.maxMessageBytes,
  });
  receiver.on('message', (data: Buffer, isBinary: boolean) =>
    messages.push(`${isBinary ? 'binary' : 'text'} ${data.toString('latin1')}`),
  );
  receiver.on('error', () => {
    isRefused = true;
  });
  receiver.write(bytes);
  const { _bufferedBytes: restBytes, _loop: isReading } = receiver as unknown as {
    _bufferedBytes: number;
    _loop: boolean;
  };
  const isRead = !isRefused && !isReading && restBytes === 0 && receiver.errored === null;
  receiver.destroy();
  return isRead ? messages : undefined;
}

function seeds(): Uint8Array[] {
  const text = Buffer.from('{"type":"response.output_text.delta","delta":"é"}');
  const build = (flags: number): Uint8Array => {
    const client = createCompressor((flags & 2) === 0);
    const server = createCompressor((flags & 4) === 0);
    const isDeflating = (flags & DEFLATE) !== 0;
    const calls = [0, 1, 2].flatMap((round) => {
      const up = isDeflating ? client(text) : text;
      const down = isDeflating ? server(text) : text;
      const half = down.length >> 1;
      return [
        {
          flags: 0,
          bytes: frame({ opcode: 1, payload: up, rsv1: isDeflating, key: KEY }),
        },
        {
          flags: RESPONSE,
          bytes: Buffer.concat([
            frame({ opcode: 2, payload: down.subarray(0, half), fin: false, rsv1: isDeflating }),
            frame({ opcode: 9, payload: Buffer.from(`ping ${round}`) }),
            frame({ opcode: 0, payload: down.subarray(half) }),
          ]),
        },
      ];
    });
    const close = frame({ opcode: 8, payload: Buffer.from([3, 232, 0x6f, 0x6b]) });
    return Buffer.concat([
      Buffer.from([flags]),
      encodeCalls([
        ...calls,
        { flags: 0, bytes: frame({ opcode: 1, payload: Buffer.alloc(200, 'x'), key: KEY }) },
        { flags: RESPONSE, bytes: close },
      ]),
    ]);
  };
  return [0, 1, 3, 5, 7].map(build);
}

export const WEBSOCKET: FuzzTarget = {
  name: 'websocket',
  seeds,
  mutate(input, tools) {
    const flags = tools.random.uint32() % 16 === 0 ? tools.random.uint32() & 7 : (input[0] ?? 0);
    const calls = mutateCalls(input.subarray(1), {
      ...tools,
      other: () => tools.other().subarray(1),
    });
    return Buffer.concat([Buffer.from([flags]), calls]);
  },
  words: [
    Buffer.from([0x81, 0x05]),
    Buffer.from([0x82, 0xfe, 0x00, 0x80]),
    'sk-ant-api03-0123456789',
  ],
  run(input) {
    const flags = input[0] ?? 0;
    const calls = decodeCalls(input.subarray(1));
    const whole = observe(flags, calls);
    const split = observe(flags, calls, piecesFor(input));
    const { messages } = whole.socket;
    assert.ok(
      messages.every(({ isEnded }) => isEnded),
      'every message that began is over',
    );
    assert.ok(
      messages.every(({ content }) => content.length <= LIMITS.maxMessageBytes),
      'a message is bounded',
    );
    if (!isWhole(calls)) {
      return;
    }
    const isSound =
      whole.socket.gaps.length === 0 && messages.every(({ message }) => !message.damage.any);
    if (isSound) {
      assert.deepEqual(
        account(split.socket),
        account(whole.socket),
        'cut into records, it differs',
      );
      assert.deepEqual(split.secrets, whole.secrets, 'cut into records, other bytes are secret');
    }
    if (!isSound || (flags & DEFLATE) !== 0) {
      return;
    }
    for (const side of ['request', 'response'] as const) {
      const expected = readByWs(sideOf(calls, side), side === 'request');
      if (expected !== undefined) {
        assert.deepEqual(
          messages
            .filter(({ message }) => message.sender === (side === 'request' ? 'client' : 'server'))
            .map(({ message, content }) => `${message.opcode} ${content.toString('latin1')}`),
          expected,
          'messages as ws reads them',
        );
      }
    }
  },
};
