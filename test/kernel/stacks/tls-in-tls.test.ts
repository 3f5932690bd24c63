/** Programs that reach their server through a proxy over TLS: the connection within the other is told apart from it. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ClientOptions,
  clientCommand,
  clientEnvironment,
  runClient,
} from '../../support/clients/run-client.ts';
import { chatSpans, compareSpansWithTruth } from '../../support/compare.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { startModelServer } from '../../support/model-server/server.ts';
import { readOtlpFile } from '../../support/otlp-file.ts';
import { type RunningSightline, startSightline } from '../../support/sightline.ts';
import { closeSession, lossesOf, openSession } from '../native/harness.ts';
import { attachLocated, capturedConversations, runProgram, textOf } from './stack-run.ts';
import { startTappedServer } from './tapped-server.ts';
import { startTlsProxy, type TlsProxy } from './tls-proxy.ts';

const FOLDER = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
const LIBSSL = `/usr/lib/${FOLDER}/libssl.so.3`;
/** A prime: a double or a loss cannot hide in a round number. */
const REQUESTS = 7;
const PROGRAMS = ['curl', 'requests_client'] as const;

describe('TLS within TLS, through a proxy', function () {
  this.timeout(120_000);
  let folder: string;
  let proxy: TlsProxy;

  before(async function () {
    requireKernel(this);
    folder = mkdtempSync(join(tmpdir(), 'sightline-proxy-'));
  });
  beforeEach(async () => {
    proxy = await startTlsProxy();
  });
  afterEach(() => proxy?.stop());
  after(() => {
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  /** Each program trusts both servers, and takes the proxy from its environment. */
  function clientOptions(
    program: (typeof PROGRAMS)[number],
    server: { port: number; caPath: string },
  ): ClientOptions {
    const { caPath } = proxy.certificate;
    const both = join(folder, 'both.pem');
    writeFileSync(both, Buffer.concat([readFileSync(server.caPath), readFileSync(caPath)]));
    writeFileSync(join(folder, '.curlrc'), `proxy-cacert = "${caPath}"\n`);
    return {
      program,
      url: `https://localhost:${server.port}`,
      caPath: both,
      count: REQUESTS,
      connections: 3,
      stream: true,
      includeUsage: true,
      env: {
        CURL_HOME: folder,
        HTTPS_PROXY: `https://localhost:${proxy.port}`,
        https_proxy: `https://localhost:${proxy.port}`,
        NO_PROXY: '',
        no_proxy: '',
      },
    };
  }

  for (const program of PROGRAMS) {
    it(`${program}: every byte of both connections, each by itself`, async () => {
      const server = await startTappedServer({ answerBytes: 20_000 });
      const session = openSession({ ringBytes: 32 * 1024 * 1024 });
      try {
        attachLocated(session, LIBSSL, 'openssl');
        const { port, certificate } = server;
        const options = clientOptions(program, { port, caPath: certificate.caPath });
        const [command = '', ...args] = clientCommand(options);
        await runProgram(session, command, args, clientEnvironment(options));
        closeSession(session);
        assert.equal(server.requests(), REQUESTS);
        assert.deepEqual(lossesOf(session), []);
        const outer = proxy.conversations();
        const inner = server.conversations();
        assert.equal(outer.length, inner.length);
        for (const { received } of outer) {
          assert.match(received.toString('latin1', 0, 30), /^CONNECT localhost:\d+ HTTP/);
        }
        assert.deepEqual(
          capturedConversations(session, 'openssl').map(textOf).sort(),
          [...outer, ...inner].map(textOf).sort(),
        );
      } finally {
        session.capture.close();
        await server.stop();
      }
    });
  }

  it(`${PROGRAMS.join(' and ')}: each call is one exact span`, async () => {
    const server = await startModelServer();
    let sightline: RunningSightline | undefined;
    try {
      sightline = await startSightline();
      for (const program of PROGRAMS) {
        const { results } = await runClient(clientOptions(program, server));
        assert.deepEqual(
          results.map(({ error, status }) => [error, status]),
          Array.from({ length: REQUESTS }, () => [undefined, 200]),
        );
      }
      const count = PROGRAMS.length * REQUESTS;
      const truth = await server.settle(count);
      assert.equal((await sightline.stop()).code, 0);
      const ports = [server.port, proxy.port];
      const spans = readOtlpFile(sightline.file).spans.filter(({ attributes }) =>
        ['server.port', 'network.peer.port'].some((name) =>
          ports.includes(attributes[name] as number),
        ),
      );
      assert.equal(chatSpans(spans).length, count);
      assert.deepEqual(compareSpansWithTruth(spans, truth, { peerPort: proxy.port }), []);
    } finally {
      sightline?.discard();
      await server.stop();
    }
  });
});
