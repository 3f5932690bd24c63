/**
 * The official SDKs read the same bytes: what they tell a program is what we must tell its observer. And what a
 * program gives back to them as history must be recognised as the answer it was.
 */
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import type { ModelCall } from '../../../src/llm/model-call.ts';
import { ANTHROPIC_FIXTURES } from '../../support/llm-fixtures/anthropic-fixtures.ts';
import { contentOf } from '../../support/llm-fixtures/check-call.ts';
import type { Fixture } from '../../support/llm-fixtures/fixture.ts';
import { OPENAI_FIXTURES } from '../../support/llm-fixtures/openai-fixtures.ts';
import { runExchange } from '../../support/llm-fixtures/run-exchange.ts';

/** Answers every request with the fixture's response, and keeps the requests' bodies. */
function replayFetch(fixture: Fixture): { fetch: typeof fetch; bodies: string[] } {
  const bodies: string[] = [];
  const { status, contentType, response } = fixture.wire;
  return {
    bodies,
    fetch: async (_url, init) => {
      bodies.push(String(init?.body));
      return new Response(response ?? '', {
        status: status ?? 500,
        headers: { 'content-type': contentType ?? 'application/json' },
      });
    },
  };
}

function observe(fixture: Fixture): ModelCall {
  const { call } = runExchange(fixture.wire, { sizes: [13, 2] });
  assert.ok(call);
  return call;
}

/** The fingerprints of the messages in a request body that an SDK wrote. */
function fingerprintsOf(fixture: Fixture, body: string): string[] {
  const { call } = runExchange({ ...fixture.wire, request: body });
  assert.ok(call);
  return call.request.fingerprints;
}

function sdkFixtures(fixtures: readonly Fixture[], isError: boolean): Fixture[] {
  const chosen = fixtures.filter(
    (fixture) => fixture.isForSdk && (fixture.expected.error !== undefined) === isError,
  );
  assert.ok(chosen.length > 0);
  return chosen;
}

function isStream(fixture: Fixture): boolean {
  return fixture.wire.contentType?.startsWith('text/event-stream') ?? false;
}

async function askOpenAi(client: OpenAI, fixture: Fixture): Promise<OpenAI.ChatCompletion> {
  const request = {
    model: 'gpt-4o',
    messages: [{ role: 'user' as const, content: 'What is the weather in Paris?' }],
  };
  return isStream(fixture)
    ? await client.chat.completions.stream(request).finalChatCompletion()
    : await client.chat.completions.create(request);
}

describe('the OpenAI SDK agrees about', () => {
  for (const fixture of sdkFixtures(OPENAI_FIXTURES, false)) {
    it(fixture.name, async () => {
      const replay = replayFetch(fixture);
      const client = new OpenAI({ apiKey: 'none', fetch: replay.fetch, maxRetries: 0 });
      const seen = await askOpenAi(client, fixture);
      const call = observe(fixture);
      const response = call.response!;
      assert.equal(response.id, seen.id);
      assert.equal(response.model, seen.model);
      assert.deepEqual(
        response.finishReasons,
        seen.choices.map((choice) => choice.finish_reason),
      );
      assert.equal(response.usage.inputTokens, seen.usage?.prompt_tokens);
      assert.equal(response.usage.outputTokens, seen.usage?.completion_tokens);
      assert.equal(
        response.usage.cacheReadInputTokens,
        seen.usage?.prompt_tokens_details?.cached_tokens,
      );
      assert.deepEqual(
        response.toolCalls.map(({ id, name, argumentsText }) => ({ id, name, argumentsText })),
        seen.choices.flatMap((choice) =>
          (choice.message.tool_calls ?? []).map((toolCall) => {
            assert.ok(toolCall.type === 'function');
            const { name, arguments: argumentsText } = toolCall.function;
            return { id: toolCall.id, name, argumentsText };
          }),
        ),
      );
      for (const [index, choice] of seen.choices.entries()) {
        assert.equal(contentOf(response.messages[index]!, 'text'), choice.message.content ?? '');
        assert.equal(contentOf(response.messages[index]!, 'refusal'), choice.message.refusal ?? '');
      }

      // The program goes on with each choice.
      for (const [index, choice] of seen.choices.entries()) {
        await client.chat.completions
          .create({
            model: 'gpt-4o',
            messages: [
              { role: 'user', content: 'What is the weather in Paris?' },
              choice.message,
              { role: 'user', content: 'And tomorrow?' },
            ],
          })
          .catch(() => undefined);
        const [question, answer] = fingerprintsOf(fixture, replay.bodies.at(-1)!);
        assert.equal(question, call.request.fingerprints[0]);
        assert.equal(answer, response.fingerprints[index]);
      }
    });
  }

  for (const fixture of sdkFixtures(OPENAI_FIXTURES, true)) {
    it(fixture.name, async () => {
      const { fetch } = replayFetch(fixture);
      const client = new OpenAI({ apiKey: 'none', fetch, maxRetries: 0 });
      const call = observe(fixture);
      await assert.rejects(askOpenAi(client, fixture), (error: unknown) => {
        assert.ok(error instanceof OpenAI.APIError);
        assert.equal(call.error?.type, error.code ?? error.type);
        assert.equal(call.httpStatus, error.status);
        return true;
      });
    });
  }
});

async function askAnthropic(client: Anthropic, fixture: Fixture): Promise<Anthropic.Message> {
  const request = {
    model: 'claude-test',
    max_tokens: 1024,
    messages: [{ role: 'user' as const, content: 'What is the weather in Paris?' }],
  };
  return isStream(fixture)
    ? await client.messages.stream(request).finalMessage()
    : await client.messages.create(request);
}

describe('the Anthropic SDK agrees about', () => {
  for (const fixture of sdkFixtures(ANTHROPIC_FIXTURES, false)) {
    it(fixture.name, async () => {
      const replay = replayFetch(fixture);
      const client = new Anthropic({ apiKey: 'none', fetch: replay.fetch, maxRetries: 0 });
      const seen = await askAnthropic(client, fixture);
      const call = observe(fixture);
      const response = call.response!;
      assert.equal(response.id, seen.id);
      assert.equal(response.model, seen.model);
      assert.deepEqual(response.finishReasons, [seen.stop_reason]);
      const { usage } = seen;
      assert.equal(
        response.usage.inputTokens,
        usage.input_tokens +
          (usage.cache_read_input_tokens ?? 0) +
          (usage.cache_creation_input_tokens ?? 0),
      );
      assert.equal(response.usage.outputTokens, usage.output_tokens);
      const message = response.messages[0]!;
      const textOf = (type: 'text' | 'thinking') =>
        seen.content
          .map((block) =>
            block.type === 'text' && type === 'text'
              ? block.text
              : block.type === 'thinking' && type === 'thinking'
                ? block.thinking
                : '',
          )
          .join('');
      assert.equal(contentOf(message, 'text'), textOf('text'));
      assert.equal(contentOf(message, 'reasoning'), textOf('thinking'));
      assert.deepEqual(
        response.toolCalls.map(({ id, name, argumentsText }) => ({
          id,
          name,
          input: JSON.parse(argumentsText),
        })),
        seen.content
          .filter((block) => block.type === 'tool_use')
          .map(({ id, name, input }) => ({ id, name, input })),
      );

      // As the SDK has it, without thinking, and marked for the cache.
      const visible = seen.content.filter((block) => block.type !== 'thinking');
      const marked = visible.map((block, index) =>
        index === visible.length - 1
          ? { ...block, cache_control: { type: 'ephemeral' as const } }
          : block,
      );
      for (const history of [seen.content, visible, marked]) {
        await client.messages
          .create({
            model: 'claude-test',
            max_tokens: 1024,
            messages: [
              { role: 'user', content: [{ type: 'text', text: 'What is the weather in Paris?' }] },
              { role: 'assistant', content: history as Anthropic.ContentBlockParam[] },
              { role: 'user', content: 'And tomorrow?' },
            ],
          })
          .catch(() => undefined);
        const [question, answer] = fingerprintsOf(fixture, replay.bodies.at(-1)!);
        assert.equal(question, call.request.fingerprints[0]);
        assert.equal(answer, response.fingerprints[0]);
      }
    });
  }

  for (const fixture of sdkFixtures(ANTHROPIC_FIXTURES, true)) {
    it(fixture.name, async () => {
      const { fetch } = replayFetch(fixture);
      const client = new Anthropic({ apiKey: 'none', fetch, maxRetries: 0 });
      const call = observe(fixture);
      await assert.rejects(askAnthropic(client, fixture), (error: unknown) => {
        assert.ok(error instanceof Anthropic.APIError);
        assert.equal(call.error?.type, error.type);
        assert.equal(call.httpStatus, error.status);
        return true;
      });
    });
  }
});
