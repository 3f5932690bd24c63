/**
 * Verdicts on random HTTP/2 conversations, against a stand-in for the kernel that obeys them as
 * `bpf/tls/http2_frames.h` does, from any number of calls later on.
 *
 * Some streams answer with bodies that nobody looks at. Whatever was left out of those, every other exchange is
 * exact, and theirs have their true number of bytes, their end, and no damage.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { CaptureEvent, DataEvent, Direction } from '../../src/capture/events.ts';
import type { ConnectionVerdict } from '../../src/capture/verdict.ts';
import type { Exchange } from '../../src/http/exchange.ts';
import { createHttpStage } from '../../src/http/http-stage.ts';
import { createTransport } from '../../src/transport/transport.ts';
import { captureEvents, createWitness, type Seen, summary } from '../support/http-generator.ts';
import {
  cutCalls,
  idOf,
  interleave,
  type StreamDescription,
  streamDescription,
} from '../support/http2-generator.ts';

const FRAME_HEADER_BYTES = 9;
const PREFACE_BYTES = 24;

/** One direction as the kernel follows it. */
class FollowedDirection {
  private at: number;
  private stream = 0;
  private part = Buffer.alloc(0);
  position = 0;
  skip = { position: 0, bytes: 0, stream: 0, headers: 0, next: 0 };

  constructor(firstFrame: number) {
    this.at = firstFrame;
  }

  /** The number of frame headers in a call that is nothing but content of `wanted`, otherwise -1. */
  follow(bytes: Buffer, wanted: number | undefined): number {
    const start = this.position;
    const end = start + bytes.length;
    let isOnly = wanted !== undefined && (this.at === start || this.stream === wanted);
    let headers = 0;
    this.position = end;
    while (this.at < end) {
      const known = Buffer.concat([this.part, bytes.subarray(Math.max(0, this.at - start))]);
      isOnly &&= this.part.length === 0;
      if (known.length < FRAME_HEADER_BYTES) {
        this.part = known;
        return -1;
      }
      this.part = Buffer.alloc(0);
      this.stream = known[3] === 0 && known[4] === 0 ? known.readUInt32BE(5) : 0;
      isOnly &&= this.stream === wanted;
      this.at += FRAME_HEADER_BYTES + known.readUIntBE(0, 3);
      headers += 1;
    }
    return isOnly ? headers : -1;
  }

  get next(): number {
    return this.at;
  }
}

interface Outcome {
  seen: Seen[];
  ended: Exchange[];
  skippedBytes: number;
}

function converse(
  events: readonly CaptureEvent[],
  isUnwanted: (id: number) => boolean,
  lagCalls: number,
): Outcome {
  const witness = createWitness();
  const ended: Exchange[] = [];
  const verdicts: { verdict: ConnectionVerdict; fromCall: number }[] = [];
  const ways: Record<Direction, FollowedDirection> = {
    read: new FollowedDirection(0),
    write: new FollowedDirection(PREFACE_BYTES),
  };
  let calls = 0;
  let skippedBytes = 0;
  let failure: unknown;
  const transport = createTransport({
    createParser: createHttpStage({
      handler: (exchange) =>
        isUnwanted(Number(exchange.request?.headers.get('x-number')))
          ? undefined
          : witness.handler(exchange),
      onExchange: (exchange) => ended.push(exchange),
      onVerdict: (_connection, verdict) =>
        verdicts.push({ verdict, fromCall: calls + 1 + lagCalls }),
    }),
    onFault: (error) => {
      failure = error;
    },
  });

  function reportSkip(event: CaptureEvent & { connection: DataEvent['connection'] }): void {
    for (const direction of ['read', 'write'] as const) {
      const { skip } = ways[direction];
      if (skip.bytes > 0) {
        transport.push({
          type: 'skip',
          timeNs: event.timeNs,
          connection: event.connection,
          direction,
          position: skip.position,
          skippedBytes: skip.bytes,
          frameStream: skip.stream,
          frameHeaders: skip.headers,
          frameRemainderBytes: skip.next - skip.position - skip.bytes,
        });
        skip.bytes = 0;
      }
    }
  }

  for (const event of events) {
    if (event.type !== 'data') {
      if (event.type === 'close') {
        reportSkip(event);
      }
      transport.push(event);
      continue;
    }
    calls += 1;
    const way = ways[event.direction];
    const verdict = verdicts.filter(({ fromCall }) => fromCall <= calls).at(-1)?.verdict;
    const stream = event.direction === 'read' ? verdict?.readStream : verdict?.writeStream;
    const headers = way.follow(Buffer.from(event.bytes), stream);
    if (stream === undefined || headers < 0) {
      reportSkip(event);
      transport.push(event);
    } else {
      const { skip } = way;
      if (skip.bytes > 0 && skip.stream !== stream) {
        reportSkip(event);
      }
      if (skip.bytes === 0) {
        Object.assign(skip, { position: event.position, stream, headers: 0 });
      }
      skip.bytes += event.bytes.length;
      skip.headers += headers;
      skip.next = way.next;
      skippedBytes += event.bytes.length;
    }
    assert.equal(failure, undefined);
  }
  return { seen: witness.seen, ended, skippedBytes };
}

/** An answer of a type that nobody reads, without a length. */
const download = fc
  .record({
    stream: streamDescription(fc.constant('added')),
    sizes: fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 4, maxLength: 20 }),
  })
  .map(({ stream, sizes }): StreamDescription => {
    const pieces = sizes.map((size) => new Uint8Array(size).fill(size));
    const { response } = stream;
    const fields = [...response.fields, ['content-type', 'application/octet-stream'] as const];
    return {
      ...stream,
      status: 200,
      response: { ...response, fields, pieces, padding: undefined },
    };
  });

describe('http2 property: verdicts', () => {
  it('what is left out of some streams costs the others nothing', () => {
    let skipped = 0;
    fc.assert(
      fc.property(
        fc.array(fc.oneof(download, streamDescription(fc.constant('added'))), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.array(fc.nat(20), { minLength: 1, maxLength: 40 }),
        fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 30 }),
        fc.nat(6),
        (streams, order, sizes, lagCalls) => {
          const events = captureEvents(cutCalls(interleave(streams, order), sizes));
          const isDownload = (id: number): boolean =>
            streams[(id - 1) / 2]?.response.fields.some(([name]) => name === 'content-type') ===
            true;
          const whole = converse(events, () => false, 0);
          assert.equal(whole.skippedBytes, 0);
          const judged = converse(events, isDownload, lagCalls);
          skipped += judged.skippedBytes;
          assert.deepEqual(
            summary(judged.seen),
            summary(whole.seen.filter((one) => !isDownload(idOf(one) ?? 0))),
          );
          const line = ({ request, response, damage }: Exchange): unknown => [
            request?.headers.get('x-number'),
            response?.bodyBytes,
            response?.complete,
            response?.trailers?.fields,
            [...damage.kinds],
          ];
          assert.deepEqual(judged.ended.map(line), whole.ended.map(line));
        },
      ),
      { numRuns: 300 },
    );
    assert.ok(skipped > 100_000, `${skipped} bytes left out`);
  });
});
