/**
 * Every API of the vendors' SDKs on the real kernel: what an SDK made of its answer is what was exported of it, whole,
 * streamed, refused and cut off; what is no run of a model makes no span. One Sightline observes one program that
 * makes all the calls.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { requireKernel } from '../../support/kernel-guard.ts';
import { type AttributeValue, type FlatSpan, readOtlpFile } from '../../support/otlp-file.ts';
import { startSdkAnswerServer } from '../../support/sdk-calls/sdk-answer-server.ts';
import type { SdkCase, SdkRequest, SdkResult } from '../../support/sdk-calls/sdk-case.ts';
import { SDK_CASES } from '../../support/sdk-calls/sdk-cases.ts';
import { type RunningSightline, startSightline } from '../../support/sightline.ts';

const PROGRAM = fileURLToPath(new URL('../../support/sdk-calls/run-sdk-calls.ts', import.meta.url));
const CONTENT_ON = { OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'SPAN_ONLY' };

interface Part {
  type: string;
  content?: string;
  id?: string;
  name?: string;
  arguments?: unknown;
}

interface Said {
  results: SdkResult[];
  thrown?: string;
}

const TEXT_OF: readonly (readonly [keyof SdkResult, string])[] = [
  ['text', 'text'],
  ['reasoning', 'reasoning'],
];
const SAME: readonly (readonly [keyof SdkResult, string])[] = [
  ['id', 'gen_ai.response.id'],
  ['model', 'gen_ai.response.model'],
  ['finishReasons', 'gen_ai.response.finish_reasons'],
  ['inputTokens', 'gen_ai.usage.input_tokens'],
  ['outputTokens', 'gen_ai.usage.output_tokens'],
  ['cacheReadTokens', 'gen_ai.usage.cache_read.input_tokens'],
  ['cacheCreationTokens', 'gen_ai.usage.cache_creation.input_tokens'],
  ['reasoningTokens', 'gen_ai.usage.reasoning.output_tokens'],
];

/** Runs the program to its end; what it says of a case comes under the case's number. */
async function runProgram(url: string, caPath: string): Promise<Said[]> {
  const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM, url], {
    env: { ...process.env, NODE_OPTIONS: undefined, NODE_EXTRA_CA_CERTS: caPath },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(child, 'close');
  const all: Said[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const { number, ...said } = JSON.parse(line) as Said & { number: number };
    all[number] = said;
  }
  assert.deepEqual(await ended, [0, null]);
  return all;
}

function plain(value: AttributeValue | undefined): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}

function partsOf(span: FlatSpan): Part[] {
  const value = span.attributes['gen_ai.output.messages'];
  const messages = (typeof value === 'string' ? JSON.parse(value) : value) as
    | { parts: Part[] }[]
    | undefined;
  return (messages ?? []).flatMap(({ parts }) => parts);
}

function checkSpan(span: FlatSpan, one: SdkCase, index: number, result: SdkResult): void {
  const { attributes } = span;
  const request: SdkRequest = one.requests[index]!;
  assert.equal(attributes['gen_ai.operation.name'], request.operation);
  assert.equal(attributes['gen_ai.provider.name'], request.provider);
  assert.equal(attributes['gen_ai.request.model'], request.model);
  assert.equal(attributes['gen_ai.request.stream'], request.stream);
  const isCut = one.answers[index]!.isCut === true;
  assert.deepEqual(attributes['sightline.damage'], isCut ? ['truncated'] : undefined);
  assert.equal(attributes['error.type'], request.error);
  assert.equal(result.error !== undefined, isCut || request.error !== undefined, 'the SDK threw');
  for (const [name, attribute] of SAME) {
    assert.deepEqual(plain(attributes[attribute]), result[name], attribute);
  }
  const parts = partsOf(span);
  for (const [name, type] of TEXT_OF) {
    const text = parts.map((part) => (part.type === type ? part.content : '')).join('');
    assert.equal(text, result[name] ?? '', type);
  }
  const calls = parts
    .filter(({ type }) => type === 'tool_call')
    .map(({ id, name, arguments: given }) => ({ ...(id && { id }), name, arguments: given }));
  assert.deepEqual(calls, result.toolCalls ?? [], 'tool calls');
}

describe('every API of the vendors’ own SDKs, captured in the kernel', function () {
  this.timeout(240_000);
  let said: Said[] = [];
  let spans: FlatSpan[] = [];
  let requests: readonly string[][] = [];

  before(async function () {
    requireKernel(this);
    const server = await startSdkAnswerServer(SDK_CASES);
    let sightline: RunningSightline | undefined;
    try {
      sightline = await startSightline({ env: CONTENT_ON });
      said = await runProgram(server.url, server.caPath);
      await sightline.stop();
      spans = readOtlpFile(sightline.file)
        .spans.filter(({ attributes }) => attributes['server.port'] === server.port)
        .filter(({ attributes }) => attributes['gen_ai.operation.name'] !== undefined)
        .sort((a, b) => Number(a.startNs - b.startNs));
      requests = server.requests;
    } finally {
      sightline?.discard();
      await server.stop();
    }
  });

  it(`${SDK_CASES.length} calls and more are one span each`, () => {
    const wanted = SDK_CASES.flatMap((one) =>
      one.requests.map((_, index) => `${one.name} ${index}`),
    );
    assert.equal(spans.length, wanted.length);
  });

  let first = 0;
  for (const [number, one] of SDK_CASES.entries()) {
    const start = first;
    first += one.requests.length;
    it(one.name, () => {
      const { results, thrown } = said[number]!;
      assert.equal(requests[number]!.length, one.answers.length, `${requests[number]} ${thrown}`);
      assert.equal(results.length, one.requests.length, thrown);
      results.forEach((result, index) => {
        checkSpan(spans[start + index]!, one, index, result);
      });
    });
  }
});
