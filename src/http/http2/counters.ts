/** What HTTP/2 connections count; every number only grows. */

export interface Http2Counters {
  frames: number;
  headerBlocks: number;
  /** Header blocks that contradict their encoding. */
  headerErrors: number;
  /** Fields that refer to entries added before they could be seen. */
  unknownFields: number;
  /** Header blocks dropped for their size or their number of CONTINUATION frames. */
  blockLimits: number;
  /** Dynamic tables cut by our limit. */
  tableLimits: number;
  /** Frames longer than our limit. */
  frameLimits: number;
  /** Streams ended because too many were open. */
  streamLimits: number;
  /** Streams ended because they were silent too long. */
  idleStreams: number;
  /** Pushed streams, which are not followed. */
  pushes: number;
  /** Frames of streams that are over. */
  strayFrames: number;
  /** Times the place in a direction's bytes was lost, and found again. */
  losses: number;
  resyncs: number;
  /** Bytes passed over while the place was unknown. */
  skippedBytes: number;
}

export function createHttp2Counters(): Http2Counters {
  return {
    frames: 0,
    headerBlocks: 0,
    headerErrors: 0,
    unknownFields: 0,
    blockLimits: 0,
    tableLimits: 0,
    frameLimits: 0,
    streamLimits: 0,
    idleStreams: 0,
    pushes: 0,
    strayFrames: 0,
    losses: 0,
    resyncs: 0,
    skippedBytes: 0,
  };
}
