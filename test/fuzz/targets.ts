/** Every target of the fuzzer. */
import type { FuzzTarget } from './target.ts';
import { AWS_EVENT_STREAM, JSON_ARRAY, NDJSON, SSE } from './targets/body-streams.ts';
import { BROTLI, DEFLATE, GZIP, ZSTD } from './targets/decoders.ts';
import { HTTP1 } from './targets/http1.ts';
import { HTTP2 } from './targets/http2.ts';
import { JSON_SCANNER } from './targets/json.ts';
import { KERNEL_RECORDS } from './targets/kernel-records.ts';
import { MODEL_CALLS } from './targets/model-calls.ts';
import { MULTIPART } from './targets/multipart.ts';
import { RECORDING } from './targets/recording.ts';
import { SOCKET_CALLS } from './targets/socket-calls.ts';
import { WEBSOCKET } from './targets/websocket.ts';

export const FUZZ_TARGETS: readonly FuzzTarget[] = [
  HTTP1,
  HTTP2,
  WEBSOCKET,
  SSE,
  NDJSON,
  JSON_ARRAY,
  AWS_EVENT_STREAM,
  MULTIPART,
  GZIP,
  DEFLATE,
  BROTLI,
  ZSTD,
  JSON_SCANNER,
  MODEL_CALLS,
  SOCKET_CALLS,
  RECORDING,
  KERNEL_RECORDS,
];
