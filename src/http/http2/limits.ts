/** The named limits of HTTP/2 and their defaults; reaching one is `limit` damage, never an error. */

export interface Http2Limits {
  /** Payload of one frame. A longer one is counted off unread. */
  maxFrameBytes: number;
  /** Encoded bytes of one header block (HEADERS and its CONTINUATIONs). Beyond it the block is not read. */
  maxHeaderBlockBytes: number;
  /** CONTINUATION frames of one header block. */
  maxContinuations: number;
  /** Size of one direction's dynamic table (RFC 7541 §4.1), whatever the peers agreed on. */
  maxHeaderTableBytes: number;
  /** Exchanges of one connection that are open at once. One more ends the oldest. */
  maxOpenStreams: number;
}

export const DEFAULT_HTTP2_LIMITS: Http2Limits = {
  // The largest the protocol can express (RFC 9113 §4.1); bodies are streamed, so length costs no memory.
  maxFrameBytes: 16_777_215,
  // Four times what Node, nginx and nghttp2 accept.
  maxHeaderBlockBytes: 262_144,
  // nghttp2 gives up at 8 since the floods of 2024; a block of our size in 16 KiB frames needs 16.
  maxContinuations: 128,
  // Clients announce 4 KiB (Node, h2), browsers 64 KiB.
  maxHeaderTableBytes: 262_144,
  // Servers allow 100 to 1000.
  maxOpenStreams: 2048,
};

/** A stream silent for longer is ended as unfinished although its connection lives. */
export const DEFAULT_STREAM_TIMEOUT_NS = 300_000_000_000n;
