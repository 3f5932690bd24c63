/** Conversations with the tests' model server that carry credentials wherever one can stand, as bytes of a real socket. */
import { connect } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import type { Scenario } from '../model-server/scenario.ts';
import type { ModelServer } from '../model-server/server.ts';
import { PASSWORD, type PlantedSecret } from './corpus.ts';

export interface Conversation {
  request: Buffer;
  response: Buffer;
  /** What came before it on the same connection, and was answered. */
  opening?: Conversation;
}

interface Api {
  target(stream: boolean): string;
  body(text: string, stream: boolean): unknown;
}

const MODEL = 'test-model';
const ENCODERS = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync } as const;

/** A history with a secret in every place that a request has. */
function openAi(text: string, stream: boolean): unknown {
  return {
    model: MODEL,
    stream,
    user: `user of ${text}`,
    metadata: { note: text, password: PASSWORD.secret },
    messages: [
      { role: 'system', content: `Use ${text}.` },
      { role: 'user', content: [{ type: 'text', text: `Here: ${text}\nAnd again (${text}).` }] },
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          {
            id: 'call_1',
            type: 'function',
            function: {
              name: 'sh',
              arguments: JSON.stringify({
                command: `run ${text}`,
                password: PASSWORD.secret,
              }),
            },
          },
        ],
      },
      { role: 'tool', tool_call_id: 'call_1', content: `it said\n${text}\n` },
    ],
    tools: [
      {
        type: 'function',
        function: { name: 'sh', description: `As ${text}`, parameters: { default: text } },
      },
    ],
  };
}

function anthropic(text: string, stream: boolean): unknown {
  return {
    model: MODEL,
    max_tokens: 99,
    stream,
    system: [{ type: 'text', text: `Use ${text}.` }],
    metadata: { user_id: `user of ${text}` },
    messages: [
      { role: 'user', content: `Here: ${text}\nAnd again (${text}).` },
      {
        role: 'assistant',
        content: [
          {
            type: 'tool_use',
            id: 'toolu_1',
            name: 'sh',
            input: { command: `run ${text}`, password: PASSWORD.secret },
          },
        ],
      },
      {
        role: 'user',
        content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: `it said\n${text}\n` }],
      },
    ],
    tools: [{ name: 'sh', description: `As ${text}`, input_schema: { default: text } }],
  };
}

const said = (text: string) => [{ role: 'user', content: `Here: ${text}` }];

export const APIS: Readonly<Record<string, Api>> = {
  'OpenAI chat': { target: () => '/v1/chat/completions', body: openAi },
  'OpenAI responses': {
    target: () => '/v1/responses',
    body: (text, stream) => ({ model: MODEL, stream, instructions: text, input: said(text) }),
  },
  Anthropic: { target: () => '/v1/messages', body: anthropic },
  Gemini: {
    target: (stream) =>
      `/v1beta/models/${MODEL}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    body: (text) => ({
      systemInstruction: { parts: [{ text }] },
      contents: [{ role: 'user', parts: [{ text: `Here: ${text}` }] }],
    }),
  },
  'Gemini, an array': {
    target: (stream) =>
      `/v1beta/models/${MODEL}:${stream ? 'streamGenerateContent' : 'generateContent'}`,
    body: (text) => ({ contents: [{ role: 'user', parts: [{ text: `Here: ${text}` }] }] }),
  },
  Ollama: {
    target: () => '/api/chat',
    body: (text, stream) => ({ model: MODEL, messages: said(text), stream }),
  },
  Cohere: {
    target: () => '/v2/chat',
    body: (text, stream) => ({ model: MODEL, messages: said(text), stream }),
  },
  'Bedrock, Converse': {
    target: (stream) => `/model/${MODEL}/converse${stream ? '-stream' : ''}`,
    body: (text) => ({ messages: [{ role: 'user', content: [{ text: `Here: ${text}` }] }] }),
  },
  'Bedrock, InvokeModel': {
    target: (stream) => `/model/${MODEL}/invoke${stream ? '-with-response-stream' : ''}`,
    body: (text) => ({
      anthropic_version: 'bedrock-2023-05-31',
      max_tokens: 9,
      messages: said(text),
    }),
  },
};

export interface Shape extends Pick<Scenario, 'deltas' | 'encoding' | 'seed' | 'asciiJson'> {
  api: string;
  stream: boolean;
  /** Content encoding of the request. Default: none. */
  requestEncoding?: 'gzip' | 'deflate' | 'br';
  /** The server refuses with a message that quotes the credential. */
  isRefused: boolean;
}

/** One exchange with the credential in its head, its body and its answer. */
export async function converse(
  server: ModelServer,
  planted: PlantedSecret,
  shape: Shape,
): Promise<Conversation> {
  const { api, stream, isRefused, requestEncoding, ...scenario } = shape;
  // Line ends of JSON in the corpus are those of the text here.
  const text = planted.text.replaceAll('\\n', '\n');
  const { target, body } = APIS[api] as Api;
  server.script([
    isRefused
      ? { ...scenario, status: 401, error: { message: `Incorrect API key provided: ${text}.` } }
      : {
          ...scenario,
          text: `You said ${text}, did you?`,
          reasoning: `They said ${text} to me.`,
          toolCalls: [{ name: 'sh', arguments: { command: `echo ${text}`, note: text } }],
        },
  ]);
  const path = target(stream);
  const query = encodeURIComponent(text).replaceAll('%3A', ':');
  const url = `${path}${path.includes('?') ? '&' : '?'}q=${query}&token=${query}`;
  const json = Buffer.from(JSON.stringify(body(text, stream)));
  const sent = requestEncoding === undefined ? json : ENCODERS[requestEncoding](json);
  const line = text.replaceAll('\n', ' ');
  const head = [
    `POST ${url} HTTP/1.1`,
    `Host: 127.0.0.1:${server.port}`,
    'Content-Type: application/json',
    'anthropic-version: 2023-06-01',
    `Authorization: ${line}`,
    `X-Api-Key: ${line}`,
    `X-Note: see ${line}, please`,
    `Cookie: session=${line}`,
    `Referer: https://me:${query}@proxy.example/x?api_key=${query}`,
    'Accept-Encoding: gzip, br, deflate',
    'Connection: close',
    ...(requestEncoding === undefined ? [] : [`Content-Encoding: ${requestEncoding}`]),
    `Content-Length: ${sent.length}`,
  ].join('\r\n');
  return send(server.port, Buffer.concat([Buffer.from(`${head}\r\n\r\n`), sent]));
}

function send(port: number, request: Buffer): Promise<Conversation> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const socket = connect(port, '127.0.0.1', () => socket.write(request));
    socket.on('data', (part) => parts.push(part));
    socket.on('error', reject);
    socket.on('close', () => resolve({ request, response: Buffer.concat(parts) }));
  });
}
