/**
 * Model calls over WebSockets. An input: a byte (1: Realtime, otherwise Responses; 2: content kept), then one message
 * each in the form of calls.
 */
import assert from 'node:assert/strict';
import { createLlmSocketStage } from '../../../src/llm/llm-socket-stage.ts';
import { frame, handshake } from '../../support/websocket-wire.ts';
import {
  callsFrom,
  decodeCalls,
  encodeCalls,
  eventsOf,
  type InputCall,
  isWhole,
  mutateCalls,
  type Pieces,
  piecesFor,
  RESPONSE,
} from '../calls-input.ts';
import { observeConnection } from '../connection-witness.ts';
import { checkUsage, createCallLog } from '../model-call-log.ts';
import type { FuzzTarget } from '../target.ts';

const REALTIME = 1;
const CONTENT = 2;
const KEY = Uint8Array.of(0x12, 0x34, 0x56, 0x78);

function observe(flags: number, messages: readonly InputCall[], pieces?: Pieces) {
  const log = createCallLog();
  const path = (flags & REALTIME) === 0 ? '/v1/responses' : '/v1/realtime?model=m';
  const calls = messages.map((message) => {
    const isServer = (message.flags & RESPONSE) !== 0;
    const key = isServer ? {} : { key: KEY };
    return { ...message, bytes: frame({ opcode: 1, payload: message.bytes, ...key }) };
  });
  observeConnection(
    eventsOf([...decodeCalls(callsFrom(handshake(undefined, path))), ...calls], pieces),
    {
      webSocket: createLlmSocketStage({
        observer: log.observer,
        keepContent: (flags & CONTENT) !== 0,
        maxContentBytes: 100,
      }),
    },
  );
  return log;
}

function conversation(flags: number, ...said: readonly (readonly ['>' | '<', object])[]): Buffer {
  const messages = said.map(([side, message]) => ({
    flags: side === '<' ? RESPONSE : 0,
    bytes: Buffer.from(JSON.stringify(message)),
  }));
  return Buffer.concat([Buffer.from([flags]), encodeCalls(messages)]);
}

function seeds(): Uint8Array[] {
  const item = { id: 'i', type: 'message', role: 'assistant' };
  const call = { id: 'f', type: 'function_call', call_id: 'c', name: 'ls', arguments: '{}' };
  const response = { id: 'r', object: 'response', model: 'm', status: 'in_progress' };
  const usage = { input_tokens: 11, output_tokens: 5, total_tokens: 16 };
  const at = { response_id: 'r', item_id: 'i', output_index: 0, content_index: 0 };
  const text = [{ type: 'output_text', text: 'hi' }];
  return [
    conversation(
      CONTENT,
      ['>', { type: 'response.create', model: 'm', input: [{ role: 'user', content: 'x' }] }],
      ['<', { type: 'response.created', sequence_number: 0, response }],
      ['<', { type: 'response.output_item.added', output_index: 0, item }],
      ['<', { type: 'response.output_text.delta', ...at, delta: 'hi' }],
      [
        '<',
        { type: 'response.output_item.done', output_index: 0, item: { ...item, content: text } },
      ],
      ['<', { type: 'response.output_item.done', output_index: 1, item: call }],
      ['<', { type: 'response.completed', response: { ...response, status: 'completed', usage } }],
      ['>', { type: 'response.create', previous_response_id: 'r' }],
      ['<', { type: 'error', error: { type: 'invalid_request_error', message: 'no' } }],
    ),
    conversation(
      REALTIME | CONTENT,
      ['<', { type: 'session.created', session: { type: 'realtime', model: 'm', tools: [] } }],
      ['>', { type: 'session.update', session: { instructions: 'Be kind.' } }],
      ['>', { type: 'conversation.item.create', item: { ...item, role: 'user' } }],
      ['>', { type: 'response.create' }],
      ['<', { type: 'response.created', response: { ...response, conversation_id: 'v' } }],
      ['<', { type: 'response.output_item.added', ...at, item }],
      ['<', { type: 'response.output_audio.delta', ...at, delta: 'UklGRgAA' }],
      ['<', { type: 'response.output_audio_transcript.delta', ...at, delta: 'hi' }],
      ['<', { type: 'response.output_item.done', ...at, item: { ...item, content: text } }],
      ['<', { type: 'response.done', response: { ...response, status: 'cancelled', usage } }],
    ),
  ];
}

export const SOCKET_CALLS: FuzzTarget = {
  name: 'socket-calls',
  seeds,
  mutate(input, tools) {
    const flags = tools.random.uint32() % 16 === 0 ? tools.random.uint32() & 3 : (input[0] ?? 0);
    const other = (): Uint8Array => tools.other().subarray(1);
    return Buffer.concat([
      Buffer.from([flags]),
      mutateCalls(input.subarray(1), { ...tools, other }),
    ]);
  },
  words: [
    '{"type":"response.',
    '"response_id":"',
    '"output_index":1',
    '"usage":{',
    'null',
    '1e400',
  ],
  run(input) {
    const flags = input[0] ?? 0;
    const messages = decodeCalls(input.subarray(1));
    const whole = observe(flags, messages);
    const split = observe(flags, messages, piecesFor(input));
    whole.check();
    checkUsage(whole.calls);
    if (isWhole(messages)) {
      assert.deepEqual(split.account(), whole.account(), 'cut into records, another call');
    }
  },
};
