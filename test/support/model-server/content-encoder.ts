/** Content encodings (RFC 9110 §8.4.1) applied piece by piece: what goes in can be flushed out at once. */
import {
  constants,
  createBrotliCompress,
  createDeflate,
  createDeflateRaw,
  createGzip,
} from 'node:zlib';
import type { ContentEncoding } from './scenario.ts';

export interface ContentEncoder {
  /** Value of the Content-Encoding header; undefined for identity. */
  header: string | undefined;
  /** Encodes a piece; with `flush` everything it needs to be decoded comes out now. */
  push(bytes: Buffer, flush: boolean): Promise<Buffer>;
  /** What remains, with the encoding's own end. */
  end(): Promise<Buffer>;
}

const PREFERENCE = ['br', 'gzip', 'deflate'] as const;

/** The encoding that `negotiate` stands for, given the request's Accept-Encoding. */
export function negotiate(acceptEncoding: string | undefined): ContentEncoding {
  const accepted = new Set<string>();
  for (const entry of (acceptEncoding ?? '').split(',')) {
    const [name = '', ...parameters] = entry.split(';').map((part) => part.trim().toLowerCase());
    if (!parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))) {
      accepted.add(name);
    }
  }
  return PREFERENCE.find((encoding) => accepted.has(encoding)) ?? 'identity';
}

function createZlib(encoding: ContentEncoding) {
  switch (encoding) {
    case 'gzip':
      return { stream: createGzip(), flush: constants.Z_SYNC_FLUSH };
    case 'deflate':
      return { stream: createDeflate(), flush: constants.Z_SYNC_FLUSH };
    case 'deflate-raw':
      return { stream: createDeflateRaw(), flush: constants.Z_SYNC_FLUSH };
    case 'br': {
      // Quality 5: Node's default of 11 takes seconds for the large bodies.
      const params = { [constants.BROTLI_PARAM_QUALITY]: 5 };
      return { stream: createBrotliCompress({ params }), flush: constants.BROTLI_OPERATION_FLUSH };
    }
    default:
      return undefined;
  }
}

export function createContentEncoder(encoding: ContentEncoding): ContentEncoder {
  const zlib = createZlib(encoding);
  if (zlib === undefined) {
    return {
      header: undefined,
      push: async (bytes) => bytes,
      end: async () => Buffer.alloc(0),
    };
  }
  const { stream, flush: flushKind } = zlib;
  let out: Buffer[] = [];
  stream.on('data', (bytes: Buffer) => out.push(bytes));

  function take(): Buffer {
    const bytes = Buffer.concat(out);
    out = [];
    return bytes;
  }

  async function push(bytes: Buffer, flush: boolean): Promise<Buffer> {
    await new Promise<void>((resolve, reject) => {
      stream.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
    if (flush) {
      await new Promise<void>((resolve) => stream.flush(flushKind, resolve));
    }
    return take();
  }

  async function end(): Promise<Buffer> {
    await new Promise<void>((resolve, reject) => {
      stream.once('end', resolve);
      stream.once('error', reject);
      stream.end();
    });
    return take();
  }

  return { header: encoding === 'deflate-raw' ? 'deflate' : encoding, push, end };
}
