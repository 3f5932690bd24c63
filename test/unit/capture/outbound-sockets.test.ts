/** Whose sockets a process has: those of its own making, or those that others opened to it. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mayHaveOutboundSockets } from '../../../src/capture/outbound-sockets.ts';

const SERVER = `
const server = require('node:net').createServer(() => {});
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
process.on('message', (port) => {
  require('node:net').connect(port, '127.0.0.1').once('connect', () => process.send('done'));
});
`;

describe('sockets that a process has opened itself', () => {
  it('are told from those that it has accepted', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sightline-sockets-'));
    writeFileSync(join(folder, 'server.cjs'), SERVER);
    const child = fork(join(folder, 'server.cjs'), { execArgv: [] });
    const sockets: Socket[] = [];
    const far = createServer((socket) => sockets.push(socket));
    try {
      const [port] = (await once(child, 'message')) as [number];
      const { pid } = child;
      assert.ok(pid);
      const client = connect(port, '127.0.0.1');
      sockets.push(client);
      await once(client, 'connect');
      assert.equal(mayHaveOutboundSockets(pid), false);
      far.listen(0, '127.0.0.1');
      await once(far, 'listening');
      child.send((far.address() as AddressInfo).port);
      await once(child, 'message');
      assert.equal(mayHaveOutboundSockets(pid), true);
    } finally {
      child.kill('SIGKILL');
      for (const socket of sockets) {
        socket.destroy();
      }
      far.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('are assumed where nobody can look', () => {
    assert.equal(mayHaveOutboundSockets(2 ** 22 - 1), true);
  });
});
