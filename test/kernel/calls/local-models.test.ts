/** A model server on this host and its client, both observed: each call is one span, and it is the client's. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type ClientResult, runClient } from '../../support/clients/run-client.ts';
import { chatSpans } from '../../support/compare.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { type FlatSpan, type OtlpContent, readOtlpFile } from '../../support/otlp-file.ts';
import { startSightline } from '../../support/sightline.ts';

/** A prime: a double or a loss cannot hide in a round number. */
const REQUESTS = 11;
const MODEL = 'llama3.2:3b';
const SERVER = fileURLToPath(new URL('./ollama_server.py', import.meta.url));
const ENVIRONMENT = {
  SIGHTLINE_CAPTURE: 'tls,plain,server,process',
  OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'SPAN_ONLY',
};

/** One call, as the server says it and as a span does. */
interface Call {
  model: string;
  prompt: string;
  text: string;
  prompt_eval_count: number;
  eval_count: number;
}

interface Server {
  child: ChildProcess;
  lines: Interface;
  port: number;
  calls: Call[];
}

async function startServer(kind: string): Promise<Server> {
  const child = spawn('/usr/bin/python3', [SERVER, kind], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
  });
  const lines = createInterface({ input: child.stdout! });
  const calls: Call[] = [];
  const port = await new Promise<number>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the ${kind} server ended with ${code}`)));
    lines.once('line', (line) => {
      resolve((JSON.parse(line) as { port: number }).port);
      lines.on('line', (more) => calls.push(JSON.parse(more) as Call));
    });
  });
  return { child, lines, port, calls };
}

/** What the parts of its messages say. */
function textOf(span: FlatSpan, attribute: string): string {
  const value = span.attributes[attribute];
  const messages = (typeof value === 'string' ? JSON.parse(value) : value) as {
    parts: { content: string }[];
  }[];
  return messages.flatMap(({ parts }) => parts.map(({ content }) => content)).join('');
}

function callOf(span: FlatSpan): Call {
  return {
    model: String(span.attributes['gen_ai.response.model']),
    prompt: textOf(span, 'gen_ai.input.messages'),
    text: textOf(span, 'gen_ai.output.messages'),
    prompt_eval_count: Number(span.attributes['gen_ai.usage.input_tokens']),
    eval_count: Number(span.attributes['gen_ai.usage.output_tokens']),
  };
}

interface Driven {
  port: number;
  serverPid: number | undefined;
  clientPid: number;
  calls: Call[];
  results: ClientResult[];
}

async function drive(kind: string, stream: boolean): Promise<Driven> {
  const server = await startServer(kind);
  try {
    const { pid, results } = await runClient({
      program: 'ollama-sdk',
      url: `http://127.0.0.1:${server.port}`,
      caPath: '',
      count: REQUESTS,
      model: MODEL,
      stream,
      // In the prompts, so that no two are the same.
      scenario: Array.from({ length: REQUESTS }, (_, index) => ({ text: `word ${index}` })),
    });
    const { port, calls, child } = server;
    return { port, serverPid: child.pid, clientPid: pid, calls, results };
  } finally {
    server.child.kill('SIGKILL');
    server.lines.close();
  }
}

const WAYS = ['http.server', 'aiohttp'].flatMap((kind) =>
  [true, false].map((stream) => ({
    kind,
    stream,
    name: `${kind}, ${stream ? 'streamed' : 'whole'}`,
  })),
);

describe('a local model server and its client, both observed', function () {
  this.timeout(240_000);
  const driven = new Map<string, Driven>();
  let content: OtlpContent;

  before(async function () {
    requireKernel(this);
    const sightline = await startSightline({ env: ENVIRONMENT });
    try {
      for (const { kind, stream, name } of WAYS) {
        driven.set(name, await drive(kind, stream));
      }
      assert.equal((await sightline.stop()).code, 0);
      content = readOtlpFile(sightline.file);
    } finally {
      sightline.discard();
    }
  });

  for (const { name, stream } of WAYS) {
    it(`Python’s ${name}: ${REQUESTS} calls are ${REQUESTS} exact spans, of the client`, () => {
      const { port, serverPid, clientPid, calls, results } = driven.get(name)!;
      assert.deepEqual(
        results.map(({ error }) => error),
        Array.from({ length: REQUESTS }, () => undefined),
      );
      const spans = chatSpans(content.spans).filter(
        ({ attributes, resource }) =>
          attributes['server.port'] === port || resource['process.pid'] === serverPid,
      );
      assert.equal(calls.length, REQUESTS);
      assert.deepEqual(spans.map(callOf), calls);
      for (const span of spans) {
        assert.equal(span.kind, 'CLIENT');
        assert.equal(span.resource['process.pid'], clientPid);
        assert.equal(span.attributes['server.port'], port);
        assert.equal(span.attributes['gen_ai.provider.name'], 'ollama');
        assert.equal(span.attributes['gen_ai.request.stream'], stream ? true : undefined);
        assert.deepEqual(span.attributes['gen_ai.response.finish_reasons'], ['stop']);
        assert.equal(span.attributes['sightline.damage'], undefined);
      }
      // The server was observed as well: its side of each call is measured.
      const served = content.points.filter(
        ({ metric, attributes }) =>
          metric === 'gen_ai.server.request.duration' && attributes['server.port'] === port,
      );
      assert.equal(served.at(-1)?.histogram?.count, REQUESTS);
    });
  }
});
