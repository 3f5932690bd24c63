/** What leaves over OTLP, received by real servers and decoded with the official definitions. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { checkEndpoint } from '../../src/telemetry/endpoint-check.ts';
import type { OtlpSettings } from '../../src/telemetry/options.ts';
import { makeOtlpCertificates, type OtlpTestCertificates } from '../support/otlp-certificates.ts';
import {
  type OtlpReceiver,
  type OtlpReceiverOptions,
  startGrpcReceiver,
  startHttpReceiver,
} from '../support/otlp-receiver.ts';
import {
  at,
  BOOT_ID,
  callPiece,
  lonePiece,
  makeCall,
  OFFSET_NS,
  processPiece,
  spanId,
  TRACE_ID,
  toolPiece,
  turnPiece,
} from '../support/story-pieces.ts';
import { exportTo, startTelemetry, until } from '../support/telemetry-harness.ts';

type Protocol = OtlpSettings['protocol'];

const PROTOCOLS: Protocol[] = ['grpc', 'http/protobuf'];

const STORY = [callPiece(), processPiece(), toolPiece(), turnPiece()];

function startReceiver(
  protocol: Protocol,
  options: OtlpReceiverOptions = {},
): Promise<OtlpReceiver> {
  return protocol === 'grpc' ? startGrpcReceiver(options) : startHttpReceiver(options);
}

for (const protocol of PROTOCOLS) {
  describe(`OTLP over ${protocol}`, () => {
    let receiver: OtlpReceiver;
    let certificates: OtlpTestCertificates;

    before(() => {
      certificates = makeOtlpCertificates();
    });

    after(() => certificates.remove());

    afterEach(() => receiver.close());

    const url = (scheme = 'http'): string => `${scheme}://localhost:${receiver.port}`;

    it('brings every span with its ids, times to the nanosecond, attributes and resource', async () => {
      receiver = await startReceiver(protocol);
      const { telemetry, notices } = startTelemetry(exportTo(protocol, url()));
      for (const piece of STORY) {
        telemetry.piece(piece);
      }
      await telemetry.shutdown();
      const { spans } = receiver.content();
      assert.deepEqual(
        spans.map(({ name, spanId: id, parentSpanId, kind }) => [name, id, parentSpanId, kind]),
        [
          ['chat claude-opus-4-1', spanId(2), spanId(1), 'CLIENT'],
          ['bash', spanId(4), spanId(3), 'INTERNAL'],
          ['execute_tool Bash', spanId(3), spanId(1), 'INTERNAL'],
          ['invoke_agent claude-code', spanId(1), undefined, 'INTERNAL'],
        ],
      );
      const [chat] = spans;
      assert.ok(chat !== undefined);
      assert.equal(chat.traceId, TRACE_ID);
      assert.equal(chat.startNs, at(10) + OFFSET_NS);
      assert.equal(chat.endNs, at(1210) + OFFSET_NS);
      assert.equal(chat.attributes['gen_ai.usage.input_tokens'], 1200);
      assert.deepEqual(chat.attributes['gen_ai.response.finish_reasons'], ['end_turn']);
      assert.deepEqual(chat.status, { code: 'UNSET' });
      assert.deepEqual(chat.scope, { name: 'sightline', version: '9.9.9' });
      assert.equal(chat.schemaUrl, 'https://opentelemetry.io/schemas/1.41.0');
      assert.equal(chat.resource['service.name'], 'claude-code');
      assert.equal(chat.resource['process.pid'], 4242);
      assert.ok(!JSON.stringify(chat.resource).includes(BOOT_ID));
      assert.deepEqual(notices, []);
      assert.deepEqual(telemetry.stats().traces, { queued: 0, exported: 4, failed: 0, dropped: 0 });
    });

    it('brings the token and duration metrics with their exact buckets', async () => {
      receiver = await startReceiver(protocol);
      const { telemetry } = startTelemetry(exportTo(protocol, url()));
      telemetry.piece(callPiece());
      await telemetry.shutdown();
      const { points } = receiver.content();
      const tokens = points.filter(({ metric }) => metric === 'gen_ai.client.token.usage');
      assert.deepEqual(
        tokens.map(({ attributes, histogram }) => [
          attributes['gen_ai.token.type'],
          histogram?.count,
          histogram?.sum,
        ]),
        [
          ['input', 1, 1200],
          ['output', 1, 45],
        ],
      );
      assert.deepEqual(
        tokens[0]?.histogram?.bounds,
        [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864],
      );
      assert.equal(tokens[0]?.unit, '{token}');
      assert.equal(tokens[0]?.temporality, 'CUMULATIVE');
      assert.equal(tokens[0]?.resource['process.pid'], undefined);
      const duration = points.find(({ metric }) => metric === 'gen_ai.client.operation.duration');
      assert.equal(duration?.histogram?.sum, 1.2);
      assert.equal(duration?.unit, 's');
    });

    it('brings the event of a call with structured content', async () => {
      receiver = await startReceiver(protocol);
      const { telemetry } = startTelemetry({
        ...exportTo(protocol, url()),
        captureContent: 'EVENT_ONLY',
      });
      telemetry.piece(callPiece());
      await telemetry.shutdown();
      const { logs, spans } = receiver.content();
      assert.equal(logs.length, 1);
      const [event] = logs;
      assert.equal(event?.eventName, 'gen_ai.client.inference.operation.details');
      assert.equal(event?.timeNs, at(1210) + OFFSET_NS);
      assert.equal(event?.traceId, TRACE_ID);
      assert.equal(event?.spanId, spanId(2));
      assert.deepEqual(event?.attributes['gen_ai.input.messages'], [
        { role: 'user', parts: [{ type: 'text', content: 'Which files are here?' }] },
      ]);
      assert.equal(event?.attributes['gen_ai.provider.name'], undefined);
      assert.equal(spans[0]?.attributes['gen_ai.input.messages'], undefined);
    });

    it('compresses and sends headers when told to', async () => {
      receiver = await startReceiver(protocol);
      const { telemetry } = startTelemetry(
        exportTo(protocol, url(), { compression: 'gzip', headers: { 'x-tenant': 'blue' } }),
      );
      telemetry.piece(callPiece());
      await telemetry.shutdown();
      const [first] = receiver.requests;
      assert.equal(first?.headers['x-tenant'], 'blue');
      if (protocol === 'http/protobuf') {
        assert.equal(first?.encoding, 'gzip');
      }
      assert.equal(receiver.content().spans.length, 1);
    });

    it('speaks TLS with an authority and a client certificate of its own', async () => {
      receiver = await startReceiver(protocol, {
        tls: {
          key: certificates.serverKey,
          certificate: certificates.serverCertificate,
          clientCa: certificates.ca,
        },
      });
      const { caFile, clientKeyFile, clientCertificateFile } = certificates;
      const { telemetry, notices } = startTelemetry(
        exportTo(protocol, url('https'), {
          certificateFile: caFile,
          clientKeyFile,
          clientCertificateFile,
        }),
      );
      telemetry.piece(callPiece());
      await telemetry.shutdown();
      assert.deepEqual(notices, []);
      assert.equal(receiver.content().spans.length, 1);
    });

    it('refuses a server whose authority it does not know, and says so', async () => {
      receiver = await startReceiver(protocol, {
        tls: { key: certificates.serverKey, certificate: certificates.serverCertificate },
      });
      const { traces } = exportTo(protocol, url('https'));
      assert.ok(traces.kind === 'otlp');
      const verdict = await checkEndpoint(traces.otlp);
      assert.equal(verdict.ok, false);
      assert.match(verdict.reason, /certificate/i);
    });

    it('keeps what a restarting endpoint did not take, warns once, prints trees, and catches up', async () => {
      receiver = await startReceiver(protocol);
      const { port } = receiver;
      await receiver.close();
      const harness = startTelemetry({
        ...exportTo(protocol, `http://localhost:${port}`),
        spanBatch: { scheduleDelayMs: 20 },
      });
      const { telemetry, notices, printed } = harness;
      for (let number = 2; number < 25; number++) {
        telemetry.piece(lonePiece(makeCall(), number));
      }
      await until(() => printed() !== '', 'tree');
      const warnings = notices.filter(({ level }) => level === 'warning');
      assert.equal(warnings.length, 1, JSON.stringify(notices));
      assert.match(warnings[0]?.message ?? '', new RegExp(`localhost:${port}`));
      assert.match(warnings[0]?.message ?? '', /ECONNREFUSED/);
      assert.equal(printed().split('\n').filter(Boolean).length, 23);

      receiver = await startReceiver(protocol, { port });
      await until(() => receiver.content().spans.length === 23, 'spans after the restart');
      assert.equal(new Set(receiver.content().spans.map((span) => span.spanId)).size, 23);
      await until(() => notices.some(({ level }) => level === 'info'), 'word of the recovery');
      telemetry.piece(lonePiece(makeCall(), 99));
      await telemetry.shutdown();
      assert.equal(receiver.content().spans.length, 24);
      assert.equal(notices.filter(({ level }) => level === 'warning').length, 1);
      assert.equal(printed().split('\n').filter(Boolean).length, 23, 'quiet again');
      assert.deepEqual(telemetry.stats().traces, {
        queued: 0,
        exported: 24,
        failed: 0,
        dropped: 0,
      });
    });

    it('ends in time, and counts what it could not send, when the endpoint stays away', async () => {
      receiver = await startReceiver(protocol);
      const { port } = receiver;
      await receiver.close();
      const { telemetry, notices, printed } = startTelemetry(
        exportTo(protocol, `http://localhost:${port}`),
      );
      telemetry.piece(lonePiece());
      const started = process.hrtime.bigint();
      await telemetry.shutdown();
      assert.ok(process.hrtime.bigint() - started < 5_000_000_000n);
      assert.equal(telemetry.stats().traces?.dropped, 1);
      assert.match(notices.at(-1)?.message ?? '', /1 spans were not exported/);
      assert.match(printed(), /chat claude-opus-4-1/);
    });

    it('drops beyond its queue and counts it', async () => {
      receiver = await startReceiver(protocol);
      const { port } = receiver;
      await receiver.close();
      const { telemetry } = startTelemetry({
        ...exportTo(protocol, `http://localhost:${port}`),
        spanBatch: { maxQueueSize: 5 },
      });
      for (let number = 2; number < 10; number++) {
        telemetry.piece(lonePiece(makeCall(), number));
      }
      assert.equal(telemetry.stats().traces?.queued, 5);
      assert.equal(telemetry.stats().traces?.dropped, 3);
      await telemetry.shutdown();
    });

    it('gives up what the endpoint refuses for good, and goes on with the rest', async () => {
      receiver = await startReceiver(protocol, {
        refuse: (_signal, request) =>
          JSON.stringify(request.json).includes('poison')
            ? { grpcCode: 3, httpStatus: 400, message: 'I do not take poison' }
            : undefined,
      });
      const { telemetry, notices } = startTelemetry({
        ...exportTo(protocol, url()),
        spanBatch: { maxExportBatchSize: 1 },
      });
      const poisoned = makeCall();
      telemetry.piece(
        lonePiece({ ...poisoned, request: { ...poisoned.request, model: 'poison' } }),
      );
      telemetry.piece(lonePiece(makeCall(), 3));
      await telemetry.shutdown();
      const stats = telemetry.stats().traces;
      assert.deepEqual(stats, { queued: 0, exported: 1, failed: 1, dropped: 0 });
      assert.match(
        notices.map(({ message }) => message).join('\n'),
        /refused 1 spans for good: .*poison/,
      );
    });

    it('sends smaller batches where one is too large for the endpoint', async () => {
      receiver = await startReceiver(protocol, {
        refuse: (signal, { json }) =>
          signal === 'traces' && spanCount(json) > 3
            ? { grpcCode: 8, httpStatus: 413, message: 'received message larger than max' }
            : undefined,
      });
      const { telemetry } = startTelemetry(exportTo(protocol, url()));
      for (let number = 2; number < 25; number++) {
        telemetry.piece(lonePiece(makeCall(), number));
      }
      await telemetry.shutdown();
      assert.equal(receiver.content().spans.length, 23);
      assert.equal(telemetry.stats().traces?.failed, 0);
    });

    it('goes on with traces where the endpoint takes no metrics', async () => {
      receiver = await startReceiver(protocol, {
        refuse: (signal) =>
          signal === 'metrics'
            ? { grpcCode: 12, httpStatus: 404, message: 'unknown service' }
            : undefined,
      });
      const { telemetry, notices, printed } = startTelemetry(exportTo(protocol, url()));
      telemetry.piece(lonePiece());
      await telemetry.shutdown();
      assert.equal(receiver.content().spans.length, 1);
      assert.deepEqual(
        notices.map(({ level }) => level),
        ['warning'],
      );
      assert.match(notices[0]?.message ?? '', /does not take metrics/);
      assert.equal(printed(), '');
    });

    it('is checked without sending anything', async () => {
      receiver = await startReceiver(protocol);
      for (const exporter of Object.values(exportTo(protocol, url()))) {
        assert.ok(exporter.kind === 'otlp');
        assert.deepEqual(await checkEndpoint(exporter.otlp), { ok: true, reason: '' });
      }
      assert.equal(receiver.requests.length, 0);
      assert.equal(receiver.probes(), 3);
    });
  });
}

function spanCount(json: Record<string, unknown>): number {
  return JSON.stringify(json).split('"spanId"').length - 1;
}

describe('gzip over gRPC', () => {
  // A gRPC server takes the compression away before anyone sees it, so here frames are read as they come.
  it('compresses the messages themselves', async () => {
    const frames: Buffer[] = [];
    const encodings = new Set<string>();
    const server = createHttp2Server();
    server.on('stream', (stream, headers) => {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        frames.push(Buffer.concat(parts));
        encodings.add(String(headers['grpc-encoding'] ?? 'identity'));
        stream.respond(
          { ':status': 200, 'content-type': 'application/grpc+proto' },
          { waitForTrailers: true },
        );
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.end(Buffer.from([0, 0, 0, 0, 0]));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const { telemetry } = startTelemetry(
      exportTo('grpc', `http://localhost:${port}`, { compression: 'gzip' }),
    );
    telemetry.piece(callPiece());
    await telemetry.shutdown();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    assert.ok(encodings.has('gzip'));
    // Compressed flag, length, message: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
    const compressed = frames.filter((frame) => frame[0] === 1);
    assert.ok(compressed.length >= 1);
    const texts = compressed.map((frame) => gunzipSync(frame.subarray(5)).toString('latin1'));
    assert.ok(texts.some((text) => text.includes('chat claude-opus-4-1')));
  });
});

describe('an OTLP endpoint of the other protocol', () => {
  const settings = (protocol: Protocol, url: string): OtlpSettings => ({
    signal: 'traces',
    protocol,
    url,
    timeoutMs: 3000,
  });

  it('is hinted at by its port', async () => {
    const grpc = await checkEndpoint(settings('grpc', 'http://127.0.0.77:4318'));
    assert.match(grpc.reason, /ECONNREFUSED.*OTEL_EXPORTER_OTLP_PROTOCOL=http\/protobuf/);
    const http = await checkEndpoint(settings('http/protobuf', 'http://127.0.0.77:4317/v1/traces'));
    assert.match(http.reason, /ECONNREFUSED.*OTEL_EXPORTER_OTLP_PROTOCOL=grpc/);
  });

  it('fails the check, gRPC against HTTP and HTTP against gRPC', async () => {
    const http = await startHttpReceiver();
    const grpc = await startGrpcReceiver();
    const left = await checkEndpoint(settings('grpc', `http://localhost:${http.port}`));
    const right = await checkEndpoint(
      settings('http/protobuf', `http://localhost:${grpc.port}/v1/traces`),
    );
    await Promise.all([http.close(), grpc.close()]);
    assert.equal(left.ok, false);
    assert.notEqual(left.reason, '');
    assert.equal(right.ok, false);
    assert.notEqual(right.reason, '');
  });

  it('that never answers fails the check within its timeout', async () => {
    const silent: Server = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    const verdict = await checkEndpoint({
      ...settings('http/protobuf', `http://127.0.0.1:${port}/v1/traces`),
      timeoutMs: 200,
    });
    silent.closeAllConnections();
    silent.close();
    assert.deepEqual(verdict, { ok: false, reason: 'no answer within 200 ms' });
  });

  it('that is no address is refused with a word on how to write one', async () => {
    const verdict = await checkEndpoint(settings('http/protobuf', 'localhost'));
    assert.equal(verdict.ok, false);
    assert.match(
      verdict.reason,
      /"localhost" is no address: write it like http:\/\/localhost:4318/,
    );
  });
});

describe('the default OTLP endpoint', () => {
  it('is no reason to warn when nobody listens there', async () => {
    const { telemetry, notices, printed } = startTelemetry(
      exportTo('grpc', 'http://127.0.0.77:4317', { isDefault: true }),
    );
    telemetry.piece(lonePiece());
    await until(() => printed() !== '', 'tree');
    await telemetry.shutdown();
    assert.deepEqual(
      notices.filter(({ message }) => message.includes('does not take')),
      [],
    );
  });
});
