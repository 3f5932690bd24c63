/** Unencrypted HTTP to a local model server, on the real kernel: exact, once, and never the ciphertext of TLS. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { loadBinding } from '../../../src/capture/binding.ts';
import type { CaptureEvent } from '../../../src/capture/events.ts';
import { createRecordDecoder } from '../../../src/capture/kernel-record.ts';
import { deferToAfterEach } from '../../support/after-each.ts';
import { NODE_CLIENTS, PYTHON_CLIENTS, runClient } from '../../support/clients/run-client.ts';
import { chatSpans } from '../../support/compare.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import type { Scenario } from '../../support/model-server/scenario.ts';
import { startModelServer } from '../../support/model-server/server.ts';
import { assertExact, observe } from '../../support/observed-server.ts';
import { readOtlpFile } from '../../support/otlp-file.ts';
import { startSightline } from '../../support/sightline.ts';

/** A prime: a double or a loss cannot hide in a round number. */
const REQUESTS = 23;
const POST = Buffer.from('POST');
const run = promisify(execFile);

const ANSWERS: readonly Scenario[] = [
  { text: 'A short answer.' },
  { textBytes: 3000, encoding: 'negotiate' },
  { toolCalls: [{ name: 'shell', arguments: { command: 'ls' } }] },
  { textBytes: 20_000, writeBytes: 'random', chunkBytes: 'random' },
  { textBytes: 60_000 },
];

/** What scripts begin with: a process says its number and waits until it is watched. */
const BEGINNING = `
import os, socket, sys, threading
def be_watched():
    print(os.getpid(), flush=True)
    input()
`;

const SOCKETS = `
be_watched()
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server = listener.accept()[0]
def receive(sock, size):
    left = size
    while left > 0:
        left -= len(sock.recv(min(left, 100000)))
head = b"POST /upload HTTP/1.1\\r\\nContent-Length: 3000000\\r\\n\\r\\n"
body = os.urandom(1) * 3000000
thread = threading.Thread(target=receive, args=(server, len(head) + len(body)))
thread.start()
client.sendmsg([head[:20], head[20:], body[:10]])
client.sendall(body[10:])
thread.join()
path = sys.argv[1]
size = os.path.getsize(path)
thread = threading.Thread(target=receive, args=(client, 100 + size))
thread.start()
os.writev(server.fileno(), [b"HTTP/1.1 200 OK".ljust(96, b" ") + b"\\r\\n", b"\\r\\n"])
with open(path, "rb") as file:
    offset = 0
    while offset < size:
        offset += os.sendfile(server.fileno(), file.fileno(), offset, size - offset)
thread.join()
client.send(b"GET / HTTP/1.1\\r\\n\\r\\n")
receive(server, 18)
client.close()
server.close()
`;

/** What one process sent and received, each connection and direction told apart, with holes filled by zeros. */
async function socketsOf(script: string, args: string[]): Promise<CaptureEvent[]> {
  const events: CaptureEvent[] = [];
  const decoder = createRecordDecoder({
    onEvent: (event) =>
      events.push(event.type === 'data' ? { ...event, bytes: event.bytes.slice() } : event),
    onMalformed: (record) => assert.fail(JSON.stringify(record)),
  });
  const capture = loadBinding().open({
    ringBytes: 32 * 1024 * 1024,
    watchAll: false,
    plain: true,
    onSlab: (slab) => decoder.push(slab),
    onLog: () => {},
  });
  assert.equal(capture.features().plain, true, capture.features().missing);
  try {
    const running = run('python3', ['-c', `${BEGINNING}${script}`, ...args]);
    const [pid] = (await once(running.child.stdout as Readable, 'data')) as [string];
    capture.setProcess(Number(pid), 'watched');
    running.child.stdin?.end('\n');
    await running;
  } finally {
    capture.close();
  }
  return events;
}

describe('unencrypted HTTP', function () {
  this.timeout(120_000);
  const defer = deferToAfterEach();

  before(function () {
    requireKernel(this);
  });

  for (const program of [...NODE_CLIENTS, ...PYTHON_CLIENTS]) {
    it(`${program}: ${REQUESTS} requests are ${REQUESTS} exact spans`, async () => {
      const observation = await observe(
        {
          env: { OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'SPAN_ONLY' },
          server: { tls: false },
        },
        async (server) => {
          await runClient({
            program,
            url: server.url,
            caPath: '',
            count: REQUESTS,
            scenario: ANSWERS,
            api: program === 'anthropic-sdk' ? 'anthropic' : 'openai',
            stream: true,
            includeUsage: true,
          });
        },
      );
      assertExact(observation, REQUESTS, { content: true });
    });
  }

  it('is not captured unless asked for', async () => {
    const server = await startModelServer({ tls: false });
    defer(() => server.stop());
    const sightline = await startSightline({ env: { SIGHTLINE_CAPTURE: 'tls,process' } });
    defer(sightline.discard);
    await runClient({ program: 'node-fetch', url: server.url, caPath: '', count: 3 });
    assert.equal((await sightline.stop()).code, 0);
    const spans = existsSync(sightline.file) ? readOtlpFile(sightline.file).spans : [];
    const ports = chatSpans(spans).map((span) => span.attributes['server.port']);
    assert.equal(ports.includes(server.port), false);
  });

  it('places every byte, in several parts, in large calls, and counts those of sendfile', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sightline-plain-'));
    try {
      const path = join(folder, 'file');
      writeFileSync(path, randomBytes(300_000));
      const events = await socketsOf(SOCKETS, [path]);
      const data = events.filter((event) => event.type === 'data');
      const losses = events.filter((event) => event.type === 'loss');
      const asked = data.find(
        ({ direction, bytes }) =>
          direction === 'write' && Buffer.from(bytes.subarray(0, 4)).equals(POST),
      );
      const client = asked?.connection.object;
      const objects = new Set(data.map((event) => event.connection.object));
      const [server] = [...objects].filter((object) => object !== client);
      const bytesOf = (object: number | undefined, direction: 'read' | 'write'): number =>
        data
          .filter((event) => event.connection.object === object && event.direction === direction)
          .reduce((sum, event) => sum + event.bytes.length, 0);
      const upload = 3_000_000 + 'POST /upload HTTP/1.1\r\nContent-Length: 3000000\r\n\r\n'.length;
      assert.equal(bytesOf(client, 'write'), upload + 18);
      assert.equal(bytesOf(server, 'read'), upload + 18);
      assert.equal(bytesOf(server, 'write'), 100);
      assert.equal(bytesOf(client, 'read'), 300_100);
      // The file's bytes never were in the process's memory: their number and place are known.
      assert.equal(
        losses.reduce((sum, event) => sum + event.lostBytes, 0),
        300_000,
      );
      assert.ok(losses.every((event) => event.connection.object === server));
      assert.equal(losses[0]?.position, 100);
      const closes = events.filter((event) => event.type === 'close');
      assert.deepEqual(
        [client, server].map((object) => {
          const ends = closes.filter((event) => event.connection.object === object);
          return ends.map((event) => [event.readPosition, event.writePosition]);
        }),
        [[[300_100, upload + 18]], [[upload + 18, 300_100]]],
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('takes neither the ciphertext of TLS nor another protocol for HTTP', async () => {
    const script = `
be_watched()
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server = listener.accept()[0]
client.sendall(b"\\x16\\x03\\x01\\x02\\x00\\x01" + os.urandom(500))
server.recv(1000)
# Once it has begun as TLS, nothing makes it HTTP.
client.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
server.recv(1000)
other = socket.create_connection(listener.getsockname())
for _ in range(100):
    other.sendall(b"*3\\r\\n$3\\r\\nSET\\r\\n$1\\r\\na\\r\\n$1\\r\\nb\\r\\n")
other.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
os.write(1, b"GET / HTTP/1.1 not a socket")
left, right = socket.socketpair()
left.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
`;
    const events = await socketsOf(script, []);
    // The server's side of the TLS socket reads it all in one stream, and is given up as well.
    assert.deepEqual(
      events.filter((event) => event.type === 'data' || event.type === 'loss'),
      [],
    );
  });

  const REQUEST = 'GET / HTTP/1.1\r\n\r\n';
  const requestBytes = (events: readonly CaptureEvent[]): string[] =>
    events
      .filter((event) => event.type === 'data')
      .map((event) => `${event.connection.process.pid} ${Buffer.from(event.bytes).toString()}`);

  it('keeps to what it has found a socket to be, whichever of its processes uses it then', async () => {
    const script = `
be_watched()
request = b"GET / HTTP/1.1\\r\\n\\r\\n"
listener = socket.create_server(("127.0.0.1", 0))
def in_child(work):
    if os.fork() == 0:
        work()
        os._exit(0)
    assert os.wait()[1] == 0
given_up = socket.create_connection(listener.getsockname())
in_child(lambda: given_up.sendall(b"\\x16\\x03\\x01\\x02\\x00\\x01" + bytes(500)))
given_up.sendall(request)
known = socket.create_connection(listener.getsockname())
known.sendall(request)
# It gives the socket up for itself alone.
in_child(lambda: [known.sendall(b"neither a request nor TLS") for _ in range(100)] + [known.sendall(request)])
known.sendall(request)
`;
    const seen = requestBytes(await socketsOf(script, []));
    assert.equal(seen.length, 2, seen.join());
    assert.equal(seen[0], seen[1]);
    assert.ok(seen[0]?.endsWith(REQUEST));
  });

  it('judges no socket by what a process does that is not seen', async () => {
    const script = `
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
client.sendall(b"\\x16\\x03\\x01\\x02\\x00\\x01" + bytes(500))
for _ in range(100):
    client.sendall(b"neither a request nor TLS")
if os.fork() == 0:
    be_watched()
    client.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
    os._exit(0)
assert os.wait()[1] == 0
`;
    const seen = requestBytes(await socketsOf(script, []));
    assert.equal(seen.length, 1, seen.join());
    assert.ok(seen[0]?.endsWith(REQUEST));
  });

  it('judges a socket anew that is connected anew', async () => {
    const script = `
be_watched()
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
client.sendall(b"\\x16\\x03\\x01\\x02\\x00\\x01" + bytes(500))
client.shutdown(socket.SHUT_RDWR)
listener.accept()[0].close()
# AF_UNSPEC ends what is left of the connection.
import ctypes
ctypes.CDLL(None).connect(client.fileno(), bytes(16), 16)
client.connect(listener.getsockname())
client.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
`;
    const seen = requestBytes(await socketsOf(script, []));
    assert.equal(seen.length, 1, seen.join());
    assert.ok(seen[0]?.endsWith(REQUEST));
  });
});
