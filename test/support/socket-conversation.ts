/** Conversations of JSON messages over a WebSocket, through the whole analyzer chain. */
import type { CaptureEvent } from '../../src/capture/events.ts';
import { createScrubbingRecorder } from '../../src/capture/scrubbing-recorder.ts';
import type { ModelCall } from '../../src/llm/model-call.ts';
import { createPipeline, type PipelineOutput } from '../../src/pipeline.ts';
import { createCounters } from '../../src/self/counters.ts';
import type { StoryPiece } from '../../src/session/story.ts';
import type { Call } from './http-generator.ts';
import { createCompressor, frame } from './websocket-wire.ts';

export type Said = readonly [sender: 'client' | 'server', message: object | string];

/** Each message a frame, each frame a call: the client's masked. */
export function socketCalls(said: readonly Said[], isDeflating = false): Call[] {
  const compress = { client: createCompressor(true), server: createCompressor(true) };
  return said.map(([sender, message], index) => {
    const plain = Buffer.from(typeof message === 'string' ? message : JSON.stringify(message));
    const payload = isDeflating ? compress[sender](plain) : plain;
    const isClient = sender === 'client';
    const masking = isClient ? { key: Uint8Array.of(7, index & 255, 0, 200) } : {};
    return {
      side: isClient ? 'request' : 'response',
      bytes: frame({ opcode: 1, payload, rsv1: isDeflating, ...masking }),
    };
  });
}

export interface ChainResult {
  /** Finished calls. */
  calls: ModelCall[];
  pieces: StoryPiece[];
}

export interface ChainOptions {
  /** Default true. */
  keepContent?: boolean;
  secret?: PipelineOutput['secret'];
  decoded?: PipelineOutput['decoded'];
  released?: PipelineOutput['released'];
}

/** What comes out of the chain; a defect of ours is thrown. */
export function runChain(events: readonly CaptureEvent[], options: ChainOptions = {}): ChainResult {
  const result: ChainResult = { calls: [], pieces: [] };
  const pipeline = createPipeline(
    {
      streamTimeoutNs: 300_000_000_000n,
      turnTimeoutNs: 600_000_000_000n,
      keepContent: options.keepContent ?? true,
      maxContentBytes: 65_536,
      limits: { transport: {}, http: {}, webSocket: {}, llm: {}, process: {}, session: {} },
    },
    {
      ...(options.secret === undefined ? {} : { secret: options.secret }),
      ...(options.decoded === undefined ? {} : { decoded: options.decoded }),
      ...(options.released === undefined ? {} : { released: options.released }),
      host: () => {},
      piece: (piece) => result.pieces.push(piece),
      call: (call) => result.calls.push(call),
      fault: (error) => {
        throw error;
      },
    },
    createCounters(),
  );
  for (const event of events) {
    pipeline.push(event);
  }
  return result;
}

/** What a recorder behind the chain writes. */
export function recordChain(events: readonly CaptureEvent[]): CaptureEvent[] {
  const written: CaptureEvent[] = [];
  const recorder = createScrubbingRecorder({
    write(event) {
      written.push(event.type === 'data' ? { ...event, bytes: Buffer.from(event.bytes) } : event);
    },
  });
  for (const event of events) {
    recorder.event(event);
  }
  runChain(events, {
    secret: recorder.mask,
    decoded: recorder.decoded,
    released: recorder.release,
  });
  const { unreleasedBytes } = recorder.counters();
  recorder.flush();
  if (recorder.counters().unreleasedBytes !== unreleasedBytes) {
    throw new Error('bytes were never released');
  }
  return written;
}
