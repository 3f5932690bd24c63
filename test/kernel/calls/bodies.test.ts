/**
 * Bodies that are no text come through unchanged, whatever their size: random bytes, and gzip streams of them.
 * `SIGHTLINE_TEST_ALL_SIZES=1` tries every size from 1 byte to 64 KiB, which takes minutes; otherwise all small
 * ones, those around the kernel's record sizes, and some between.
 */
import assert from 'node:assert/strict';
import { createHash, type Hash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadBinding } from '../../../src/capture/binding.ts';
import { createLiveSource } from '../../../src/capture/live-source.ts';
import type { BodySink, Exchange } from '../../../src/http/exchange.ts';
import { createHttpStage } from '../../../src/http/http-stage.ts';
import { createTargetFinder } from '../../../src/targets/target-finder.ts';
import { createTlsLocator } from '../../../src/targets/tls-location.ts';
import { createTransport } from '../../../src/transport/transport.ts';
import { runClient } from '../../support/clients/run-client.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { startModelServer } from '../../support/model-server/server.ts';

const MAX_BYTES = 65_536;
const RECORD_SIZES = [256, 1024, 4096, 16_384, 65_536];
const STEP = 127;
/** The whole host is observed: others' downloads must not crowd out these bodies. */
const RING_BYTES = 64 * 1024 * 1024;

function sizes(): number[] {
  if (process.env.SIGHTLINE_TEST_ALL_SIZES === '1') {
    return Array.from({ length: MAX_BYTES }, (_, index) => index + 1);
  }
  const chosen = new Set<number>();
  for (let size = 1; size <= 600; size += 1) {
    chosen.add(size);
  }
  for (let size = 601; size <= MAX_BYTES; size += STEP) {
    chosen.add(size);
  }
  for (const edge of RECORD_SIZES) {
    for (let size = edge - 3; size <= Math.min(MAX_BYTES, edge + 3); size += 1) {
      chosen.add(size);
    }
  }
  return [...chosen];
}

interface Seen {
  exchange: Exchange;
  request: Hash;
  response: Hash;
  holes: number;
}

/** Hashes decoded bodies as the later stages would read them. */
function hashing(hash: Hash, seen: Seen): BodySink {
  return {
    data: (bytes) => hash.update(bytes),
    gap: () => {
      seen.holes += 1;
    },
    end: () => {},
  };
}

describe('bodies that are no text, captured in the kernel', function () {
  this.timeout(900_000);

  before(function () {
    requireKernel(this);
  });

  for (const encoding of ['identity', 'gzip']) {
    it(`of every size come through unchanged (${encoding})`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'sightline-bodies-'));
      const server = await startModelServer();
      const seen = new Map<string, Seen>();
      const binding = loadBinding();
      const source = createLiveSource({
        binding,
        targets: createTargetFinder({ locator: createTlsLocator({ binding }) }),
        watchAll: true,
        ringBytes: RING_BYTES,
      });
      const transport = createTransport({
        createParser: createHttpStage({
          handler: (exchange) => {
            const target = exchange.request?.target;
            if (exchange.role !== 'client' || !target?.startsWith('/bytes/')) {
              return undefined;
            }
            const entry = {
              exchange,
              request: createHash('sha256'),
              response: createHash('sha256'),
              holes: 0,
            };
            seen.set(target, entry);
            return {
              requestBody: hashing(entry.request, entry),
              response: () => hashing(entry.response, entry),
            };
          },
        }),
      });
      try {
        await source.start((event) => transport.push(event));
        const targetsPath = join(folder, 'targets');
        const lines = sizes().map(
          (size) => `POST /bytes/${size}?seed=${size}&encoding=${encoding} ${size}`,
        );
        writeFileSync(targetsPath, lines.join('\n'));
        await runClient({
          program: 'node-https',
          url: server.url,
          caPath: server.caPath,
          targetsPath,
          connections: 2,
          concurrency: 2,
          timeoutMs: 800_000,
        });
        await server.settle();
        await source.stop();

        const truth = server
          .truth()
          .filter((exchange) => exchange.request.target.startsWith('/bytes/'));
        assert.equal(truth.length, lines.length);
        const wrong: string[] = [];
        for (const exchange of truth) {
          const entry = seen.get(exchange.request.target);
          const isSame =
            entry !== undefined &&
            entry.holes === 0 &&
            !entry.exchange.damage.any &&
            entry.exchange.response?.bodyBytes === exchange.response.bodyBytes &&
            entry.request.digest('hex') === exchange.request.bodySha256 &&
            entry.response.digest('hex') === exchange.response.decodedSha256;
          if (!isSame) {
            wrong.push(exchange.request.target);
          }
        }
        assert.deepEqual(wrong, []);
      } finally {
        await source.stop();
        await server.stop();
        rmSync(folder, { recursive: true, force: true });
      }
    });
  }
});
