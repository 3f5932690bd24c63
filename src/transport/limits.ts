/** The transport room's named limits and their defaults. */

export interface TransportLimits {
  /** Connections remembered at once. One more forgets the one that was silent longest. */
  maxConnections: number;
}

export const DEFAULT_TRANSPORT_LIMITS: TransportLimits = {
  // 500 busy streams are the target; keep-alive pools of a whole host stay well below this, and a resting
  // connection costs about 1 KiB.
  maxConnections: 16_384,
};

/** A connection silent for this long lets go what it holds back from a recording. */
export const LET_GO_AFTER_NS = 5_000_000_000n;

/** A connection silent for this long is ended as incomplete (SIGHTLINE_STREAM_TIMEOUT). */
export const DEFAULT_IDLE_TIMEOUT_NS = 300_000_000_000n;
