/**
 * Model calls over a WebSocket, as OpenAI's services take them: the responses API and the Realtime API. Frames are
 * those of the `ws` package; what is said comes from the same plans as over HTTP.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { StreamEvent } from './answer.ts';
import { type ExchangeTruth, emptyAnswer } from './exchange-truth.ts';
import { isRecord, type Json, records } from './json-value.ts';
import { planModelResponse } from './model-endpoint.ts';
import { realtimeEvents } from './openai-realtime.ts';
import { headerOf, type IncomingRequest } from './request-reader.ts';
import type { ResponsePlan } from './response-plan.ts';
import type { Scenario } from './scenario.ts';

/** What the truth of a response on a socket has of its own. */
export type SocketTruth = Omit<
  ExchangeTruth,
  'connection' | 'tls' | 'serverPort' | 'clientPort' | 'epochOffsetNs'
>;

export interface SocketContext {
  serverSeed: number;
  defaultScenario: Scenario;
  nextScripted: () => Scenario | undefined;
  /** Gives the number of an exchange that begins. */
  beginExchange(): number;
  endExchange(truth: SocketTruth): void;
}

/** Audio messages of the client that the server takes for an utterance. */
const UTTERANCE_MESSAGES = 5;

export function isSocketRequest(request: IncomingRequest): boolean {
  const isUpgrade = headerOf(request.headers, 'upgrade')?.toLowerCase() === 'websocket';
  return isUpgrade && /\/(?:responses|realtime)$/.test(pathOf(request));
}

function pathOf(request: IncomingRequest): string {
  return new URL(request.target, 'http://localhost').pathname;
}

/** Resolves when the socket is closed. */
export async function serveSocket(
  socket: Duplex,
  request: IncomingRequest,
  head: Buffer,
  context: SocketContext,
): Promise<void> {
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: { threshold: 0 },
    maxPayload: 2 ** 28,
  });
  const headers = Object.fromEntries(
    request.headers.map(([name, value]) => [name.toLowerCase(), value]),
  );
  const message = { method: request.method, headers, url: request.target } as IncomingMessage;
  await new Promise<void>((resolve) => {
    server.handleUpgrade(message, socket, head, (webSocket) => {
      webSocket.on('close', () => resolve());
      webSocket.on('error', () => webSocket.terminate());
      if (pathOf(request).endsWith('/realtime')) {
        serveRealtime(webSocket, request, context);
      } else {
        serveResponses(webSocket, request, context);
      }
    });
  });
}

interface Asked {
  body: Json;
  /** Of the message that asked for it, or of the moment the server began it itself. */
  atNs: bigint;
  messageBytes: number;
}

/** Takes messages one after the other, each when the one before it is dealt with. */
function inOrder(webSocket: WebSocket, take: (message: Json, asked: Asked) => Promise<void>): void {
  let last = Promise.resolve();
  webSocket.on('message', (data: Buffer) => {
    const atNs = process.hrtime.bigint();
    const message: unknown = JSON.parse(data.toString('utf8'));
    if (isRecord(message)) {
      last = last.then(() => take(message, { body: message, atNs, messageBytes: data.length }));
    }
  });
}

function send(webSocket: WebSocket, message: unknown): Promise<boolean> {
  return new Promise((resolve) => {
    webSocket.send(JSON.stringify(message), (error) => resolve(!error));
  });
}

function serveResponses(
  webSocket: WebSocket,
  request: IncomingRequest,
  context: SocketContext,
): void {
  let ordinal = 0;
  /** Everything said up to the end of a response, by its id: a later request repeats none of it. */
  const histories = new Map<unknown, unknown[]>();
  inOrder(webSocket, async (message, asked) => {
    if (message.type !== 'response.create') {
      return;
    }
    const text = typeof message.input === 'string' ? message.input : undefined;
    const own = text === undefined ? records(message.input) : [{ role: 'user', content: text }];
    const input = [...(histories.get(message.previous_response_id) ?? []), ...own];
    if (message.generate === false) {
      // Prepares the server: a response with nothing in it.
      const response = { id: `resp_prepared_${ordinal}`, object: 'response', output: [] };
      histories.set(response.id, input);
      await send(webSocket, { type: 'response.created', response });
      await send(webSocket, { type: 'response.completed', response: { ...response, usage: null } });
      return;
    }
    ordinal += 1;
    const said = { ...asked, body: { ...message, input } };
    await answer(webSocket, request, 'openai.responses', ordinal - 1, said, context, (events) => {
      const last = events.at(-1)?.data;
      const response = isRecord(last) && isRecord(last.response) ? last.response : {};
      histories.set(response.id, [...input, ...records(response.output)]);
      return [...events];
    });
  });
}

function serveRealtime(
  webSocket: WebSocket,
  request: IncomingRequest,
  context: SocketContext,
): void {
  const query = new URL(request.target, 'http://localhost').searchParams;
  let session: Json = { model: query.get('model') ?? undefined, output_modalities: ['audio'] };
  let items: Json[] = [];
  let ordinal = 0;
  let audioMessages = 0;

  async function respond(own: Json, asked: Omit<Asked, 'body'>): Promise<void> {
    const input = Array.isArray(own.input) ? own.input : items;
    const body = { ...session, ...own, input, stream: true };
    ordinal += 1;
    const said = { ...asked, body };
    await answer(webSocket, request, 'openai.realtime', ordinal - 1, said, context, (events) =>
      realtimeEvents(events, own.conversation === 'none' ? null : 'conv_1'),
    );
  }

  void send(webSocket, { type: 'session.created', event_id: 'event_0', session });
  void send(webSocket, { type: 'conversation.created', conversation: { id: 'conv_1' } });
  inOrder(webSocket, async (message, asked) => {
    switch (message.type) {
      case 'session.update':
        session = { ...session, ...(isRecord(message.session) ? message.session : {}) };
        await send(webSocket, { type: 'session.updated', session });
        break;
      case 'conversation.item.create': {
        const item = isRecord(message.item) ? message.item : {};
        items = [...items, item];
        const added = { ...item, id: `item_${items.length}`, status: 'completed' };
        await send(webSocket, { type: 'conversation.item.added', item: added });
        await send(webSocket, { type: 'conversation.item.done', item: added });
        break;
      }
      case 'response.create':
        await respond(isRecord(message.response) ? message.response : {}, asked);
        break;
      case 'input_audio_buffer.append': {
        audioMessages += 1;
        if (audioMessages % UTTERANCE_MESSAGES !== 0) {
          break;
        }
        const content = [{ type: 'input_audio', transcript: null }];
        items = [...items, { type: 'message', role: 'user', content }];
        const id = `item_${items.length}`;
        await send(webSocket, { type: 'input_audio_buffer.speech_stopped', item_id: id });
        await send(webSocket, { type: 'input_audio_buffer.committed', item_id: id });
        await respond({}, { ...asked, atNs: process.hrtime.bigint() });
        break;
      }
      default:
    }
  });
}

/** Sends one response, and notes what was really sent. */
async function answer(
  webSocket: WebSocket,
  request: IncomingRequest,
  api: 'openai.responses' | 'openai.realtime',
  ordinal: number,
  asked: Asked,
  context: SocketContext,
  shape: (events: readonly StreamEvent[]) => StreamEvent[],
): Promise<void> {
  const exchange = context.beginExchange();
  const plan = planModelResponse({
    api: 'openai.responses',
    body: Buffer.from(JSON.stringify({ ...asked.body, stream: true })),
    scenarioHeader: headerOf(request.headers, 'x-scenario'),
    nextScripted: context.nextScripted,
    defaultScenario: context.defaultScenario,
    serverSeed: context.serverSeed,
    exchange,
  });
  const events = plan.events === undefined ? [refusal(plan)] : shape(plan.events);
  const { fail, intervalMs } = plan.scenario;
  const firstByteNs = process.hrtime.bigint();
  let sent = 0;
  let wireBytes = 0;
  let isCut = false;
  for (const event of events) {
    isCut = fail !== undefined && fail.how !== 'error-event' && sent === fail.afterEvents;
    if (isCut) {
      break;
    }
    if (intervalMs !== undefined && sent > 0) {
      await new Promise((resolve) => setTimeout(resolve, intervalMs));
    }
    if (!(await send(webSocket, event.data))) {
      isCut = true;
      break;
    }
    event.effect?.();
    sent += 1;
    wireBytes += JSON.stringify(event.data).length;
  }
  if (api === 'openai.realtime') {
    // Its usage does not tell them.
    delete plan.answer?.usage.reasoningOutputTokens;
  }
  const truth: SocketTruth = {
    exchange,
    ordinal,
    ...(plan.scenario.label === undefined ? {} : { label: plan.scenario.label }),
    api: 'openai.responses',
    socketApi: api,
    request: {
      method: request.method,
      target: request.target,
      headers: [],
      bodyBytes: asked.messageBytes,
      bodySha256: '',
      wireBytes: asked.messageBytes,
      firstByteNs: String(asked.atNs),
      lastByteNs: String(asked.atNs),
      stream: true,
      messages: records(asked.body.input).length,
      toolResults: plan.view?.toolResults ?? [],
      ...(typeof asked.body.model === 'string' ? { model: asked.body.model } : {}),
    },
    response: {
      status: plan.status,
      headers: [],
      interim: [],
      encoding: 'identity',
      transfer: 'none',
      bodyBytes: wireBytes,
      bodySha256: '',
      decodedBytes: wireBytes,
      decodedSha256: '',
      wireBytes,
      events: sent,
      firstByteNs: String(firstByteNs),
      lastByteNs: String(process.hrtime.bigint()),
      complete: !isCut,
    },
    answer: plan.answer ?? emptyAnswer(),
    clientEnd: 'open',
  };
  context.endExchange(truth);
  if (isCut) {
    webSocket.terminate();
  }
}

/** An error instead of a response. */
function refusal(plan: ResponsePlan): StreamEvent {
  const piece = plan.pieces[0];
  const body = JSON.parse(piece?.bytes.toString('utf8') ?? '{}') as Json;
  const event: StreamEvent = {
    data: { type: 'error', event_id: 'event_error', status: plan.status, error: body.error },
  };
  if (piece?.effect !== undefined) {
    event.effect = piece.effect;
  }
  return event;
}
