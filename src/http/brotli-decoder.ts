/** Brotli through brotli-wasm's synchronous stream. RFC 7932, https://www.rfc-editor.org/rfc/rfc7932 */
import { createRequire } from 'node:module';
import type { BrotliWasmType } from 'brotli-wasm';
import type { DecodeOutcome, Emit, StreamDecoder } from './content-decoder.ts';

type DecompressStream = InstanceType<BrotliWasmType['DecompressStream']>;

const OUTPUT_BYTES = 16_384;
/** Result codes of the module, whose declarations number them otherwise than the module does. */
const NEEDS_MORE_INPUT = 2;
const NEEDS_MORE_OUTPUT = 3;
/**
 * Decoders at work at once. WebAssembly memory never shrinks, and each may need a window of up to 16 MiB
 * (4 MiB as most servers encode): this bounds it.
 */
const MAX_OPEN_DECODERS = 64;

let loaded: BrotliWasmType | undefined;
let openDecoders = 0;

/** A decoder that nobody disposed of (its connection was dropped after a fault) is freed with its owner. */
const abandoned = new FinalizationRegistry<DecompressStream>((stream) => {
  openDecoders -= 1;
  stream.free();
});

/** The module's ESM entry is its web build, which does not load in Node; `require` gives the right one. */
function load(): BrotliWasmType {
  loaded ??= createRequire(import.meta.url)('brotli-wasm') as BrotliWasmType;
  return loaded;
}

export function createBrotliDecoder(emit: Emit): StreamDecoder {
  let stream: DecompressStream | undefined;
  let isFull = false;
  let isFinished = false;
  let isDisposed = false;

  function open(): void {
    if (stream === undefined && !isFull && !isDisposed) {
      if (openDecoders >= MAX_OPEN_DECODERS) {
        isFull = true;
        return;
      }
      stream = new (load().DecompressStream)();
      openDecoders += 1;
      abandoned.register(decoder, stream, decoder);
    }
  }

  function push(bytes: Uint8Array): DecodeOutcome {
    open();
    if (isFull) {
      return 'limit';
    }
    if (stream === undefined) {
      // After its end: anything more contradicts it.
      return bytes.length > 0 ? 'corrupt' : 'ok';
    }
    let rest = bytes;
    for (;;) {
      let code: number;
      let output: Uint8Array;
      try {
        const result = stream.decompress(rest, OUTPUT_BYTES);
        code = result.code;
        output = result.buf;
        rest = rest.subarray(result.input_offset);
        result.free();
      } catch {
        dispose();
        return 'corrupt';
      }
      if (output.length > 0 && !emit(output)) {
        dispose();
        return 'ok';
      }
      if (code === NEEDS_MORE_OUTPUT) {
        continue;
      }
      if (code === NEEDS_MORE_INPUT) {
        return 'ok';
      }
      isFinished = true;
      dispose();
      return rest.length > 0 ? 'corrupt' : 'ok';
    }
  }

  function dispose(): void {
    isDisposed = true;
    if (stream !== undefined) {
      abandoned.unregister(decoder);
      openDecoders -= 1;
      stream.free();
      stream = undefined;
    }
  }

  const decoder: StreamDecoder = {
    push,
    finish: () => (isFinished ? 'ok' : isFull ? 'limit' : 'corrupt'),
    dispose,
  };
  return decoder;
}
