/** The whole analyzer chain on streamed model calls: capture events in, pieces of the story out. */
import type { Build } from '../support/build.ts';
import { makeStreamedCalls } from '../support/streamed-calls.ts';
import { everyOf, type Work } from './work.ts';

const recording = makeStreamedCalls({
  seed: 1,
  connections: 40,
  exchangesPerConnection: 2,
  deltas: 300,
  requestWords: 1500,
});

export function wholeChain({ pipeline, counters }: Build): Work {
  return {
    name: 'whole chain, content off',
    bytes: recording.bytes,
    events: recording.dataEvents,
    pass(look) {
      let complete = 0;
      const chain = pipeline.createPipeline(
        {
          streamTimeoutNs: 300_000_000_000n,
          turnTimeoutNs: 600_000_000_000n,
          keepContent: false,
          maxContentBytes: 65_536,
          limits: { transport: {}, http: {}, llm: {}, process: {}, session: {} },
        },
        {
          host() {},
          piece() {},
          call: (call) => {
            complete += call.complete && !call.damage.any ? 1 : 0;
          },
          fault: (error) => {
            throw error;
          },
        },
        counters.createCounters(),
      );
      everyOf(recording.events, chain.push, look);
      return complete === recording.calls.length ? recording.dataEvents : -1;
    },
  };
}
