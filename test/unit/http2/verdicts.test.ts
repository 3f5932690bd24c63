/** Verdicts on streams of an HTTP/2 connection whose heads were lost. */
import assert from 'node:assert/strict';
import type { ConnectionVerdict } from '../../../src/capture/verdict.ts';
import { createHttpStage } from '../../../src/http/http-stage.ts';
import { createTransport } from '../../../src/transport/transport.ts';
import { captureEvents } from '../../support/http-generator.ts';
import { Script } from '../../support/http2-script.ts';
import { frame, headers } from '../../support/http2-writer.ts';

const FRAME_BYTES = 16_384;

/** Frames of the body that passed until there was a verdict on stream 1; -1: there was none. */
function framesUntilVerdict(options: { isWanted: boolean; frames: number }): number {
  const script = new Script().request(1, '/file');
  script.answer(headers(1, script.head(200, [['content-type', 'text/plain']]))).lost();
  const verdicts: ConnectionVerdict[] = [];
  const sink = { data() {}, gap() {}, end() {} };
  const transport = createTransport({
    createParser: createHttpStage({
      handler: () => (options.isWanted ? { response: () => sink } : undefined),
      onVerdict: (_, verdict) => verdicts.push(verdict),
    }),
  });
  for (let sent = 0; sent < options.frames; sent += 1) {
    script.answer(frame('DATA', 0, 1, 'x'.repeat(FRAME_BYTES)));
  }
  const events = captureEvents(script.calls).filter(({ type }) => type === 'data');
  const bodyFrom = events.length - options.frames;
  for (const [index, event] of events.entries()) {
    transport.push(event);
    if (verdicts.length > 0) {
      assert.deepEqual(verdicts, [
        { readUntil: Infinity, writeUntil: 0, readStream: 1, writeStream: undefined },
      ]);
      return index - bodyFrom + 1;
    }
  }
  return -1;
}

describe('verdicts on a stream whose head was lost', () => {
  it('leave its body out when it is long', () => {
    assert.equal(framesUntilVerdict({ isWanted: false, frames: 10 }), 4);
  });

  it('wait to see that it is', () => {
    assert.equal(framesUntilVerdict({ isWanted: false, frames: 3 }), -1);
  });

  it('keep a body that somebody looks at', () => {
    assert.equal(framesUntilVerdict({ isWanted: true, frames: 10 }), -1);
  });
});
