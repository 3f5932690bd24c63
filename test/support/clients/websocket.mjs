// A WebSocket client over TLS: node websocket.mjs URL DEFLATE COUNT
// Sends COUNT messages of many sizes, some in fragments, and prints what it sent and received as one JSON line.
import { createHash, randomBytes } from 'node:crypto';
import { WebSocket } from 'ws';

const [url, deflate, count] = process.argv.slice(2);
const perMessageDeflate = deflate === 'true' ? { threshold: 0 } : false;
const sent = [];
const received = [];

function digest(data) {
  return createHash('sha256').update(data).digest('hex');
}

/** The same as the server's. */
function payload(index) {
  const size = [1, 20, 125, 126, 300, 4000, 16_384, 70_000, 400_000][index % 9];
  const isBinary = index % 4 === 3;
  const data = isBinary
    ? randomBytes(size)
    : Buffer.from(
        JSON.stringify({ type: 'session.update', index, text: 'word '.repeat(size / 5) }),
      );
  return { isBinary, data };
}

const socket = new WebSocket(url, { perMessageDeflate });
socket.on('message', (data, isBinary) => received.push({ isBinary, sha256: digest(data) }));
socket.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
socket.on('close', (code) => process.stdout.write(JSON.stringify({ sent, received, code })));
socket.on('open', async () => {
  for (let index = 0; index < Number(count); index += 1) {
    const { isBinary, data } = payload(index);
    sent.push({ isBinary, sha256: digest(data) });
    if (index % 5 === 4) {
      const half = data.length >> 1;
      socket.send(data.subarray(0, half), { binary: isBinary, fin: false });
      socket.ping('between fragments');
      socket.send(data.subarray(half), { binary: isBinary, fin: true });
    } else {
      await new Promise((resolve) => socket.send(data, { binary: isBinary }, resolve));
    }
  }
  socket.send('the end');
  sent.push({ isBinary: false, sha256: digest(Buffer.from('the end')) });
});
