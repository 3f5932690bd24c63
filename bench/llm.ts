/**
 * How fast the llm stage reads model calls: events and bytes a second of decoded bodies, one core.
 * `npx tsx bench/llm.ts [SECONDS]`. Prints a table; each row is the median of its rounds. The rows of one run can
 * be compared with one another; between machines only their ratios can.
 */
import { type Exchange, Headers } from '../src/http/exchange.ts';
import { createSseDecoder } from '../src/http/sse-decoder.ts';
import { createLlmStage } from '../src/llm/llm-stage.ts';
import type { ModelCall } from '../src/llm/model-call.ts';
import { Damage } from '../src/util/damage.ts';

const SECONDS_PER_ROW = Number(process.argv[2] ?? 2);
/** What a TLS record can hold, and so what one read mostly gives. */
const READ_BYTES = 16_384;

interface Workload {
  name: string;
  target: string;
  request: string;
  contentType: string;
  response: string;
  events: number;
  /** Bytes a read gives; a stream's events mostly come one by one. */
  readBytes: number;
  check(call: ModelCall): boolean;
}

const WORDS = [
  'The',
  ' quick',
  ' brown',
  ' fox',
  ' jumps',
  ' "over"',
  ' the',
  ' lazy',
  ' dog',
  '.\n',
  ' é',
];

function word(index: number): string {
  return WORDS[index % WORDS.length]!;
}

function openAiStream(count: number, padding: boolean): string {
  const head = {
    id: 'chatcmpl-BxVqnSWJ0a1c2e3g4i5k6m7o8',
    object: 'chat.completion.chunk',
    created: 1_763_700_000,
    model: 'gpt-4o-2024-08-06',
    service_tier: 'default',
    system_fingerprint: 'fp_50cad350e4',
  };
  const events: object[] = [];
  for (let index = 0; index < count - 2; index++) {
    const choice = {
      index: 0,
      delta: { content: word(index) },
      logprobs: null,
      finish_reason: null,
    };
    const pad = padding ? { usage: null, obfuscation: 'aZ9x3kQ'.slice(index % 7) } : {};
    events.push({ ...head, choices: [choice], ...pad });
  }
  events.push({
    ...head,
    choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: 'stop' }],
  });
  events.push({ ...head, choices: [], usage: { prompt_tokens: 7, completion_tokens: count } });
  return `${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')}data: [DONE]\n\n`;
}

function anthropicStream(count: number): string {
  const events: { type: string; [member: string]: unknown }[] = [
    {
      type: 'message_start',
      message: { id: 'msg_1', model: 'claude', usage: { input_tokens: 7 } },
    },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  ];
  for (let index = 0; index < count - 5; index++) {
    const delta = { type: 'text_delta', text: word(index) };
    events.push({ type: 'content_block_delta', index: 0, delta });
  }
  events.push({ type: 'content_block_stop', index: 0 });
  events.push({
    type: 'message_delta',
    delta: { stop_reason: 'end_turn' },
    usage: { output_tokens: count },
  });
  events.push({ type: 'message_stop' });
  return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('');
}

function toolStream(count: number): string {
  const head = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o' };
  const events: object[] = [];
  for (let index = 0; index < count - 1; index++) {
    const start = { id: 'call_1', type: 'function' };
    const call = {
      index: 0,
      ...(index === 0 ? start : {}),
      function: {
        ...(index === 0 ? { name: 'write' } : {}),
        arguments: index === 0 ? '"' : 'word ',
      },
    };
    events.push({
      ...head,
      choices: [{ index: 0, delta: { tool_calls: [call] }, logprobs: null, finish_reason: null }],
    });
  }
  events.push({ ...head, choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] });
  return `${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')}data: [DONE]\n\n`;
}

/** Lines of Ollama, one a token. */
function ollamaStream(count: number): string {
  const head = { model: 'llama3.2:3b', created_at: '2025-11-21T10:00:00.123456789Z' };
  const lines: object[] = [];
  for (let index = 0; index < count - 1; index++) {
    const message = { role: 'assistant', content: word(index) };
    lines.push({ ...head, message, done: false });
  }
  const message = { role: 'assistant', content: '' };
  lines.push({ ...head, message, done: true, done_reason: 'stop', eval_count: count });
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

/** Events of Gemini, each with the usage so far. */
function geminiStream(count: number): string {
  const events: object[] = [];
  for (let index = 0; index < count; index++) {
    const end = index === count - 1 ? { finishReason: 'STOP' } : {};
    events.push({
      candidates: [
        { content: { parts: [{ text: word(index) }], role: 'model' }, ...end, index: 0 },
      ],
      usageMetadata: { promptTokenCount: 7, candidatesTokenCount: index, totalTokenCount: 7 },
      modelVersion: 'gemini-2.5-flash',
      responseId: 'xV0gaYr',
    });
  }
  return events.map((event) => `data: ${JSON.stringify(event)}\r\n\r\n`).join('');
}

const CONVERSATION = Array.from({ length: 200 }, (_, index) => ({
  role: index % 2 === 0 ? 'user' : 'assistant',
  content: `Message ${index}: ${'All work and no play makes Jack a "dull" boy.\n'.repeat(110)}`,
}));

const TINY = '{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hi"}]}';
const TINY_MESSAGE = `${TINY.slice(0, -1)},"max_tokens":9}`;
const EVENTS = 20_000;

function stream(name: string, target: string, response: string, readBytes: number): Workload {
  const events = response.split('\n\n').length - 1;
  return {
    name,
    target,
    request: target.endsWith('messages') ? TINY_MESSAGE : TINY,
    contentType: 'text/event-stream',
    response,
    events,
    readBytes,
    check: (call) => call.complete && !call.damage.any,
  };
}

const CHAT = '/v1/chat/completions';
const MESSAGES = '/v1/messages';

const WORKLOADS: readonly Workload[] = [
  stream('chat completions, text', CHAT, openAiStream(EVENTS, false), READ_BYTES),
  stream('chat completions, one event a read', CHAT, openAiStream(EVENTS, false), 300),
  stream('chat completions, padded', CHAT, openAiStream(EVENTS, true), READ_BYTES),
  stream('chat completions, tool arguments', CHAT, toolStream(EVENTS), READ_BYTES),
  stream('messages, text', MESSAGES, anthropicStream(EVENTS), READ_BYTES),
  {
    ...stream('Ollama, text', '/api/chat', ollamaStream(EVENTS), READ_BYTES),
    contentType: 'application/x-ndjson',
    events: EVENTS,
  },
  {
    ...stream(
      'Gemini, text',
      '/v1/models/m:streamGenerateContent',
      geminiStream(EVENTS),
      READ_BYTES,
    ),
    request: '{"contents":[{"parts":[{"text":"hi"}]}]}',
    events: EVENTS,
  },
  {
    name: 'a request of 1 MB, 200 messages',
    target: CHAT,
    request: JSON.stringify({ model: 'gpt-4o', messages: CONVERSATION }),
    contentType: 'application/json',
    response: '{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]}',
    events: 1,
    readBytes: READ_BYTES,
    check: (call) => call.complete && call.request.fingerprints.length === 200,
  },
  {
    name: 'an answer of 5 MB',
    target: CHAT,
    request: TINY,
    contentType: 'application/json',
    response: JSON.stringify({
      choices: [
        { message: { content: CONVERSATION[0]!.content.repeat(1000) }, finish_reason: 'stop' },
      ],
      usage: { prompt_tokens: 1, completion_tokens: 2 },
    }),
    events: 1,
    readBytes: READ_BYTES,
    check: (call) => call.response?.usage.outputTokens === 2,
  },
];

function exchangeOf(workload: Workload): Exchange {
  return {
    connection: { process: { pid: 1, startNs: 1n }, stack: 'openssl', object: 8, generation: 1n },
    role: 'client',
    version: '1.1',
    ordinal: 0,
    request: {
      startNs: 0n,
      endNs: 0n,
      headers: new Headers([['host', 'localhost']]),
      bodyBytes: 0,
      complete: true,
      method: 'POST',
      target: workload.target,
    },
    damage: new Damage(),
  };
}

function pieces(text: string, size: number): Buffer[] {
  const bytes = Buffer.from(text);
  const result: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    result.push(bytes.subarray(at, at + size));
  }
  return result;
}

/** Runs one exchange through the stage. */
function run(
  workload: Workload,
  request: Buffer[],
  response: Buffer[],
  keepContent: boolean,
): ModelCall {
  let finished: ModelCall | undefined;
  const handler = createLlmStage({
    observer: {
      started() {},
      finished(call) {
        finished = call;
      },
    },
    keepContent,
    maxContentBytes: 1_000_000,
  });
  const observer = handler(exchangeOf(workload))!;
  for (const piece of request) {
    observer.requestBody!.data(piece, 1n);
  }
  observer.requestBody!.end(true, 1n);
  const sink = observer.response!({
    startNs: 2n,
    endNs: 2n,
    headers: new Headers([['content-type', workload.contentType]]),
    bodyBytes: 0,
    complete: false,
    status: 200,
  })!;
  let timeNs = 1_000_000_000_000n;
  for (const piece of response) {
    timeNs += 1000n;
    sink.data(piece, timeNs);
  }
  sink.end(true, timeNs);
  return finished!;
}

/** Seconds of one round, the median over as many rounds as fit. */
function measure(round: () => void): number {
  const times: number[] = [];
  const end = performance.now() + SECONDS_PER_ROW * 1000;
  while (performance.now() < end || times.length < 5) {
    const start = performance.now();
    round();
    times.push((performance.now() - start) / 1000);
  }
  times.sort((a, b) => a - b);
  return times[times.length >> 1]!;
}

function row(name: string, events: number, bytes: number, seconds: number): void {
  const megabytes = (bytes / seconds / 1e6).toFixed(0).padStart(6);
  const rate =
    events > 1 ? `${(events / seconds / 1000).toFixed(0)} k/s`.padStart(10) : ''.padStart(10);
  const time = `${(seconds * 1000).toFixed(2)} ms`.padStart(11);
  console.log(`${name.padEnd(52)}${rate}${megabytes} MB/s${time}`);
}

console.log(
  `${'workload'.padEnd(52)}${'events'.padStart(10)}${'bytes'.padStart(11)}${'each'.padStart(11)}`,
);
for (const workload of WORKLOADS) {
  const request = pieces(workload.request, READ_BYTES);
  const response = pieces(workload.response, workload.readBytes);
  const bytes = Buffer.byteLength(workload.request) + Buffer.byteLength(workload.response);
  for (const keepContent of [false, true]) {
    if (!workload.check(run(workload, request, response, keepContent))) {
      throw new Error(`${workload.name}: the call is not what it should be`);
    }
    const seconds = measure(() => run(workload, request, response, keepContent));
    row(`${workload.name}${keepContent ? ', content on' : ''}`, workload.events, bytes, seconds);
  }
}

// What the events cost before and without the llm stage, for comparison.
const text = openAiStream(EVENTS, false);
const reads = pieces(text, READ_BYTES);
let seen = 0;
const decodeSeconds = measure(() => {
  const decoder = createSseDecoder({
    onEvent() {
      seen += 1;
    },
  });
  for (const read of reads) {
    decoder.data(read, 1n);
  }
});
row('(the event decoder alone)', EVENTS, text.length, decodeSeconds);
const datas = text.split('\n\n').map((event) => event.slice(6));
const parseSeconds = measure(() => {
  for (const data of datas) {
    if (data.startsWith('{')) {
      seen += Object.keys(JSON.parse(data)).length;
    }
  }
});
row('(JSON.parse of every event alone)', EVENTS, text.length, parseSeconds);
if (seen === 0) {
  throw new Error('nothing was decoded');
}
