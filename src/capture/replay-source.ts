/** Delivers the events of recordings as if they happened now. */
import { SightlineError } from '../util/errors.ts';
import type { CaptureEvent } from './events.ts';
import { type ReadOutcome, readRecording } from './recording-reader.ts';
import type { CaptureSink, CaptureSource } from './source.ts';

export interface ReplaySourceOptions {
  paths: readonly string[];
  /** Called after each recording, in order. */
  onOutcome?(outcome: ReadOutcome): void;
}

export interface ReplaySource extends CaptureSource {
  /** What came of each recording that was read so far. */
  outcomes(): readonly ReadOutcome[];
}

/**
 * A source that reads recordings one after the other. Each is delivered from its `host` to its `end` event, so
 * several recordings are several such sequences: another recording has another clock, and nothing open in one
 * continues in the next. A recording that stops short gets its `end` from here.
 */
export function createReplaySource(options: ReplaySourceOptions): ReplaySource {
  if (options.paths.length === 0) {
    throw new SightlineError('SL_RECORDING_NONE', 'no recording given: name at least one file');
  }
  const outcomes: ReadOutcome[] = [];
  let isStopping = false;
  let running: Promise<void> | undefined;

  async function replay(sink: CaptureSink): Promise<void> {
    for (const path of options.paths) {
      if (isStopping) {
        return;
      }
      await replayOne(path, sink);
    }
  }

  async function replayOne(path: string, sink: CaptureSink): Promise<void> {
    let lastNs = 0n;
    let hasBegun = false;
    let hasEnded = false;

    function deliver(event: CaptureEvent): void {
      if (hasEnded) {
        throw new SightlineError(
          'SL_RECORDING_CORRUPT',
          `the recording ${path} is damaged: events follow its end event; use a sound copy`,
        );
      }
      if (!hasBegun && event.type !== 'host') {
        throw new SightlineError(
          'SL_RECORDING_CORRUPT',
          `the recording ${path} is damaged: it does not begin with its host; use a sound copy`,
        );
      }
      hasBegun = true;
      hasEnded = event.type === 'end';
      lastNs = event.timeNs > lastNs ? event.timeNs : lastNs;
      sink(event);
    }

    function finish(): void {
      if (hasBegun && !hasEnded) {
        hasEnded = true;
        sink({ type: 'end', timeNs: lastNs });
      }
    }

    let outcome: ReadOutcome;
    try {
      outcome = await readRecording({ path, onEvent: deliver, shouldStop: () => isStopping });
    } catch (error) {
      // What lies before the damage was delivered and has to be finished, too.
      finish();
      throw error;
    }
    finish();
    outcomes.push(outcome);
    options.onOutcome?.(outcome);
  }

  return {
    start(sink) {
      running ??= replay(sink);
      return running;
    },
    async stop() {
      isStopping = true;
      await running?.catch(() => undefined);
    },
    outcomes: () => outcomes,
  };
}
