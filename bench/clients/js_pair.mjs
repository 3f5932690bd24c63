// Server and client in one process of Node or Bun, over loopback: js_pair CERTIFICATE KEY COUNT BYTES. For each line on
// standard input COUNT messages, one after the other; prints the CPU time of each in nanoseconds.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { connect, createServer } from 'node:tls';

const [certificate, key, count, bytes] = process.argv.slice(2);
const message = Buffer.alloc(Number(bytes), 'm');
const options = { cert: readFileSync(certificate), key: readFileSync(key) };
let received = 0;
let done = () => {};

const server = createServer(options, (socket) => {
  socket.on('data', (part) => {
    received += part.length;
    if (received === message.length) {
      received = 0;
      done();
    }
  });
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const client = connect({
  port: server.address().port,
  host: '127.0.0.1',
  rejectUnauthorized: false,
});
await once(client, 'secureConnect');

for await (const _ of createInterface({ input: process.stdin })) {
  const before = process.cpuUsage();
  for (let i = 0; i < Number(count); i++) {
    await new Promise((resolve) => {
      done = resolve;
      client.write(message);
    });
  }
  const { user, system } = process.cpuUsage(before);
  process.stdout.write(`${Math.round(((user + system) * 1000) / Number(count))}\n`);
}
process.exit(0);
