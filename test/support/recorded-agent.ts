/** The captured events of an agent that answers a customer, and of the probes of its health; also as a recording. */
import type { CaptureEvent, ConnectionRef } from '../../src/capture/events.ts';
import { createRecordingWriter } from '../../src/capture/recording.ts';
import { createDataEvents } from './data-events.ts';
import { HOST } from './story-pieces.ts';

export const CUSTOMER = 'C-0012345';
/** Credentials of the request: none may be seen anywhere. */
export const SECRET = 'sk-test-0123456789abcdefghijklmnopqrstuvwxyz';

const AGENT = { pid: 10, startNs: 10n };
const CHAT_PATH = '/v1/chat/completions';
const SCRIPT = '/srv/agents/support/agent.mjs';

type Json = Record<string, unknown>;

const TOOLS = [{ type: 'function', function: { name: 'lookup', parameters: {} } }];
const PROMPT = { role: 'user', content: `Where is the order of ${CUSTOMER}? My key is ${SECRET}` };
const CALL = {
  id: 'call_1',
  type: 'function',
  function: { name: 'lookup', arguments: JSON.stringify({ customer: CUSTOMER }) },
};
const ASKS = { role: 'assistant', content: null, tool_calls: [CALL] };
const RESULT = { role: 'tool', tool_call_id: 'call_1', content: `${CUSTOMER} has 2 orders` };

function answer(id: string, message: Json): Json {
  const finish_reason = message.tool_calls === undefined ? 'stop' : 'tool_calls';
  return {
    id,
    model: 'gpt-4o-mini',
    choices: [{ index: 0, finish_reason, message }],
    usage: { prompt_tokens: 100, completion_tokens: 7, total_tokens: 107 },
  };
}

/**
 * Two probes (by prompt, by user agent), then a turn of two calls with a tool call between them. `paths`: what else is
 * asked for during the turn, which is no model call.
 */
export function agentEvents(paths: readonly string[] = []): CaptureEvent[] {
  const connection: ConnectionRef = {
    process: AGENT,
    stack: 'openssl',
    object: 4096,
    generation: 90n,
  };
  const dataOf = createDataEvents(connection);
  let timeNs = 1_000_000n;
  const events: CaptureEvent[] = [
    { ...HOST, timeNs },
    {
      type: 'exec',
      timeNs,
      process: AGENT,
      parent: { pid: 1, startNs: 1n },
      executable: '/usr/bin/node',
      argv: ['node', SCRIPT],
      argvLostBytes: 0,
      uid: 0,
      gid: 0,
      cgroupId: 0n,
      comm: 'node',
    },
  ];

  function send(direction: 'read' | 'write', head: string, body: Json): void {
    const text = JSON.stringify(body);
    const bytes = Buffer.from(
      `${head}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
    );
    timeNs += 1_000_000n;
    events.push(dataOf(direction, bytes, timeNs));
  }

  function exchange(agent: string, request: Json, response: Json, path = CHAT_PATH): void {
    const head = [
      `POST ${path} HTTP/1.1`,
      'host: model.test',
      `user-agent: ${agent}`,
      `authorization: Bearer ${SECRET}`,
    ].join('\r\n');
    send('write', head, { model: 'gpt-4o-mini', ...request });
    send('read', 'HTTP/1.1 200 OK', response);
  }

  const pong = { role: 'assistant', content: 'pong' };
  exchange('node', { messages: [{ role: 'user', content: 'ping' }] }, answer('r0', pong));
  const probe = [{ role: 'user', content: 'Are you there?' }];
  exchange('kube-probe/1.30', { messages: probe }, answer('r1', pong));
  exchange('node', { messages: [PROMPT], tools: TOOLS }, answer('r2', ASKS));
  for (const path of paths) {
    exchange('node', {}, { found: 1 }, path);
  }
  const said = { role: 'assistant', content: `${CUSTOMER}: both orders are on their way.` };
  exchange('node', { messages: [PROMPT, ASKS, RESULT], tools: TOOLS }, answer('r3', said));
  events.push(
    { type: 'exit', timeNs: timeNs + 1_000_000n, process: AGENT, exitCode: 0 },
    { type: 'end', timeNs: timeNs + 2_000_000n },
  );
  return events;
}

/** Writes the events as they are, which only the recorder of a live run may not do. */
export function writeRecording(path: string, events: readonly CaptureEvent[]): void {
  const writer = createRecordingWriter({ path, overwrite: true });
  for (const event of events) {
    writer.write(event);
  }
  writer.close();
}
