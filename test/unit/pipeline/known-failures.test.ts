/** Failures of whole model calls and sessions that observers of this kind are known for, each held off by a test of its name. */
import assert from 'node:assert/strict';
import type { CaptureEvent } from '../../../src/capture/events.ts';
import { createPipeline } from '../../../src/pipeline.ts';
import { createCounters } from '../../../src/self/counters.ts';
import type { StoryPiece } from '../../../src/session/story.ts';
import { CONNECTION, callsOf, captureEvents } from '../../support/http-generator.ts';

const { process } = CONNECTION;
const HOST = { bootId: 'b', hostName: 'h', arch: 'x64', osDescription: 'o', clockOffsetNs: 0n };

function postOf(content: string): string {
  const body = JSON.stringify({
    model: 'm',
    stream: true,
    stream_options: { include_usage: true },
    messages: [{ role: 'user', content }],
  });
  return `>POST /v1/chat/completions HTTP/1.1\r\nHost: model.test\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** The texts of an answer's TLS calls: its head, and each event as a chunk of its own. */
function answerOf(events: readonly string[]): string[] {
  const head =
    '<HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
  const chunks = events.map((event) => {
    const text = `data: ${event}\n\n`;
    return `<${text.length.toString(16)}\r\n${text}\r\n`;
  });
  return [head, ...chunks];
}

function eventsOf(content: string, promptTokens: number): string[] {
  const chunk = (delta: object, finish_reason: string | null) => ({
    id: 'r',
    model: 'm-1',
    choices: [{ index: 0, delta, finish_reason }],
  });
  const usage = {
    prompt_tokens: promptTokens,
    completion_tokens: 7,
    total_tokens: promptTokens + 7,
  };
  return [
    chunk({ role: 'assistant', content: '' }, null),
    chunk({ content }, null),
    chunk({}, 'stop'),
    { id: 'r', model: 'm-1', choices: [], usage },
  ].map((event) => JSON.stringify(event));
}

/** What comes out of a program that talks as given and exits, with its connection open. */
function piecesOf(texts: readonly string[]): StoryPiece[] {
  const pieces: StoryPiece[] = [];
  const pipeline = createPipeline(
    {
      streamTimeoutNs: 300_000_000_000n,
      turnTimeoutNs: 600_000_000_000n,
      keepContent: true,
      maxContentBytes: 65_536,
      limits: { transport: {}, http: {}, llm: {}, process: {}, session: {} },
    },
    { host: () => {}, piece: (piece) => pieces.push(piece) },
    createCounters(),
  );
  const events: CaptureEvent[] = captureEvents(callsOf(...texts), { close: false });
  const end = events.pop() as CaptureEvent;
  pipeline.push({ type: 'host', timeNs: 1_500n, ...HOST });
  pipeline.push({
    type: 'exec',
    timeNs: 2_000n,
    process,
    parent: { pid: 1, startNs: 1n },
    executable: '/bin/agent',
    argv: ['agent'],
    argvLostBytes: 0,
    uid: 0,
    gid: 0,
    cgroupId: 0n,
    comm: 'agent',
  });
  for (const event of events) {
    pipeline.push(event);
  }
  pipeline.push({ type: 'exit', timeNs: end.timeNs, process, exitCode: 0 });
  pipeline.push({ ...end, timeNs: end.timeNs + 1n });
  return pieces;
}

function callsIn(pieces: readonly StoryPiece[]) {
  return pieces.flatMap((piece) => (piece.kind === 'call' ? [piece.call] : []));
}

describe('known failures of others, in whole calls', () => {
  it('4. the final turn of a session is there, although its process exits at once', () => {
    const turns = [1, 2, 3, 4, 5];
    const pieces = piecesOf(
      turns.flatMap((turn) => [
        postOf(`question ${turn}`),
        ...answerOf([...eventsOf(`answer ${turn}`, turn), '[DONE]']),
        '<0\r\n\r\n',
      ]),
    );
    assert.deepEqual(
      callsIn(pieces).map(({ complete, response }) => [complete, response?.usage.inputTokens]),
      turns.map((turn) => [true, turn]),
    );
  });

  it('4. the final answer ends with the process, before its last chunk', () => {
    const pieces = piecesOf([
      postOf('question'),
      ...answerOf([...eventsOf('answer', 3), '[DONE]']),
    ]);
    const [call] = callsIn(pieces);
    assert.equal(call?.complete, true);
    assert.equal(call?.response?.usage.inputTokens, 3);
  });

  it('4. an OpenAI stream without [DONE] has its text, finish reason and tokens', () => {
    const [call] = callsIn(
      piecesOf([postOf('question'), ...answerOf(eventsOf('answer', 3)), '<0\r\n\r\n']),
    );
    assert.deepEqual(call?.response?.finishReasons, ['stop']);
    assert.equal(call?.response?.usage.inputTokens, 3);
    assert.equal(call?.response?.usage.outputTokens, 7);
    assert.equal(call?.complete, true);
  });

  it('4. a stream that breaks off without a finish reason is not taken for whole', () => {
    const [call] = callsIn(
      piecesOf([postOf('question'), ...answerOf(eventsOf('answer', 3).slice(0, 2))]),
    );
    assert.equal(call?.complete, false);
    assert.equal(call?.response?.usage.inputTokens, undefined);
    assert.equal(call?.damage.any, true);
  });
});
