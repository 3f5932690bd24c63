/** A process that becomes another program: its connections end there, and what was on them is the first one's. */
import assert from 'node:assert/strict';
import type { CaptureEvent, ConnectionRef } from '../../../src/capture/events.ts';
import { createPipeline, type Pipeline } from '../../../src/pipeline.ts';
import { createCounters } from '../../../src/self/counters.ts';
import type { StoryPiece } from '../../../src/session/story.ts';

const PROCESS = { pid: 10, startNs: 10n };
const PARENT = { pid: 1, startNs: 1n };
const CONNECTION: ConnectionRef = {
  process: PROCESS,
  stack: 'openssl',
  object: 4096,
  generation: 90n,
};

function openPipeline(onPiece: (piece: StoryPiece) => void): Pipeline {
  return createPipeline(
    {
      streamTimeoutNs: 300_000_000_000n,
      turnTimeoutNs: 600_000_000_000n,
      keepContent: false,
      maxContentBytes: 65_536,
      limits: { transport: {}, http: {}, llm: {}, process: {}, session: {} },
    },
    { host: () => {}, piece: onPiece },
    createCounters(),
  );
}

function execOf(name: string, timeNs: bigint): CaptureEvent {
  return {
    type: 'exec',
    timeNs,
    process: PROCESS,
    parent: PARENT,
    executable: `/bin/${name}`,
    argv: [name],
    argvLostBytes: 0,
    uid: 0,
    gid: 0,
    cgroupId: 0n,
    comm: name,
  };
}

function dataOf(direction: 'read' | 'write', timeNs: bigint, text: string): CaptureEvent {
  const bytes = Buffer.from(text);
  return {
    type: 'data',
    timeNs,
    enterNs: timeNs - 1n,
    tid: PROCESS.pid,
    connection: CONNECTION,
    direction,
    position: 0,
    callBytes: bytes.length,
    callOffset: 0,
    sequence: 0,
    bytes,
  };
}

describe('an exec in the middle of an answer that lasts until the connection ends', () => {
  it('gives the call out at once, under the name of the program that made it', () => {
    const pieces: StoryPiece[] = [];
    const programs: (readonly string[] | undefined)[] = [];
    const pipeline = openPipeline((piece) => {
      pieces.push(piece);
      // A process goes on changing: what counts is what it was when the piece came out.
      programs.push(piece.workload.root.programs.at(-1)?.argv);
    });
    const host = { bootId: 'b', hostName: 'h', arch: 'x64', osDescription: 'o', clockOffsetNs: 0n };
    pipeline.push({ type: 'host', timeNs: 90n, ...host });
    pipeline.push(execOf('first-agent', 100n));
    const asked = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'Hi' }] });
    const answered = JSON.stringify({
      id: 'r1',
      model: 'm',
      choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'x' } }],
    });
    const head = 'POST /v1/chat/completions HTTP/1.1\r\nhost: model.test\r\n';
    const length = `content-length: ${Buffer.byteLength(asked)}\r\n\r\n`;
    pipeline.push(
      dataOf('write', 110n, `${head}content-type: application/json\r\n${length}${asked}`),
    );
    const answerHead = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n';
    pipeline.push(dataOf('read', 120n, `${answerHead}${answered}`));
    assert.equal(pieces.length, 0, 'the answer lasts until the connection ends');

    pipeline.push(execOf('second-program', 130n));

    const [call] = pieces.filter((piece) => piece.kind === 'call');
    assert.ok(call !== undefined, 'the call waits although its connection is gone');
    assert.equal(call.workload.name, 'first-agent');
    assert.deepEqual(programs[pieces.indexOf(call)], ['first-agent']);
    pipeline.push({ type: 'exit', timeNs: 140n, process: PROCESS, exitCode: 0 });
    pipeline.push({ type: 'end', timeNs: 150n });
    assert.equal(pieces.filter((piece) => piece.kind === 'call').length, 1);
  });
});
