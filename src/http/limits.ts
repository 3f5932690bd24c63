/** The http room's named limits and their defaults; reaching one is `limit` damage, never an error. */
import { DEFAULT_HTTP2_LIMITS, type Http2Limits } from './http2/limits.ts';

export interface HttpLimits extends Http2Limits {
  /** Start line and fields of one message. Beyond it only the fields that frame the body are looked at. */
  maxHeadBytes: number;
  /** Header fields kept of one message. */
  maxHeaderFields: number;
  /** Exchanges of one connection that wait for their responses (pipelining). */
  maxPendingExchanges: number;
  /** Bytes that one body may decode to. */
  maxDecodedBytes: number;
  /** Decoded bytes per encoded byte, judged once a body has decoded to more than 1 MiB. */
  maxDecodeRatio: number;
  /** Content encodings of one body. */
  maxContentEncodings: number;
  /** Parts kept of one form (multipart/form-data). */
  maxFormParts: number;
  /** Head of one part of a form. */
  maxFormPartHeadBytes: number;
}

export const DEFAULT_HTTP_LIMITS: HttpLimits = {
  // Node and nginx refuse heads above 16 and 32 KiB.
  maxHeadBytes: 65_536,
  maxHeaderFields: 512,
  maxPendingExchanges: 256,
  maxDecodedBytes: 1_073_741_824,
  // Repetitive event streams reach 50:1; deflate cannot exceed 1032:1, brotli can.
  maxDecodeRatio: 500,
  maxContentEncodings: 4,
  maxFormParts: 1000,
  maxFormPartHeadBytes: 16_384,
  ...DEFAULT_HTTP2_LIMITS,
};
