/** The `ws` package on both sides of a real connection, every byte copied past the parser: messages are equal. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type PerMessageDeflateOptions, WebSocket, WebSocketServer } from 'ws';
import { createHttpStage } from '../../../../src/http/http-stage.ts';
import { createWebSocketStage } from '../../../../src/http/websocket/websocket-upgrade.ts';
import { CONNECTION } from '../../../support/http-generator.ts';
import { createSocketWitness, type SeenMessage } from '../../../support/websocket-wire.ts';

interface Sent {
  isBinary: boolean;
  sha256: string;
}

const MODES: [string, boolean | PerMessageDeflateOptions][] = [
  ['no compression', false],
  ['context takeover', { threshold: 0 }],
  [
    'no context takeover',
    { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true },
  ],
  [
    'no takeover of the client, windows of 9 and 11 bits',
    {
      threshold: 0,
      clientNoContextTakeover: true,
      serverMaxWindowBits: 9,
      clientMaxWindowBits: 11,
    },
  ],
  ['large messages only, fast', { threshold: 500, zlibDeflateOptions: { level: 1, memLevel: 4 } }],
];

function digest(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

function payloads(): (string | Buffer)[] {
  const delta = (index: number) =>
    JSON.stringify({ type: 'response.output_text.delta', delta: `word ${index} ü€😀`, index });
  return [
    '',
    'x',
    ...Array.from({ length: 60 }, (_, index) => delta(index)),
    'y'.repeat(125),
    'y'.repeat(126),
    randomBytes(70_000),
    Buffer.alloc(300_000, 'repeated '),
    JSON.stringify({ type: 'response.completed', text: randomBytes(60_000).toString('base64') }),
    randomBytes(1),
    Buffer.alloc(0),
    delta(61),
  ];
}

describe('websocket messages of the ws package', () => {
  for (const [title, perMessageDeflate] of MODES) {
    it(`${title}: both sides' messages are equal, fragments and pings among them`, async () => {
      const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate });
      await once(server, 'listening');
      const witness = createSocketWitness();
      const stage = createWebSocketStage({ handler: witness.handler });
      const parser = createHttpStage({ handler: () => undefined, upgrade: stage.upgrade })(
        CONNECTION,
      );
      const proxy = await startTap(
        (server.address() as AddressInfo).port,
        (direction, bytes, at) => {
          const held = Buffer.from(bytes);
          parser.data(direction, held, { enterNs: 1n, timeNs: 2n }, at);
          held.fill(0xee);
        },
      );
      const truth = { client: [] as Sent[], server: [] as Sent[] };
      const closed = new Promise<void>((resolve) => {
        server.on('connection', (socket) => {
          socket.on('message', (data: Buffer, isBinary) => {
            truth.client.push({ isBinary, sha256: digest(data) });
          });
          socket.on('close', () => resolve());
          sendAll(socket);
        });
      });
      const client = new WebSocket(`ws://127.0.0.1:${proxy.port}/v1/realtime`, {
        perMessageDeflate,
      });
      client.on('message', (data: Buffer, isBinary) => {
        truth.server.push({ isBinary, sha256: digest(data) });
        if (truth.server.length === payloads().length + 2) {
          client.close(1000, 'done');
        }
      });
      await once(client, 'open');
      sendAll(client);
      await closed;
      await proxy.stop();
      await new Promise((resolve) => server.close(resolve));
      parser.end('closed', 3n);

      const [seen] = witness.sockets;
      assert.equal(seen?.socket.compression, perMessageDeflate ? 'permessage-deflate' : 'none');
      for (const sender of ['client', 'server'] as const) {
        const messages: SeenMessage[] =
          seen?.messages.filter(({ message }) => message.sender === sender) ?? [];
        assert.ok(truth[sender].length > 60);
        assert.deepEqual(
          messages.map(({ message, content }) => ({
            isBinary: message.opcode === 'binary',
            sha256: digest(content),
          })),
          truth[sender],
        );
        assert.ok(messages.every(({ message }) => message.complete && !message.damage.any));
        const hasCompressed = messages.some(({ message }) => message.isCompressed);
        assert.equal(hasCompressed, perMessageDeflate !== false);
      }
      assert.deepEqual(
        seen?.closes.map(({ sender, code, reason }) => [sender, code, reason]),
        [
          ['client', 1000, 'done'],
          ['server', 1000, 'done'],
        ],
      );
    });
  }
});

function sendAll(socket: WebSocket): void {
  for (const payload of payloads()) {
    socket.send(payload);
  }
  // One message in three fragments; ws itself allows control frames between them.
  socket.send('first, ', { fin: false });
  socket.ping('are you there');
  socket.send('second, ', { fin: false });
  socket.send('third', { fin: true });
  socket.send('the end');
}

/** Forwards one connection and shows what passes; client to server is `write`. */
async function startTap(
  port: number,
  show: (direction: 'read' | 'write', bytes: Buffer, position: number) => void,
): Promise<{ port: number; stop(): Promise<void> }> {
  const sockets: Socket[] = [];
  const tap = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    sockets.push(near, far);
    const positions = { read: 0, write: 0 };
    const forward = (direction: 'read' | 'write', from: Socket, to: Socket) => {
      from.on('data', (bytes) => {
        show(direction, bytes, positions[direction]);
        positions[direction] += bytes.length;
        to.write(bytes);
      });
      from.on('end', () => to.end());
      from.on('error', () => to.destroy());
    };
    forward('write', near, far);
    forward('read', far, near);
  });
  tap.listen(0, '127.0.0.1');
  await once(tap, 'listening');
  return {
    port: (tap.address() as AddressInfo).port,
    async stop() {
      for (const socket of sockets) {
        socket.destroy();
      }
      await new Promise((resolve) => tap.close(resolve));
    },
  };
}
