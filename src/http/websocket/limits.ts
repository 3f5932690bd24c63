/** The named limits of WebSocket parsing and their defaults; reaching one is recorded damage, never an error. */

export interface WebSocketLimits {
  /** Payload of one frame. Of a longer one nothing is handed out; where it ends is known all the same. */
  maxFrameBytes: number;
  /** Frames of one message. The content of further ones is not handed out. */
  maxFragments: number;
  /** Payload of one message, decoded, that is handed out. Its rest is read over. */
  maxMessageBytes: number;
  /**
   * How far a message over that limit is still decompressed, so that those after it, which may refer to it, can
   * be. Beyond it nothing compressed of its sender can be decoded any more.
   */
  maxInflatedBytes: number;
  /** Decompressed bytes per compressed byte of a message, judged once it has given more than 1 MiB. */
  maxInflateRatio: number;
  /** Bytes held back per direction while it is judged whether a frame begins where one seems to. */
  maxSearchBytes: number;
  /** Calls those bytes may have come in. */
  maxSearchCalls: number;
}

export const DEFAULT_WEBSOCKET_LIMITS: WebSocketLimits = {
  maxFrameBytes: 67_108_864,
  maxFragments: 65_536,
  // The Responses API sends whole answers, images included, in one message.
  maxMessageBytes: 16_777_216,
  maxInflatedBytes: 67_108_864,
  // Deflate cannot exceed 1032:1; repetitive JSON stays below 200:1.
  maxInflateRatio: 500,
  maxSearchBytes: 262_144,
  maxSearchCalls: 256,
};
