/**
 * Streamed model calls as capture events, drawn from a seed: what a probe sees of agents that stream from OpenAI and
 * Anthropic over HTTP/1.1, one TLS record an event, many connections at once. The bytes come from the tests' model
 * server, which also says what was really in them.
 */
import type {
  CaptureEvent,
  ConnectionRef,
  DataEvent,
  Direction,
  ProcessRef,
} from '../../src/capture/events.ts';
import type { AnswerTruth, WireApi } from '../../test/support/model-server/exchange-truth.ts';
import { planModelResponse } from '../../test/support/model-server/model-endpoint.ts';
import { createRandom, type Random, seedOf } from '../../test/support/model-server/random.ts';
import type { Scenario } from '../../test/support/model-server/scenario.ts';
import { prose } from './prose.ts';

export interface StreamedCallsOptions {
  seed: number;
  /** Open at the same time, each in a process of its own. */
  connections: number;
  /** One after the other on each connection; both wire APIs take turns over the connections. */
  exchangesPerConnection: number;
  /** Deltas of an answer; one in four is a tool call, whose arguments are cut into as many. */
  deltas: number;
  /** Of the conversation that each request carries. */
  requestWords: number;
}

export interface StreamedCall {
  api: WireApi;
  truth: AnswerTruth;
}

export interface StreamedCalls {
  /** In the order of their times, `host` first and `end` last. */
  events: CaptureEvent[];
  dataEvents: number;
  /** Of the streams, `[DONE]` included: what an observer has to look into. */
  sseEvents: number;
  /** Plaintext in both directions. */
  bytes: number;
  calls: StreamedCall[];
}

/** As in live capture: payloads are views into slabs that many records share. */
const SLAB_BYTES = 262_144;
const BEGIN_NS = 5_000_000_000_000n;
/** 500 streams of 50 events a second are an event every 40 µs. */
const EVENT_INTERVAL_NS = 40_000n;
/** Between the entry and the return of a TLS call. */
const CALL_NS = 9_000n;

/** One TLS call of a connection. */
interface Call {
  direction: Direction;
  bytes: Buffer;
}

export function makeStreamedCalls(options: StreamedCallsOptions): StreamedCalls {
  const slabs = createSlabs();
  const lanes: { ref: ConnectionRef; calls: Call[]; next: number; read: number; write: number }[] =
    [];
  const result: StreamedCalls = { events: [], dataEvents: 0, sseEvents: 0, bytes: 0, calls: [] };
  result.events.push(host());
  let exchange = 0;
  for (let lane = 0; lane < options.connections; lane += 1) {
    const process: ProcessRef = { pid: 1000 + lane, startNs: BEGIN_NS - BigInt(lane) };
    result.events.push(snapshot(process));
    const calls: Call[] = [];
    for (let index = 0; index < options.exchangesPerConnection; index += 1) {
      exchange += 1;
      const made = makeExchange(options, lane, exchange);
      calls.push(...made.calls);
      result.sseEvents += made.sseEvents;
      result.calls.push(made.call);
    }
    const ref: ConnectionRef = {
      process,
      stack: 'openssl',
      object: 0x7f00_0000_0000 + lane * 0x4000,
      generation: BEGIN_NS + BigInt(lane),
    };
    lanes.push({ ref, calls, next: 0, read: 0, write: 0 });
  }

  const random = createRandom(seedOf(options.seed, 'interleaving'));
  let timeNs = BEGIN_NS + 1_000_000n;
  let open = [...lanes];
  while (open.length > 0) {
    const lane = open[random.int(0, open.length - 1)]!;
    const call = lane.calls[lane.next]!;
    const position = call.direction === 'read' ? lane.read : lane.write;
    timeNs += EVENT_INTERVAL_NS;
    const event: DataEvent = {
      type: 'data',
      timeNs,
      enterNs: timeNs - CALL_NS,
      tid: lane.ref.process.pid,
      connection: lane.ref,
      direction: call.direction,
      position,
      callBytes: call.bytes.length,
      callOffset: 0,
      sequence: lane.next,
      bytes: slabs.place(call.bytes),
    };
    result.events.push(event);
    result.dataEvents += 1;
    result.bytes += call.bytes.length;
    lane[call.direction] = position + call.bytes.length;
    lane.next += 1;
    if (lane.next === lane.calls.length) {
      result.events.push({
        type: 'close',
        timeNs,
        connection: lane.ref,
        readPosition: lane.read,
        writePosition: lane.write,
      });
      open = open.filter((other) => other !== lane);
    }
  }
  result.events.push({ type: 'end', timeNs: timeNs + EVENT_INTERVAL_NS });
  return result;
}

function makeExchange(
  options: StreamedCallsOptions,
  lane: number,
  exchange: number,
): { calls: Call[]; sseEvents: number; call: StreamedCall } {
  const random = createRandom(seedOf(options.seed, exchange, 'exchange'));
  const api: WireApi = lane % 2 === 0 ? 'openai.chat_completions' : 'anthropic.messages';
  const body = Buffer.from(JSON.stringify(requestBody(api, random, options.requestWords)));
  const plan = planModelResponse({
    api,
    body,
    scenarioHeader: undefined,
    nextScripted: () => undefined,
    defaultScenario: scenarioOf(random, options.deltas, exchange),
    serverSeed: options.seed,
    exchange,
  });
  if (plan.status !== 200 || !plan.isStream || plan.answer === undefined) {
    throw new Error(`the model server planned no stream but status ${plan.status}`);
  }
  const calls: Call[] = [
    { direction: 'write', bytes: requestHead(api, body.length) },
    { direction: 'write', bytes: body },
    { direction: 'read', bytes: responseHead(plan.headers) },
  ];
  for (const piece of plan.pieces) {
    calls.push({ direction: 'read', bytes: chunk(piece.bytes) });
    piece.effect?.();
  }
  calls.push({ direction: 'read', bytes: Buffer.from('0\r\n\r\n') });
  return { calls, sseEvents: plan.pieces.length, call: { api, truth: plan.answer } };
}

function scenarioOf(random: Random, deltas: number, exchange: number): Scenario {
  const seed = random.uint32();
  // A token is about four characters, two of three words a token and a half.
  const words = Math.ceil(deltas * 0.7);
  if (exchange % 4 !== 0) {
    return { seed, deltas, text: prose(random, words) };
  }
  const written = { path: `src/file-${exchange}.ts`, content: prose(random, words) };
  return { seed, deltas, toolCalls: [{ name: 'write_file', arguments: written }] };
}

function requestBody(api: WireApi, random: Random, words: number): object {
  const turns = 8;
  const messages = Array.from({ length: turns + 1 }, (_, index) => ({
    role: index % 2 === 0 ? 'user' : 'assistant',
    content: prose(random, Math.ceil(words / (turns + 1))),
  }));
  return api === 'anthropic.messages'
    ? { model: 'claude-sonnet-4-5', max_tokens: 8192, stream: true, messages }
    : { model: 'gpt-4o', stream: true, stream_options: { include_usage: true }, messages };
}

function requestHead(api: WireApi, bodyBytes: number): Buffer {
  const isAnthropic = api === 'anthropic.messages';
  return head([
    `POST ${isAnthropic ? '/v1/messages' : '/v1/chat/completions'} HTTP/1.1`,
    `Host: ${isAnthropic ? 'api.anthropic.com' : 'api.openai.com'}`,
    'Accept: application/json',
    'Content-Type: application/json',
    'User-Agent: OpenAI/Python 1.0.0',
    isAnthropic
      ? 'x-api-key: sk-ant-api03-0123456789abcdefghij'
      : 'Authorization: Bearer sk-proj-0123456789abcdefghij',
    'Accept-Encoding: identity',
    'Connection: keep-alive',
    `Content-Length: ${bodyBytes}`,
  ]);
}

function responseHead(headers: readonly [string, string][]): Buffer {
  return head([
    'HTTP/1.1 200 OK',
    'Date: Fri, 21 Nov 2025 10:00:00 GMT',
    ...headers.map(([name, value]) => `${name}: ${value}`),
    'transfer-encoding: chunked',
    'connection: keep-alive',
    'strict-transport-security: max-age=31536000; includeSubDomains; preload',
    'x-content-type-options: nosniff',
    'server: cloudflare',
    'alt-svc: h3=":443"; ma=86400',
  ]);
}

function head(lines: readonly string[]): Buffer {
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

function chunk(bytes: Buffer): Buffer {
  const size = Buffer.from(`${bytes.length.toString(16)}\r\n`, 'latin1');
  return Buffer.concat([size, bytes, Buffer.from('\r\n')]);
}

/** Copies payloads one behind the other, as the kernel's ring has them. */
function createSlabs(): { place(bytes: Buffer): Uint8Array } {
  let slab = new Uint8Array(SLAB_BYTES);
  let used = 0;
  return {
    place(bytes) {
      if (used + bytes.length > slab.length) {
        slab = new Uint8Array(Math.max(SLAB_BYTES, bytes.length));
        used = 0;
      }
      slab.set(bytes, used);
      const view = slab.subarray(used, used + bytes.length);
      // Records begin at multiples of 8.
      used += (bytes.length + 7) & ~7;
      return view;
    },
  };
}

function host(): CaptureEvent {
  return {
    type: 'host',
    timeNs: BEGIN_NS,
    bootId: '6f1c2f0e-7d7b-4f57-9a5e-0f5f6e0c1b2a',
    hostName: 'bench',
    arch: 'amd64',
    osDescription: 'Linux',
    clockOffsetNs: 1_700_000_000_000_000_000n,
  };
}

function snapshot(process: ProcessRef): CaptureEvent {
  return {
    type: 'snapshot',
    timeNs: BEGIN_NS,
    process,
    parent: { pid: 1, startNs: 1n },
    executable: '/usr/bin/python3.11',
    argv: ['python3', 'agent.py'],
    uid: 1000,
    gid: 1000,
    comm: 'python3',
  };
}
