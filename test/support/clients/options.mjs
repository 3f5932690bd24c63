/** The command line that every Node client program here understands, and the requests it stands for. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/** How many bytes of an answer's text are printed; of longer ones only length and hash. */
export const MAX_PRINTED_TEXT_CHARACTERS = 65536;

/**
 * - `--url` of the server without a path, `--api` openai or anthropic
 * - `--count` requests over at most `--connections` connections, `--concurrency` of them at a time
 * - `--stream`, `--include-usage` (OpenAI), `--encoding` (value of Accept-Encoding)
 * - `--body-bytes` of padding in the prompt, `--model`, `--prompt`, `--max-tokens`
 * - `--scenario`: JSON of one scenario for the server, or of a list that the requests take in turn
 * - `--targets FILE`: lines `METHOD PATH [BODY-BYTES]`; these are requested instead of model calls
 */
export function readOptions(args = process.argv.slice(2)) {
  const { values } = parseArgs({
    args,
    options: {
      url: { type: 'string' },
      ca: { type: 'string' },
      api: { type: 'string', default: 'openai' },
      count: { type: 'string', default: '1' },
      connections: { type: 'string', default: '1' },
      concurrency: { type: 'string' },
      stream: { type: 'boolean', default: false },
      'include-usage': { type: 'boolean', default: false },
      encoding: { type: 'string' },
      'body-bytes': { type: 'string', default: '0' },
      model: { type: 'string' },
      prompt: { type: 'string', default: 'Say something.' },
      scenario: { type: 'string' },
      targets: { type: 'string' },
      'key-prefix': { type: 'string', default: 'sk-test-' },
    },
  });
  if (values.url === undefined) {
    throw new Error('--url is needed');
  }
  const isAnthropic = values.api === 'anthropic';
  const targets =
    values.targets === undefined
      ? undefined
      : readFileSync(values.targets, 'utf8').split('\n').filter(Boolean).map(parseTarget);
  const scenario = values.scenario === undefined ? [] : JSON.parse(values.scenario);
  const connections = Number(values.connections);
  return {
    url: values.url,
    ca: values.ca,
    api: values.api,
    isAnthropic,
    path: isAnthropic ? '/v1/messages' : '/v1/chat/completions',
    count: targets === undefined ? Number(values.count) : targets.length,
    connections,
    concurrency: values.concurrency === undefined ? connections : Number(values.concurrency),
    stream: values.stream,
    includeUsage: values['include-usage'],
    encoding: values.encoding,
    bodyBytes: Number(values['body-bytes']),
    model: values.model ?? (isAnthropic ? 'claude-sonnet-4-5' : 'gpt-4o'),
    prompt: values.prompt,
    scenarios: Array.isArray(scenario) ? scenario : [scenario],
    targets,
    key: `${values['key-prefix']}0123456789abcdef`,
  };
}

function parseTarget(line) {
  const [method, path, bytes = '0'] = line.split(' ');
  return { method, path, body: patternBytes(Number(bytes)) };
}

/** A request body that is no text and differs at every length. */
export function patternBytes(length) {
  const bytes = Buffer.alloc(length);
  for (let index = 0; index < length; index += 1) {
    bytes[index] = (index * 167 + length * 13) & 0xff;
  }
  return bytes;
}

/** The user message of request `index`: padding, the prompt, and the scenario for the server. */
export function promptOf(options, index) {
  const padding = 'x'.repeat(options.bodyBytes);
  const scenario = options.scenarios[index % Math.max(1, options.scenarios.length)];
  const marker = scenario === undefined ? '' : ` [[scenario ${JSON.stringify(scenario)}]]`;
  return `${padding}${options.prompt}${marker}`;
}

/** The body of model call `index`, for clients without an SDK. */
export function bodyOf(options, index) {
  const asksForUsage = options.stream && options.includeUsage && !options.isAnthropic;
  return {
    model: options.model,
    ...(options.isAnthropic ? { max_tokens: 1024 } : {}),
    messages: [{ role: 'user', content: promptOf(options, index) }],
    ...(options.stream ? { stream: true } : {}),
    ...(asksForUsage ? { stream_options: { include_usage: true } } : {}),
  };
}

/** Method, path, headers and body of request `index`, for clients without an SDK. */
export function requestOf(options, index) {
  const headers = options.encoding === undefined ? {} : { 'accept-encoding': options.encoding };
  const target = options.targets?.[index];
  if (target !== undefined) {
    return { ...target, headers };
  }
  return {
    method: 'POST',
    path: options.path,
    headers: {
      ...headers,
      'content-type': 'application/json',
      ...(options.isAnthropic
        ? { 'x-api-key': options.key, 'anthropic-version': '2023-06-01' }
        : { authorization: `Bearer ${options.key}` }),
    },
    body: Buffer.from(JSON.stringify(bodyOf(options, index))),
  };
}

/** Runs `count` requests, at most `concurrency` at a time. */
export async function runAll(options, request) {
  let next = 0;
  async function worker() {
    while (next < options.count) {
      const index = next;
      next += 1;
      try {
        print(await request(index), index);
      } catch (error) {
        print({ error: describe(error) }, index);
      }
    }
  }
  await Promise.all(Array.from({ length: options.concurrency }, worker));
}

/**
 * Runs `count` requests over `connections` sockets that stay open, each one after the other on its own. `open` gives
 * one with `request(index)` and `close()`.
 */
export async function runOverSockets(options, open) {
  let next = 0;
  async function worker() {
    const socket = open();
    while (next < options.count) {
      const index = next;
      next += 1;
      try {
        print(await socket.request(index), index);
      } catch (error) {
        print({ error: describe(error) }, index);
      }
    }
    socket.close();
  }
  await Promise.all(Array.from({ length: options.connections }, worker));
}

/** Class, HTTP status and message of what a client threw, with the reason inside where there is one. */
export function describe(error) {
  return {
    name: error?.constructor?.name ?? 'unknown',
    ...(typeof error?.status === 'number' ? { status: error.status } : {}),
    message: String(error?.message ?? error),
    ...(error?.cause === undefined ? {} : { cause: String(error.cause.message ?? error.cause) }),
  };
}

export function print(result, request) {
  process.stdout.write(`${JSON.stringify({ request, ...result })}\n`);
}
