/** Conversations of JSON messages over a WebSocket, through the whole analyzer chain. */
import type { CaptureEvent } from '../../src/capture/events.ts';
import type { ModelCall } from '../../src/llm/model-call.ts';
import { createPipeline } from '../../src/pipeline.ts';
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

/** What comes out of the chain; a defect of ours is thrown. */
export function runChain(events: readonly CaptureEvent[], keepContent = true): ChainResult {
  const result: ChainResult = { calls: [], pieces: [] };
  const pipeline = createPipeline(
    {
      streamTimeoutNs: 300_000_000_000n,
      turnTimeoutNs: 600_000_000_000n,
      keepContent,
      maxContentBytes: 65_536,
      limits: { transport: {}, http: {}, webSocket: {}, llm: {}, process: {}, session: {} },
    },
    {
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
