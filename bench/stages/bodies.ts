/** Decoded bodies: streams of records, a read each; form data; and content codings, a flush each. */
import { constants, createBrotliCompress, createDeflate, createGzip } from 'node:zlib';
import { EventStreamCodec } from '@smithy/eventstream-codec';
import type { RecordFormat } from '../../src/http/stream-reader.ts';
import type { Build } from '../support/build.ts';
import { deltaEvent, everyOf, totalBytes, type Work } from './work.ts';

const RECORDS = 4000;

function records(
  { streamReader }: Build,
  format: RecordFormat,
  name: string,
  pieces: readonly Buffer[],
): Work {
  return {
    name,
    bytes: totalBytes(pieces),
    events: pieces.length,
    pass(look) {
      let seen = 0;
      const reader = streamReader.createStreamReader(format, {
        onRecord: () => {
          seen += 1;
        },
        onDamage: (kind) => {
          throw new Error(kind);
        },
      });
      everyOf(pieces, (piece) => reader.data(piece, 1n), look);
      reader.end(true, 1n);
      return seen;
    },
  };
}

function pieces(wrap: (event: Buffer, index: number) => Buffer, textBytes = 20): Buffer[] {
  return Array.from({ length: RECORDS }, (_, index) => wrap(deltaEvent(index, textBytes), index));
}

function around(before: string, after: string): (event: Buffer) => Buffer {
  return (event) => Buffer.concat([Buffer.from(before), event, Buffer.from(after)]);
}

function awsMessages(): Buffer[] {
  const codec = new EventStreamCodec(
    (bytes) => Buffer.from(bytes as Uint8Array).toString(),
    (text) => Buffer.from(text),
  );
  return pieces((body) =>
    Buffer.from(
      codec.encode({
        headers: {
          ':event-type': { type: 'string', value: 'contentBlockDelta' },
          ':content-type': { type: 'string', value: 'application/json' },
          ':message-type': { type: 'string', value: 'event' },
        },
        body,
      }),
    ),
  );
}

function multipart({ multipart: { createMultipartReader } }: Build): Work {
  const block = Buffer.alloc(65_536, 'audio\r\n');
  const reads = new Array<Buffer>(200).fill(block);
  return {
    name: 'multipart, reads of 64 KiB',
    bytes: totalBytes(reads),
    events: reads.length,
    pass(look) {
      let parts = 0;
      const reader = createMultipartReader({
        boundary: 'boundary',
        onPart: () => {
          parts += 1;
        },
      });
      reader.data(Buffer.from('--boundary\r\n\r\n'), 1n);
      everyOf(reads, (read) => reader.data(read, 1n), look);
      reader.data(Buffer.from('\r\n--boundary--'), 1n);
      return parts * reads.length;
    },
  };
}

/** What an encoder has put out after each event, as a server that flushes sends it. */
async function flushed(
  encoder: ReturnType<typeof createGzip | typeof createBrotliCompress>,
  events: readonly Buffer[],
): Promise<Buffer[]> {
  const flush =
    encoder.constructor === createBrotliCompress().constructor
      ? constants.BROTLI_OPERATION_FLUSH
      : constants.Z_SYNC_FLUSH;
  const parts: Buffer[] = [];
  encoder.on('data', (part: Buffer) => parts.push(part));
  const reads: Buffer[] = [];
  for (const event of events) {
    encoder.write(event);
    await new Promise<void>((resolve) => encoder.flush(flush, resolve));
    reads.push(Buffer.concat(parts.splice(0)));
  }
  encoder.end();
  await new Promise((resolve) => encoder.once('end', resolve));
  return [...reads.slice(0, -1), Buffer.concat([...reads.slice(-1), ...parts])];
}

/** A zstd frame of raw blocks, one an event: what each block costs, whatever is in it. */
function zstdBlocks(events: readonly Buffer[]): Buffer[] {
  return events.map((event, index) => {
    const isLast = index === events.length - 1 ? 1 : 0;
    const size = (event.length << 3) | isLast;
    const block = Buffer.concat([Buffer.from([size & 255, size >> 8, 0]), event]);
    return index === 0 ? Buffer.concat([Buffer.from('28b52ffd0068', 'hex'), block]) : block;
  });
}

/** Rates are of decoded bytes. */
function coding(
  { contentDecoder, httpLimits }: Build,
  name: string,
  label: string,
  plainBytes: number,
  reads: readonly Buffer[],
): Work {
  return {
    name: label,
    bytes: plainBytes,
    events: reads.length,
    pass(look) {
      let decoded = 0;
      const decoder = contentDecoder.createContentDecoder(
        [name],
        httpLimits.DEFAULT_HTTP_LIMITS,
        (bytes) => {
          decoded += bytes.length;
        },
      );
      everyOf(reads, (read) => decoder?.push(read), look);
      const isOver = decoder?.finish() === 'ok';
      decoder?.dispose();
      return isOver && decoded === plainBytes ? reads.length : -1;
    },
  };
}

export async function bodyWorks(build: Build): Promise<Work[]> {
  const lines = pieces(around('data: ', '\n\n'));
  const plainBytes = totalBytes(lines);
  const deflated = await flushed(createDeflate(), lines);
  const gzipped = await flushed(createGzip(), lines);
  const brotli = await flushed(createBrotliCompress(), lines);
  return [
    records(build, 'sse', 'sse', lines),
    records(build, 'sse', 'sse, 16 KB', pieces(around('data: ', '\n\n'), 16_000)),
    records(build, 'ndjson', 'ndjson', pieces(around('', '\n'))),
    records(
      build,
      'json-array',
      'json array',
      pieces((event, index) => Buffer.concat([Buffer.from(index === 0 ? '[' : ',\r\n'), event])),
    ),
    records(build, 'aws-event-stream', 'aws event stream', awsMessages()),
    multipart(build),
    coding(build, 'gzip', 'gzip, flushed', plainBytes, gzipped),
    coding(build, 'deflate', 'deflate, flushed', plainBytes, deflated),
    coding(build, 'br', 'brotli, flushed', plainBytes, brotli),
    coding(build, 'zstd', 'zstd, raw blocks', plainBytes, zstdBlocks(lines)),
  ];
}
