/** Hosts and paths that the configuration adds, and what it refuses to add. */
import assert from 'node:assert/strict';
import { Refusal } from '../../../src/config/format.ts';
import { API_FAMILIES, llmHosts, PATH_APIS } from '../../../src/config/llm-hosts.ts';
import { createHostRules } from '../../../src/llm/host-rules.ts';
import { WIRE_APIS } from '../../../src/llm/wire-apis.ts';
import { runExchange, type WireExchange } from '../../support/llm-fixtures/run-exchange.ts';

const CHAT = { model: 'm', messages: [{ role: 'user', content: 'hi' }] };

function rulesOf(text: string) {
  const hosts = llmHosts().parse(text);
  assert.ok(!(hosts instanceof Refusal), String((hosts as Refusal).reason));
  return createHostRules(hosts);
}

function seen(rules: string, wire: Partial<WireExchange> & { target: string }): string | undefined {
  const { call } = runExchange({ request: CHAT, ...wire }, undefined, { hosts: rulesOf(rules) });
  return call && `${call.api} ${call.provider}`;
}

describe('SIGHTLINE_LLM_HOSTS', () => {
  const cases: [what: string, rules: string, host: string, target: string, seen?: string][] = [
    [
      'a path of one API',
      'a.test/ask=openai.chat_completions',
      'a.test',
      '/ask',
      'openai.chat_completions openai',
    ],
    [
      'a path and a provider',
      'a.test/ask=anthropic.messages:corp',
      'a.test',
      '/ask',
      'anthropic.messages corp',
    ],
    ['another path at that host', 'a.test/ask=openai.chat_completions', 'a.test', '/ask/more'],
    ['another host', 'a.test/ask=openai.chat_completions', 'b.a.test', '/ask'],
    [
      'hosts below one',
      '*.a.test=openai:corp',
      'b.a.test',
      '/v1/chat/completions',
      'openai.chat_completions corp',
    ],
    [
      'the port',
      'a.test:81=openai:corp',
      'a.test:81',
      '/v1/chat/completions',
      'openai.chat_completions corp',
    ],
    [
      'another port',
      'a.test:81=openai:corp',
      'a.test:82',
      '/v1/chat/completions',
      'openai.chat_completions openai',
    ],
    [
      'a star within a segment',
      'a.test/t/*/ask=ollama.chat',
      'a.test',
      '/t/x/ask',
      'ollama.chat ollama',
    ],
    ['a star across segments', 'a.test/t/*/ask=ollama.chat', 'a.test', '/t/x/y/ask'],
    [
      'two stars across segments',
      'a.test/**/ask=ollama.chat',
      'a.test',
      '/t/x/y/ask',
      'ollama.chat ollama',
    ],
    [
      'a path of another API, which a rule changes',
      'a.test/v1/messages=openai.chat_completions',
      'a.test',
      '/v1/messages',
      'openai.chat_completions openai',
    ],
    [
      'a name for a known host',
      'api.groq.com=openai:corp',
      'api.groq.com',
      '/openai/v1/chat/completions',
      'openai.chat_completions corp',
    ],
    [
      'IPv6',
      '[::1]:8000=openai:vllm',
      '[::1]:8000',
      '/v1/chat/completions',
      'openai.chat_completions vllm',
    ],
    [
      'the first of two',
      'a.test/x=ollama.chat:one,a.test/x=openai.chat_completions:two',
      'a.test',
      '/x',
      'ollama.chat one',
    ],
    [
      'a query and a slash at the end',
      'a.test/ask/=ollama.chat',
      'a.test',
      '/ask/?a=b',
      'ollama.chat ollama',
    ],
    ['a family, which has no path of its own', 'a.test=openai:corp', 'a.test', '/ask'],
    [
      'an API without a path',
      'a.test=openai.chat_completions:corp',
      'a.test',
      '/v1/chat/completions',
      'openai.chat_completions corp',
    ],
  ];
  for (const [what, rules, host, target, expected] of cases) {
    it(`takes ${what}${expected === undefined ? ' for nothing' : ''}`, () => {
      assert.equal(seen(rules, { host, target }), expected);
    });
  }

  it('leaves alone what the body shows to be no call', () => {
    const wire = { host: 'a.test', target: '/ask', request: { question: 1 }, status: 200 };
    assert.equal(seen('a.test/ask=openai.chat_completions', wire), undefined);
  });

  it('does not let an answer change a provider that was given', () => {
    const response = JSON.stringify({ id: 'x', choices: [], system_fingerprint: 'fp_ollama' });
    const wire = { host: 'a.test', target: '/v1/chat/completions', status: 200, response };
    assert.equal(seen('a.test=openai:openai', wire), 'openai.chat_completions openai');
    assert.equal(seen('b.test=openai:openai', wire), 'openai.chat_completions ollama');
  });

  it('is written as it was read', () => {
    const text = '*.a.test:81/t/**=openai.responses:corp,[::1]=gemini';
    const hosts = llmHosts().parse(text);
    assert.ok(!(hosts instanceof Refusal));
    assert.equal(llmHosts().show(hosts), text);
  });

  for (const [text, reason] of [
    ['a.test', /"a\.test" says no API/],
    ['a.test=openapi', /"openapi" is no API: there are .*openai\.chat_completions/],
    ['a.test:99999=openai', /is no HOST\[:PORT\]/],
    ['http://a.test=openai', /is no HOST\[:PORT\]/],
    ['a.test/x?y=openai', /is no HOST\[:PORT\]/],
    ['a.test=openai:Not A Name', /is no name of a provider/],
    ['a.test=openai:a:b', /is no name of a provider/],
    [',,', /allowed is a comma-separated list/],
  ] as const) {
    it(`refuses ${text}`, () => {
      const refusal = llmHosts().parse(text);
      assert.ok(refusal instanceof Refusal);
      assert.match(refusal.reason, reason);
    });
  }

  it('names APIs that there are', () => {
    const names = new Set<string>(WIRE_APIS.map(({ api }) => api));
    assert.deepEqual(
      PATH_APIS.filter((name) => !names.has(name)),
      [],
    );
    for (const family of API_FAMILIES) {
      assert.ok(
        [...names].some((name) => name.startsWith(`${family}.`)),
        family,
      );
    }
  });
});
