import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { hasCapability, NEEDED_CAPABILITIES } from '../../../src/cli/capture-privilege.ts';
import { checkCapture } from '../../../src/cli/check-capture.ts';
import { checkEndpoints } from '../../../src/cli/check-endpoints.ts';
import {
  checkBtf,
  checkCapabilities,
  checkKernel,
  checkUprobes,
} from '../../../src/cli/check-host.ts';
import { checkLines, fail, pass } from '../../../src/cli/check-result.ts';
import { loadConfig } from '../../../src/config/load.ts';

describe('check', () => {
  it('wants Linux 5.8', () => {
    const status = (version: string): string => checkKernel(version).status;
    assert.equal(status('5.8.0'), 'pass');
    assert.equal(status('5.10.0-28-amd64'), 'pass');
    assert.equal(status('6.1.0'), 'pass');
    assert.equal(status('10.0'), 'pass');
    assert.equal(status('5.7.19'), 'fail');
    assert.equal(status('4.19.0'), 'fail');
    assert.equal(status('unknown'), 'fail');
    assert.match(checkKernel('5.4.0').mend ?? '', /upgrade/);
  });

  it('wants BTF, and uprobes of perf or of tracefs', () => {
    const nowhere = `${tmpdir()}/sightline-no-such-place`;
    assert.match(checkBtf(nowhere).detail, /is not readable/);
    for (const noBtf of ['/proc/self/status', '/dev/null', tmpdir()]) {
      assert.equal(checkBtf(noBtf).status, 'fail', noBtf);
    }
    const btf = join(mkdtempSync(join(tmpdir(), 'sightline-btf-')), 'vmlinux');
    writeFileSync(btf, new Uint8Array(new Uint16Array([0xeb9f, 1]).buffer));
    assert.equal(checkBtf(btf).status, 'pass');
    rmSync(dirname(btf), { recursive: true });
    assert.equal(checkUprobes(nowhere, [nowhere]).status, 'fail');
    assert.match(checkUprobes(nowhere, [nowhere]).mend ?? '', /mount -t tracefs/);
    assert.equal(checkUprobes('/proc/self/status').status, 'pass');
  });

  it('does not try what the host already refuses', () => {
    const bpf = checkCapture(['btf', 'CAP_BPF']).find(({ name }) => name === 'bpf');
    // Without the addon, which is not built in every checkout, nothing is said about BPF at all.
    assert.equal(bpf?.mend ?? 'mend btf and CAP_BPF first', 'mend btf and CAP_BPF first');
  });

  it('reads capabilities by name from the bit set', () => {
    const statuses = (effective: bigint): Record<string, string> =>
      Object.fromEntries(checkCapabilities(effective).map(({ name, status }) => [name, status]));
    assert.deepEqual(statuses(0n), {
      CAP_BPF: 'fail',
      CAP_PERFMON: 'fail',
      CAP_SYS_PTRACE: 'note',
      CAP_DAC_READ_SEARCH: 'note',
    });
    assert.deepEqual(statuses((1n << 39n) | (1n << 38n) | (1n << 2n)), {
      CAP_BPF: 'pass',
      CAP_PERFMON: 'pass',
      CAP_SYS_PTRACE: 'note',
      CAP_DAC_READ_SEARCH: 'pass',
    });
    // CAP_SYS_ADMIN includes the two that BPF needs, and no other.
    assert.deepEqual(
      NEEDED_CAPABILITIES.map((capability) => hasCapability(1n << 21n, capability)),
      [true, true, false, false],
    );
  });

  it('writes a line for each, with how to mend it', () => {
    assert.deepEqual(checkLines([pass('btf', 'there'), fail('kernel', 'old', 'upgrade')]), [
      'pass  btf     there',
      'fail  kernel  old — upgrade',
    ]);
  });

  it('asks each endpoint, and fails only those that somebody set', async () => {
    const server = createServer((request, response) => {
      request.resume();
      response.statusCode = request.url === '/v1/traces' ? 200 : 404;
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const results = await checkEndpoints(
        loadConfig({
          OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
          OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
          OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `http://127.0.0.1:${port}/v1/logs?key=s3cr3t`,
          OTEL_METRICS_EXPORTER: 'none',
        }),
      );
      assert.ok(!JSON.stringify(results).includes('s3cr3t'), 'a key in a query is not printed');
      assert.deepEqual(
        results.map(({ name, status }) => [name, status]),
        [
          ['otlp traces', 'pass'],
          ['otlp logs', 'fail'],
        ],
      );
      assert.match(results[1]?.detail ?? '', /404/);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });
});
