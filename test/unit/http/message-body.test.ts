/** How a body ends whose encoding has no end: what it decoded to is whole, and the last event of a stream is seen. */
import assert from 'node:assert/strict';
import { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib';
import { createHttpCounters } from '../../../src/http/http-options.ts';
import { DEFAULT_HTTP_LIMITS } from '../../../src/http/limits.ts';
import { createMessageBody } from '../../../src/http/message-body.ts';
import { createSseDecoder } from '../../../src/http/sse-decoder.ts';
import { Damage } from '../../../src/util/damage.ts';

const STREAM = Buffer.from('data: 1\n\ndata: 2\n');
const { Z_SYNC_FLUSH, BROTLI_OPERATION_FLUSH } = constants;

const WITHOUT_END: Readonly<Record<string, Buffer>> = {
  gzip: gzipSync(STREAM, { finishFlush: Z_SYNC_FLUSH }),
  deflate: deflateSync(STREAM, { finishFlush: Z_SYNC_FLUSH }),
  br: brotliCompressSync(STREAM, { finishFlush: BROTLI_OPERATION_FLUSH }),
};

describe('a body whose encoding has no end', () => {
  for (const [coding, bytes] of Object.entries(WITHOUT_END)) {
    it(`has all that it decoded to, and broke off: ${coding}`, () => {
      const seen: string[] = [];
      const damage = new Damage();
      const events = createSseDecoder({ onEvent: ({ data }) => seen.push(data) });
      const body = createMessageBody({
        sink: {
          data: events.data,
          gap(timeNs) {
            seen.push('gap');
            events.gap(timeNs);
          },
          end(complete, timeNs) {
            events.end(complete, timeNs);
            seen.push(complete ? 'whole' : 'broke off');
          },
        },
        codings: [coding],
        http: { limits: DEFAULT_HTTP_LIMITS, counters: createHttpCounters() },
        damage,
      });
      body?.data(bytes, { enterNs: 1n, timeNs: 1n }, 0);
      // The connection's end is the body's: its framing has nothing to say against it.
      body?.end(true, 2n);
      assert.deepEqual(seen, ['1', '2', 'broke off']);
      assert.deepEqual([...damage.kinds], ['decode-error']);
    });
  }
});
