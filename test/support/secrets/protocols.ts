/** The conversations that carry credentials, over protocols other than HTTP/1.1. */
import assert from 'node:assert/strict';
import {
  type Field,
  frame,
  headers,
  PREFACE,
  requestFields,
  settings,
  TestEncoder,
} from '../http2-writer.ts';
import { planModelResponse } from '../model-server/model-endpoint.ts';
import { realtimeEvents } from '../model-server/openai-realtime.ts';
import { type Said, socketCalls } from '../socket-conversation.ts';
import { handshake } from '../websocket-wire.ts';
import type { Conversation } from './conversations.ts';
import type { PlantedSecret } from './corpus.ts';

const END_STREAM = 1;

interface Message {
  startLine: string;
  fields: Field[];
  body: Buffer[];
}

/** The same exchange over HTTP/2, each chunk a DATA frame, others of `frameBytes`. */
export function overHttp2({ request, response }: Conversation, frameBytes: number): Conversation {
  const asked = readMessage(request);
  const answered = readMessage(response);
  const path = asked.startLine.split(' ')[1] ?? '/';
  const status = answered.startLine.split(' ')[1] ?? '200';
  return {
    request: Buffer.concat([
      Buffer.from(PREFACE),
      settings(),
      headers(1, new TestEncoder().block(requestFields(path, asked.fields))),
      ...dataFrames(asked.body, frameBytes),
    ]),
    response: Buffer.concat([
      settings(),
      headers(1, new TestEncoder().block([[':status', status], ...answered.fields])),
      ...dataFrames(answered.body, frameBytes),
    ]),
  };
}

function dataFrames(parts: readonly Buffer[], frameBytes: number): Buffer[] {
  const frames: Buffer[] = [];
  for (const part of parts) {
    for (let at = 0; at < part.length; at += frameBytes) {
      frames.push(frame('DATA', 0, 1, part.subarray(at, at + frameBytes)));
    }
  }
  return [...frames, frame('DATA', END_STREAM, 1)];
}

/** Without the fields that frame it: HTTP/2 has others. */
function readMessage(bytes: Buffer): Message {
  const headEnd = bytes.indexOf('\r\n\r\n');
  const [startLine = '', ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n');
  const fields = lines.map((line): Field => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  const rest = bytes.subarray(headEnd + 4);
  const isChunked = fields.some(([name]) => name === 'transfer-encoding');
  return {
    startLine,
    fields: fields.filter(([name]) => !/^(?:transfer-encoding|connection|host)$/.test(name)),
    body: isChunked ? chunksOf(rest) : [rest],
  };
}

function chunksOf(bytes: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 4 + size;
  }
  return chunks;
}

export interface SocketShape {
  isRealtime: boolean;
  isDeflating: boolean;
  /** Messages that each text comes in. */
  deltas: number;
  seed: number;
}

/** One response over a WebSocket, with the credential in what is asked and in what is answered. */
export function converseOverSocket(planted: PlantedSecret, shape: SocketShape): Conversation {
  const text = planted.text.replaceAll('\\n', '\n');
  const content = [{ type: 'input_text', text: `Here: ${text}` }];
  const item = { type: 'message', role: 'user', content };
  const plan = planModelResponse({
    api: 'openai.responses',
    body: Buffer.from(JSON.stringify({ model: 'gpt-5', stream: true, input: [item] })),
    scenarioHeader: undefined,
    nextScripted: () => ({
      text: `You said ${text}, did you?`,
      toolCalls: [{ name: 'sh', arguments: { command: `echo ${text}`, note: text } }],
      deltas: shape.deltas,
    }),
    defaultScenario: {},
    serverSeed: shape.seed,
    exchange: shape.seed,
  });
  assert.ok(plan.events);
  const events = shape.isRealtime ? realtimeEvents(plan.events, 'conv_1') : plan.events;
  const said: Said[] = [
    ...(shape.isRealtime
      ? ([
          ['client', { type: 'conversation.item.create', item }],
          ['client', { type: 'response.create' }],
        ] as const)
      : ([['client', { type: 'response.create', model: 'gpt-5', input: [item] }]] as const)),
    ...events.map((event): Said => ['server', event.data as object]),
  ];
  const path = shape.isRealtime ? '/v1/realtime?model=gpt-5' : '/v1/responses';
  const opening = handshake(shape.isDeflating ? 'permessage-deflate' : undefined, path);
  const calls = socketCalls(said, shape.isDeflating);
  const bytesOf = (side: 'request' | 'response', from: typeof calls) =>
    Buffer.concat(from.filter((call) => call.side === side).map(({ bytes }) => bytes));
  return {
    request: bytesOf('request', calls),
    response: bytesOf('response', calls),
    opening: { request: bytesOf('request', opening), response: bytesOf('response', opening) },
  };
}
