/** WebSockets over HTTP/2 (RFC 8441), between Node's own client and server. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ClientHttp2Stream } from 'node:http2';
import { type Call, captureEvents, splitEveryByte } from '../../support/http-generator.ts';
import { connectPeers } from '../../support/http2-peers.ts';
import { recordChain, runChain } from '../../support/socket-conversation.ts';
import { frame } from '../../support/websocket-wire.ts';

const SOCKETS = 3;
const ROUNDS = 4;
const KEY = 'sk-proj-0123456789abcdefghij';

function text(message: object, key?: Uint8Array): Buffer {
  const payload = Buffer.from(JSON.stringify(message));
  return frame({ opcode: 1, payload, ...(key ? { key } : {}) });
}

/** Each message of the client is answered with a response; sockets and an ordinary request share the connection. */
async function converse(): Promise<Call[]> {
  const peers = connectPeers(
    (stream, headers) => {
      if (headers[':protocol'] !== 'websocket') {
        stream.respond({ ':status': 404 });
        stream.end('no');
        return;
      }
      stream.respond({ ':status': 200 });
      const socket = headers['x-socket'];
      let round = 0;
      stream.on('data', () => {
        const id = `resp_${socket}_${round}`;
        round += 1;
        const delta = {
          type: 'response.output_text.delta',
          output_index: 0,
          delta: `text of ${id}`,
        };
        const usage = { input_tokens: 7, output_tokens: round };
        const response = { id, status: 'completed', usage };
        stream.write(text({ type: 'response.created', response: { id } }));
        stream.write(text(delta));
        stream.write(text({ type: 'response.completed', response }));
      });
      stream.on('end', () => stream.end());
    },
    { server: { settings: { enableConnectProtocol: true } } },
  );
  await once(peers.client, 'remoteSettings');
  const sockets = Array.from(
    { length: SOCKETS },
    (_, index): ClientHttp2Stream =>
      peers.client.request(
        {
          ':method': 'CONNECT',
          ':protocol': 'websocket',
          ':path': '/v1/responses',
          'x-socket': String(index),
        },
        { endStream: false },
      ),
  );
  await Promise.all(sockets.map((socket) => once(socket, 'response')));
  for (let round = 0; round < ROUNDS; round += 1) {
    await Promise.all(
      sockets.map(async (socket, index) => {
        const input = `round ${round} of ${index}: ${KEY}`;
        const answered = new Promise<void>((resolve) => {
          let seen = Buffer.alloc(0);
          socket.on('data', function take(bytes: Buffer) {
            seen = Buffer.concat([seen, bytes]);
            if (seen.includes('response.completed')) {
              socket.off('data', take);
              resolve();
            }
          });
        });
        const message = { type: 'response.create', model: 'm', input };
        socket.write(text(message, Uint8Array.of(round, 90, 1, index)));
        await answered;
      }),
    );
    peers.client.request({ ':path': '/other' }).resume();
  }
  await Promise.all(
    sockets.map((socket) => {
      socket.resume();
      socket.end();
      return once(socket, 'close');
    }),
  );
  await peers.close();
  return peers.calls;
}

describe('http2 WebSockets', () => {
  it('every response on every socket of a connection is an exact call, at every split', async () => {
    const calls = await converse();
    for (const each of [calls, splitEveryByte(calls)]) {
      const seen = runChain(captureEvents(each)).calls;
      assert.equal(seen.length, SOCKETS * ROUNDS);
      const ids = seen.map((call) => call.response?.id).sort();
      assert.deepEqual(
        ids,
        Array.from({ length: SOCKETS * ROUNDS }, (_, index) => `resp_${index >> 2}_${index & 3}`),
      );
      for (const call of seen) {
        const id = call.response?.id;
        const [, socket, round] = id?.split('_') ?? [];
        assert.ok(call.complete && !call.damage.any);
        assert.equal(call.serverAddress, 'h.example');
        assert.equal(call.response?.usage.outputTokens, Number(round) + 1);
        const parts = call.response?.messages[0]?.parts;
        assert.deepEqual(parts, [{ type: 'text', content: `text of ${id}` }]);
        const said = JSON.stringify(call.request.messages);
        assert.ok(said.includes(`round ${round} of ${socket}: ${KEY}`), said);
      }
    }
  });

  it('a recording masks keys in them, frame keys and all, and replays the same', async () => {
    const events = captureEvents(await converse());
    const live = runChain(events).calls;
    const replayed = runChain(recordChain(events)).calls;
    assert.deepEqual(
      replayed.map((call) => [call.response, call.startNs, call.endNs]),
      live.map((call) => [call.response, call.startNs, call.endNs]),
    );
    const said = JSON.stringify(replayed.map((call) => call.request.messages));
    assert.ok(said.includes(`of 1: ${'*'.repeat(KEY.length)}`), said);
    assert.ok(!said.includes('sk-proj'));
  });
});
