/** HTTP/2 with HPACK: frames of one connection, many streams, cut anywhere. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { interleave, streamDescription, wholeCalls } from '../../support/http2-generator.ts';
import {
  frame,
  headers,
  integer,
  PREFACE,
  requestFields,
  settings,
  TestEncoder,
  text,
  uint32,
} from '../../support/http2-writer.ts';
import {
  callsFrom,
  decodeCalls,
  eventsOf,
  type InputCall,
  isWhole,
  mutateCalls,
  piecesFor,
} from '../calls-input.ts';
import { observeConnection } from '../connection-witness.ts';
import type { FuzzTarget, MutationTools } from '../target.ts';

const FRAME_HEAD_BYTES = 9;

function conversations(): Uint8Array[] {
  const form = fc.constantFrom(
    'indexed' as const,
    'added' as const,
    'plain' as const,
    'never' as const,
  );
  const one = fc.record({
    streams: fc.array(streamDescription(form), { minLength: 1, maxLength: 4 }),
    order: fc.array(fc.nat({ max: 1000 }), { minLength: 1, maxLength: 20 }),
  });
  return fc
    .sample(one, { numRuns: 50, seed: 2 })
    .map(({ streams, order }) => callsFrom(wholeCalls(interleave(streams, order))));
}

function handwritten(): Uint8Array[] {
  const encoder = new TestEncoder();
  const head = headers(1, encoder.block(requestFields('/v1/messages')));
  const beginning = Buffer.concat([PREFACE, settings()]);
  const request = (...parts: Uint8Array[]) => ({
    side: 'request' as const,
    bytes: Buffer.concat(parts),
  });
  const response = (...parts: Uint8Array[]) => ({
    side: 'response' as const,
    bytes: Buffer.concat(parts),
  });
  const status = headers(1, new TestEncoder().block([[':status', '200']]));
  const grpc = Buffer.concat([Buffer.from([0]), uint32(3), Buffer.from('abc')]);
  return [
    callsFrom([
      request(beginning, head, frame('DATA', 0, 1, '{}')),
      response(settings(), status, frame('RST_STREAM', 0, 1, uint32(8))),
      response(frame('GOAWAY', 0, 0, Buffer.concat([uint32(1), uint32(0)]))),
    ]),
    // Joined midway: no preface.
    callsFrom([request(head), response(status, frame('DATA', 1, 1, 'data: 1\n\n'))]),
    callsFrom([
      request(
        beginning,
        headers(
          3,
          new TestEncoder().block(requestFields('/a.B/c', [['content-type', 'application/grpc']])),
        ),
        frame('DATA', 1, 3, grpc),
      ),
      response(frame('PUSH_PROMISE', 4, 1, Buffer.concat([uint32(2), integer(2, 7, 0x80)]))),
    ]),
    // Table sizes that change, and indices that nobody has.
    callsFrom([
      request(
        beginning,
        headers(
          1,
          Buffer.concat([
            integer(0, 5, 0x20),
            integer(4096, 5, 0x20),
            integer(200, 7, 0x80),
            text('x'),
          ]),
        ),
      ),
    ]),
  ];
}

/** Changes one frame, and mostly keeps its length true. */
function mutateFrames(bytes: Uint8Array, tools: MutationTools): Uint8Array {
  const { random } = tools;
  const buffer = Buffer.from(bytes);
  const starts: number[] = [];
  let at = PREFACE.equals(buffer.subarray(0, PREFACE.length)) ? PREFACE.length : 0;
  while (at + FRAME_HEAD_BYTES <= buffer.length) {
    starts.push(at);
    at += FRAME_HEAD_BYTES + buffer.readUIntBE(at, 3);
  }
  const start = starts[random.uint32() % Math.max(1, starts.length)];
  if (start === undefined || random.uint32() % 4 === 0) {
    return tools.mutateBytes(bytes);
  }
  const end = Math.min(buffer.length, start + FRAME_HEAD_BYTES + buffer.readUIntBE(start, 3));
  const head = Buffer.from(buffer.subarray(start, start + FRAME_HEAD_BYTES));
  let payload: Uint8Array = buffer.subarray(start + FRAME_HEAD_BYTES, end);
  switch (random.uint32() % 6) {
    case 0:
      head[3] = random.uint32() % 11;
      break;
    case 1:
      head[4] = (head[4] as number) ^ ([1, 4, 8, 32][random.uint32() % 4] as number);
      break;
    case 2:
      head.writeUInt32BE(random.uint32() % 8, 5);
      break;
    default:
      payload = tools.mutateBytes(payload);
      head.writeUIntBE(payload.length, 0, 3);
  }
  const changed = Buffer.concat([head, payload]);
  const copies = random.uint32() % 16 === 0 ? 1 + (random.uint32() % 12) : 1;
  return Buffer.concat([
    buffer.subarray(0, start),
    ...new Array<Buffer>(copies).fill(changed),
    buffer.subarray(end),
  ]);
}

/** Without it the connection is recognised by what its calls begin with, so that cuts matter. */
function hasPreface(calls: readonly InputCall[]): boolean {
  const first = calls[0]?.bytes ?? new Uint8Array(0);
  return calls[0]?.flags === 0 && PREFACE.equals(first.subarray(0, PREFACE.length));
}

export const HTTP2: FuzzTarget = {
  name: 'http2',
  seeds: () => [...handwritten(), ...conversations()],
  mutate: (input, tools) => mutateCalls(input, tools, (bytes) => mutateFrames(bytes, tools)),
  words: [PREFACE, settings(), Buffer.from([0x3f, 0xe1, 0x1f]), Buffer.from([0x40, 0x00])],
  run(input) {
    const calls = decodeCalls(input);
    const whole = observeConnection(eventsOf(calls));
    const split = observeConnection(eventsOf(calls, piecesFor(input)));
    if (isWhole(calls) && hasPreface(calls) && whole.isPlaced) {
      assert.deepEqual(split.account, whole.account, 'cut into records, the calls differ');
    }
  },
};
