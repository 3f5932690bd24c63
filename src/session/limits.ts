/** The session room's named limits, time spans and their defaults. */

/** Reaching one is counted (`sightline.limits`, as `session.` and the name here). */
export interface SessionLimits {
  /** Turns open at once; one more closes the one that was silent longest, marked `limit`. */
  maxOpenTurns: number;
  /** Agents whose conversations are remembered; one more forgets the one that was silent longest. */
  maxTrees: number;
  /** Calls of one agent remembered as what a later request may continue; the oldest is forgotten. */
  maxCallsPerTree: number;
  /** Calls under way at once; one more is placed when it is finished instead of when it begins. */
  maxOpenCalls: number;
  /** Calls handed over with a turn; of further ones only the last is, and the turn is marked `limit`. */
  maxCallsPerTurn: number;
  /** Tool calls recorded of one turn; further ones make no span and mark the turn `limit`. */
  maxToolsPerTurn: number;
  /** Processes recorded under one turn; further ones make no span and mark the turn `limit`. */
  maxProcessesPerTurn: number;
  /** HTTP exchanges directly under one turn or process; further ones make no span and are counted on it. */
  maxExchangesPerParent: number;
  /** Running processes with a span at once; further ones make none. */
  maxOpenProcesses: number;
  /** Arguments longer than this, in UTF-16 units, are not searched for the command they hold. */
  maxArgumentChars: number;
}

export const DEFAULT_SESSION_LIMITS: SessionLimits = {
  maxOpenTurns: 512,
  maxTrees: 256,
  maxCallsPerTree: 512,
  maxOpenCalls: 4_096,
  maxCallsPerTurn: 1_024,
  maxToolsPerTurn: 4_096,
  maxProcessesPerTurn: 16_384,
  maxExchangesPerParent: 512,
  maxOpenProcesses: 16_384,
  maxArgumentChars: 256 * 1024,
};

/** A turn in which nothing happened for so long is closed (SIGHTLINE_TURN_TIMEOUT). */
export const DEFAULT_TURN_TIMEOUT_NS = 600_000_000_000n;

/**
 * A turn whose last call failed waits so long for the call to be tried again. Clients back off up to half a
 * minute between two tries, and obey a Retry-After of up to a minute.
 */
export const DEFAULT_RETRY_WINDOW_NS = 60_000_000_000n;
