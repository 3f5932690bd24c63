/** One interface for where events come from: the kernel, or a recording. */
import type { CaptureEvent } from './events.ts';

export type CaptureSink = (event: CaptureEvent) => void;

export interface CaptureSource {
  /**
   * Begins to deliver events to `sink`, synchronously and in order: a `host` event first, an `end` event last.
   * Resolves when every probe is in place (live), or when the last event was delivered (replay).
   * Throws a SightlineError that says how to mend it.
   */
  start(sink: CaptureSink): Promise<void>;

  /** Detaches, delivers what the kernel still holds and then `end`. Resolves when nothing of it remains. */
  stop(): Promise<void>;
}
