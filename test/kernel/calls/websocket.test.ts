/** WebSockets over TLS between `ws` on both sides: what is captured is what was sent, message by message. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { WebSocketServer } from 'ws';
import { loadBinding } from '../../../src/capture/binding.ts';
import { createLiveSource } from '../../../src/capture/live-source.ts';
import { createHttpStage } from '../../../src/http/http-stage.ts';
import { createWebSocketStage } from '../../../src/http/websocket/websocket-upgrade.ts';
import { createTargetFinder } from '../../../src/targets/target-finder.ts';
import { createTlsLocator } from '../../../src/targets/tls-location.ts';
import { createTransport } from '../../../src/transport/transport.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { makeCertificate } from '../../support/model-server/certificate.ts';
import { createSocketWitness, type SeenMessage } from '../../support/websocket-wire.ts';

const CLIENT = fileURLToPath(new URL('../../support/clients/websocket.mjs', import.meta.url));
const MESSAGES = 63;
const RING_BYTES = 64 * 1024 * 1024;

interface Sent {
  isBinary: boolean;
  sha256: string;
}

function digest(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Answers every message with a stream of small ones, as a model does, and now and then a large one. */
function answer(https: Server, perMessageDeflate: object | false): Sent[] {
  const sent: Sent[] = [];
  const server = new WebSocketServer({ server: https, perMessageDeflate, maxPayload: 2 ** 30 });
  server.on('connection', (socket) => {
    const send = (data: Buffer | string) => {
      const isBinary = typeof data !== 'string';
      sent.push({ isBinary, sha256: digest(Buffer.from(data as Buffer)) });
      socket.send(data);
    };
    socket.on('message', (data: Buffer, isBinary) => {
      if (!isBinary && data.toString() === 'the end') {
        socket.close(1000);
        return;
      }
      for (let index = 0; index < 10; index += 1) {
        send(JSON.stringify({ type: 'response.output_text.delta', index, delta: 'token ü ' }));
      }
      if (sent.length % 50 === 0) {
        send(randomBytes(90_000));
      }
      send(JSON.stringify({ type: 'response.completed', text: 'x'.repeat(data.length) }));
    });
  });
  return sent;
}

describe('WebSockets, captured in the kernel', function () {
  this.timeout(120_000);

  before(function () {
    requireKernel(this);
  });

  for (const isDeflating of [false, true]) {
    it(`every message of both sides is exact (${isDeflating ? 'permessage-deflate' : 'plain'})`, async () => {
      const certificate = makeCertificate();
      const https = createServer({ cert: certificate.certificatePem, key: certificate.keyPem });
      const serverSent = answer(https, isDeflating ? { threshold: 0 } : false);
      https.listen(0, '127.0.0.1');
      await once(https, 'listening');
      const path = `/v1/realtime?n=${randomBytes(4).toString('hex')}`;
      const url = `wss://127.0.0.1:${(https.address() as AddressInfo).port}${path}`;

      const witness = createSocketWitness();
      const stage = createWebSocketStage({
        handler: (socket) => {
          const isOurs = socket.upgrade?.request?.target === path && socket.role === 'client';
          return isOurs ? witness.handler(socket) : undefined;
        },
      });
      const binding = loadBinding();
      const source = createLiveSource({
        binding,
        targets: createTargetFinder({ locator: createTlsLocator({ binding }) }),
        watchAll: true,
        ringBytes: RING_BYTES,
      });
      const transport = createTransport({
        createParser: createHttpStage({ handler: () => undefined, upgrade: stage.upgrade }),
        onFault: (error) => {
          throw error;
        },
      });
      try {
        await source.start((event) => transport.push(event));
        const { stdout } = await promisify(execFile)(
          process.execPath,
          [CLIENT, url, String(isDeflating), String(MESSAGES)],
          { env: { ...process.env, NODE_EXTRA_CA_CERTS: certificate.caPath }, timeout: 100_000 },
        );
        await source.stop();
        const client = JSON.parse(stdout) as { sent: Sent[]; received: Sent[]; code: number };
        assert.equal(client.code, 1000);
        assert.equal(client.sent.length, MESSAGES + 1);
        assert.deepEqual(client.received, serverSent);

        const [seen] = witness.sockets;
        assert.equal(witness.sockets.length, 1);
        assert.equal(seen?.socket.compression, isDeflating ? 'permessage-deflate' : 'none');
        for (const [sender, expected] of [
          ['client', client.sent],
          ['server', serverSent],
        ] as const) {
          const messages: SeenMessage[] =
            seen?.messages.filter(({ message }) => message.sender === sender) ?? [];
          assert.deepEqual(
            messages.map(({ message, content }) => ({
              isBinary: message.opcode === 'binary',
              sha256: digest(content),
            })),
            expected,
          );
          for (const { message, holes } of messages) {
            assert.ok(message.complete && !message.damage.any && holes === 0);
            assert.equal(message.isCompressed, isDeflating);
            assert.ok(message.startNs > 0n && message.startNs <= message.endNs);
          }
        }
        assert.deepEqual(seen?.gaps, []);
        assert.equal(seen?.closes.length, 2);
      } finally {
        await source.stop();
        https.closeAllConnections();
        await new Promise((resolve) => https.close(resolve));
        certificate.remove();
      }
    });
  }
});
