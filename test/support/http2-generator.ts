/** Random HTTP/2 conversations: many streams, interleaved frame by frame, with the truth of each exchange. */
import fc from 'fast-check';
import type { Call, Seen, Side } from './http-generator.ts';
import {
  END_HEADERS,
  END_STREAM,
  type Field,
  type FieldForm,
  frame,
  PADDED,
  PREFACE,
  padded,
  settings,
  TestEncoder,
  uint32,
} from './http2-writer.ts';

export interface MessageDescription {
  fields: Field[];
  /** Bodies are sent in these pieces, one DATA frame each. */
  pieces: Uint8Array[];
  padding: number | undefined;
  trailers: Field[] | undefined;
  /** Size of the CONTINUATION frames that the head is cut into. */
  cut: number | undefined;
}

export interface StreamDescription {
  method: string;
  path: string;
  status: number;
  interim: boolean;
  request: MessageDescription;
  response: MessageDescription;
  form: FieldForm;
  isHuffman: boolean;
}

const field = fc.tuple(
  fc.constantFrom('x-a', 'x-b', 'content-language', 'accept'),
  fc.constantFrom('', 'one', 'two words', 'é~|', 'z'.repeat(60)),
);

const message: fc.Arbitrary<MessageDescription> = fc.record({
  fields: fc.array(field, { maxLength: 4 }),
  pieces: fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }),
  padding: fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined, freq: 2 }),
  trailers: fc.option(fc.array(field, { minLength: 1, maxLength: 2 }), { nil: undefined, freq: 2 }),
  cut: fc.option(fc.integer({ min: 4, max: 40 }), { nil: undefined, freq: 2 }),
});

export const streamDescription = (form: fc.Arbitrary<FieldForm>): fc.Arbitrary<StreamDescription> =>
  fc.record({
    method: fc.constantFrom('GET', 'POST', 'PUT'),
    path: fc.constantFrom('/', '/v1/chat/completions', '/a?b=c'),
    status: fc.constantFrom(200, 200, 204, 404, 429, 500),
    interim: fc.boolean(),
    request: message,
    response: message,
    form,
    isHuffman: fc.boolean(),
  });

/** A frame with the stream it belongs to; the frames of one header block are one step. */
export interface Step {
  side: Side;
  streamId: number;
  bytes: Buffer;
  /** First and last step of a message. */
  isFirst: boolean;
  isLast: boolean;
}

interface Encoders {
  request: TestEncoder;
  response: TestEncoder;
}

function blockFrames(id: number, block: Buffer, flags: number, cut: number | undefined): Buffer {
  const size = cut ?? Math.max(1, block.length);
  const parts: Buffer[] = [];
  for (let at = 0; at < block.length || at === 0; at += size) {
    const isLast = at + size >= block.length;
    const own = (at === 0 ? flags : 0) | (isLast ? END_HEADERS : 0);
    parts.push(
      frame(at === 0 ? 'HEADERS' : 'CONTINUATION', own, id, block.subarray(at, at + size)),
    );
  }
  return Buffer.concat(parts);
}

/** The steps of one message, made one after the other: header blocks depend on what was encoded before. */
function* messageSteps(
  side: Side,
  id: number,
  pseudo: Field[],
  stream: StreamDescription,
  encoders: Encoders,
): Generator<Step> {
  const { fields, pieces, padding, trailers, cut } = stream[side];
  const encoder = encoders[side];
  const block = (list: Field[]): Buffer =>
    Buffer.concat(list.map((one) => encoder.field(one, stream.form, stream.isHuffman)));
  const isAlone = pieces.length === 0 && trailers === undefined;
  yield {
    side,
    streamId: id,
    bytes: blockFrames(id, block([...pseudo, ...fields]), isAlone ? END_STREAM : 0, cut),
    isFirst: true,
    isLast: isAlone,
  };
  for (const [index, piece] of pieces.entries()) {
    const isLast = index === pieces.length - 1 && trailers === undefined;
    const flags = (isLast ? END_STREAM : 0) | (padding === undefined ? 0 : PADDED);
    const payload = padding === undefined ? piece : padded(piece, padding);
    yield {
      side,
      streamId: id,
      bytes: frame('DATA', flags, id, payload),
      isFirst: false,
      isLast,
    };
  }
  if (trailers !== undefined) {
    const bytes = blockFrames(id, block(trailers), END_STREAM, cut);
    yield { side, streamId: id, bytes, isFirst: false, isLast: true };
  }
}

function* streamSteps(id: number, stream: StreamDescription, encoders: Encoders): Generator<Step> {
  const number: Field = ['x-number', String(id)];
  const { method, path, status } = stream;
  yield* messageSteps(
    'request',
    id,
    [[':method', method], [':path', path], [':scheme', 'https'], [':authority', 'h'], number],
    stream,
    encoders,
  );
  if (stream.interim) {
    const block = encoders.response.field([':status', '103'], 'plain');
    const bytes = blockFrames(id, block, 0, undefined);
    yield { side: 'response', streamId: id, bytes, isFirst: false, isLast: false };
  }
  yield* messageSteps('response', id, [[':status', String(status)], number], stream, encoders);
}

/** Interleaves the streams as `order` says: each number picks the next stream that goes on. */
export function interleave(
  streams: readonly StreamDescription[],
  order: readonly number[],
  maxOpen = streams.length,
): Step[] {
  const encoders: Encoders = { request: new TestEncoder(), response: new TestEncoder() };
  const waiting = streams.map((stream, index) => streamSteps(index * 2 + 1, stream, encoders));
  const steps: Step[] = [];
  const running: Generator<Step>[] = [];
  for (let turn = 0; waiting.length + running.length > 0; turn += 1) {
    const pick = order[turn % order.length] ?? 0;
    const mayOpen = waiting.length > 0 && running.length < maxOpen;
    if (mayOpen && (running.length === 0 || pick % 3 === 0)) {
      // Ids must be opened in their order: a new stream begins with its request head at once.
      running.push(waiting.shift() as Generator<Step>);
      const first = running.at(-1)?.next();
      if (first && !first.done) {
        steps.push(first.value);
      }
      continue;
    }
    const index = pick % Math.max(1, running.length);
    const next = running[index]?.next();
    if (next?.done) {
      running.splice(index, 1);
    } else if (next) {
      steps.push(next.value);
    }
  }
  return steps;
}

/** A TLS call with the steps that have bytes in it. */
export interface Http2Call extends Call {
  streams: Set<number>;
  /** It begins with a whole frame, by which frames can be recognised. */
  isAligned: boolean;
}

export const BEGINNING: Http2Call[] = [
  {
    side: 'request',
    bytes: Buffer.concat([PREFACE, settings()]),
    streams: new Set(),
    isAligned: true,
  },
  {
    side: 'response',
    bytes: Buffer.concat([settings([[3, 100]]), frame('WINDOW_UPDATE', 0, 0, uint32(9))]),
    streams: new Set(),
    isAligned: true,
  },
];

/** A whole frame, but not an empty one without flags: that looks like zeros before a length. */
function isRecognisable(bytes: Buffer): boolean {
  if (bytes.length < 9) {
    return false;
  }
  const length = bytes.readUIntBE(0, 3);
  const rest = bytes.length - 9 - length;
  const isHead = bytes[3] === 1;
  // One whole frame and less than a header: only a message's head is evidence enough.
  return (rest === 0 || rest >= 9 || (rest > 0 && isHead)) && (length > 0 || bytes[4] !== 0);
}

/** One call a step. */
export function wholeCalls(steps: readonly Step[]): Http2Call[] {
  return [
    ...BEGINNING.map((call) => ({ ...call })),
    ...steps.map(({ side, streamId, bytes }) => ({
      side,
      bytes,
      streams: new Set([streamId]),
      isAligned: isRecognisable(bytes),
    })),
  ];
}

/** Cuts each direction anywhere, in the order of the steps: a call may hold parts of several frames. */
export function cutCalls(steps: readonly Step[], sizes: readonly number[]): Http2Call[] {
  const calls: Http2Call[] = [];
  let turn = 0;
  let last: Http2Call | undefined;
  let room = 0;
  for (const { side, streamId, bytes } of steps) {
    for (let at = 0; at < bytes.length; ) {
      if (last === undefined || last.side !== side || room === 0) {
        room = sizes[turn % sizes.length] ?? 1;
        turn += 1;
        last = { side, bytes: Buffer.alloc(0), streams: new Set(), isAligned: at === 0 };
        calls.push(last);
      }
      const part = bytes.subarray(at, at + room);
      last.bytes = Buffer.concat([last.bytes, part]);
      last.streams.add(streamId);
      room -= part.length;
      at += part.length;
    }
  }
  for (const call of calls) {
    call.isAligned &&= isRecognisable(Buffer.from(call.bytes));
  }
  return [...BEGINNING.map((call) => ({ ...call })), ...calls];
}

export function idOf(one: Seen): number | undefined {
  const number =
    one.exchange.request?.headers.get('x-number') ?? one.exchange.response?.headers.get('x-number');
  return number === undefined ? undefined : Number(number);
}

function regular(fields: readonly Field[], id: number, host?: string): Field[] {
  const front: Field[] = host === undefined ? [] : [['host', host]];
  return [...front, ['x-number', String(id)], ...fields];
}

/** The whole truth of one stream, in the form of `observed`. */
export function truthOf(stream: StreamDescription, id: number): unknown {
  const { request, response } = stream;
  return {
    method: stream.method,
    target: stream.path,
    requestFields: regular(request.fields, id, 'h'),
    requestBody: Buffer.concat(request.pieces).toString('latin1'),
    requestTrailers: request.trailers,
    status: stream.status,
    responseFields: regular(response.fields, id),
    responseBody: Buffer.concat(response.pieces).toString('latin1'),
    responseTrailers: response.trailers,
    complete: [true, true],
  };
}

export function observed(one: Seen): unknown {
  const { request, response } = one.exchange;
  return {
    method: request?.method,
    target: request?.target,
    requestFields: request?.headers.fields,
    requestBody: one.requestBody.toString('latin1'),
    requestTrailers: request?.trailers?.fields,
    status: response?.status,
    responseFields: response?.headers.fields,
    responseBody: one.responseBody.toString('latin1'),
    responseTrailers: response?.trailers?.fields,
    complete: [request?.complete, response?.complete],
  };
}
