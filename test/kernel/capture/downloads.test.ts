/** A download over TLS that is no model call: once it is judged, nothing of it is copied, and every byte is accounted for. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { loadBinding } from '../../../src/capture/binding.ts';
import type { CaptureEvent } from '../../../src/capture/events.ts';
import { createRecordDecoder } from '../../../src/capture/kernel-record.ts';
import { createHttpStage } from '../../../src/http/http-stage.ts';
import { createTransport } from '../../../src/transport/transport.ts';
import { type HttpsServer, startHttpsServer } from '../../support/https-server.ts';
import { requireKernel, skipWithout } from '../../support/kernel-guard.ts';
import { attachLocated } from '../stacks/stack-run.ts';

const MIB = 1024 * 1024;
const BYTES = 100 * MIB;
/** What may be copied before the verdict arrives: what is under way on a fast loopback of a busy machine. */
const COPIED_MAX = 20 * MIB;
const run = promisify(execFile);

describe('a download over TLS', function () {
  this.timeout(60_000);
  let server: HttpsServer;

  before(async function () {
    requireKernel(this);
    if (!existsSync('/usr/bin/curl')) {
      skipWithout(this, 'curl');
    }
    const block = Buffer.alloc(MIB, 'b');
    server = await startHttpsServer(async (request, response) => {
      const length = request.url === '/sized' ? { 'content-length': BYTES } : {};
      response.writeHead(200, { 'content-type': 'application/octet-stream', ...length });
      for (let done = 0; done < BYTES; done += MIB) {
        if (!response.write(block)) {
          await once(response, 'drain');
        }
      }
      response.end();
    });
  });
  after(async () => {
    await server?.stop();
  });

  for (const path of ['/sized', '/chunked']) {
    it(`of 100 MiB by curl, ${path.slice(1)}`, async () => {
      let pid: number | undefined;
      const sums = { copied: 0, skipped: 0, lost: 0 };
      const complete: [boolean | undefined, number | undefined][] = [];
      const decoder = createRecordDecoder({
        onEvent: (event) => take(event),
        onMalformed: (record) => assert.fail(JSON.stringify(record)),
      });
      const capture = loadBinding().open({
        ringBytes: 64 * MIB,
        watchAll: true,
        onSlab: (slab) => decoder.push(slab),
        onLog: () => undefined,
      });
      const transport = createTransport({
        createParser: createHttpStage({
          handler: () => undefined,
          onVerdict: (connection, verdict) => capture.setVerdict(connection, verdict),
          onExchange: ({ request, response }) => {
            if (request?.target === path) {
              complete.push([response?.complete, response?.bodyBytes]);
            }
          },
        }),
      });
      function take(event: CaptureEvent): void {
        // Other programs of this host are seen as well.
        if (!('connection' in event) || event.connection.process.pid !== pid) {
          return;
        }
        if (event.type === 'data' && event.direction === 'read') {
          sums.copied += event.bytes.length;
        } else if (event.type === 'skip') {
          sums.skipped += event.skippedBytes;
        } else if (event.type === 'loss') {
          sums.lost += event.lostBytes;
        }
        transport.push(event);
      }
      try {
        const folder = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
        const session = { capture, events: [], malformed: [], logs: [] };
        attachLocated(session, `/usr/lib/${folder}/libssl.so.3`, 'openssl');
        const { port } = server;
        const flags = ['-s', '--http1.1', '--cacert', server.caPath, '-o', '/dev/null'];
        const url = `https://localhost:${port}${path}`;
        const download = run('curl', [...flags, '-w', '%{size_download}', url]);
        pid = download.child.pid;
        const { stdout } = await download;
        assert.equal(Number(stdout), BYTES);
        await delay(300);
      } finally {
        capture.close();
      }
      assert.equal(sums.lost, 0);
      assert.ok(sums.copied < COPIED_MAX, `${sums.copied} bytes were copied`);
      // Heads, and the sizes of chunks, come on top of the body.
      assert.ok(sums.copied + sums.skipped >= BYTES);
      assert.ok(sums.copied + sums.skipped < BYTES + MIB);
      assert.equal(complete.length, 1);
      if (path === '/sized') {
        assert.deepEqual(complete, [[true, BYTES]]);
      }
    });
  }
});
