/** The comparison of spans with the truth notices every kind of difference, and nothing else. */
import assert from 'node:assert/strict';
import { compareSpansWithTruth, expectedAttributes } from '../../support/compare.ts';
import type { ExchangeTruth } from '../../support/model-server/exchange-truth.ts';
import type { Scenario } from '../../support/model-server/scenario.ts';
import { startModelServer } from '../../support/model-server/server.ts';
import type { FlatSpan } from '../../support/otlp-file.ts';
import { modelRequest, rawExchange } from './raw-exchange.ts';

const SCENARIOS: { api: 'openai' | 'anthropic'; scenario: Scenario }[] = [
  { api: 'openai', scenario: { text: 'one', usageAt: 'last-choice' } },
  {
    api: 'anthropic',
    scenario: {
      text: 'two',
      toolCalls: [{ name: 't', arguments: { b: 1, a: 2 } }],
      tokens: { input: 1, output: 2, cacheRead: 3, cacheCreation: 4 },
    },
  },
  { api: 'openai', scenario: { status: 429 } },
  { api: 'openai', scenario: { text: 'same id', responseId: 'twice' } },
  { api: 'openai', scenario: { text: 'same id again', responseId: 'twice' } },
];

function spanOf(truth: ExchangeTruth, content: boolean): FlatSpan {
  const offsetNs = BigInt(truth.epochOffsetNs);
  const answer = truth.answer!;
  const attributes = expectedAttributes(truth);
  if (answer.error !== undefined) {
    attributes['error.type'] = answer.error.code ?? answer.error.type ?? '_OTHER';
  }
  if (content) {
    // As text, the way JS SDK spans carry it.
    attributes['gen_ai.output.messages'] = JSON.stringify(
      answer.choices.map((choice) => ({
        role: 'assistant',
        parts: [
          { type: 'text', content: choice.text },
          ...choice.toolCalls.map((call) => ({
            type: 'tool_call',
            id: call.id,
            name: call.name,
            arguments: JSON.parse(call.argumentsText),
          })),
        ],
        finish_reason: choice.finishReason,
      })),
    );
  }
  return {
    name: `chat ${truth.request.model}`,
    traceId: truth.exchange.toString(16).padStart(32, '0'),
    spanId: truth.exchange.toString(16).padStart(16, '0'),
    kind: 'CLIENT',
    startNs: BigInt(truth.request.firstByteNs) + offsetNs,
    endNs: BigInt(truth.response.lastByteNs) + offsetNs,
    attributes,
    events: [],
    links: [],
    status: { code: answer.error === undefined ? 'UNSET' : 'ERROR' },
    resource: {},
    scope: { name: '', version: '' },
    schemaUrl: '',
  };
}

describe('the comparison with the truth', () => {
  let truth: ExchangeTruth[];
  const spans = (content = false): FlatSpan[] => truth.map((exchange) => spanOf(exchange, content));

  before(async () => {
    const server = await startModelServer({ tls: false });
    for (const { api, scenario } of SCENARIOS) {
      await rawExchange(
        server.port,
        modelRequest({ api, stream: true, scenario: { close: true, ...scenario } }),
      );
    }
    truth = await server.settle(SCENARIOS.length);
    await server.stop();
  });

  it('finds equal what is equal, in any order', () => {
    assert.deepEqual(compareSpansWithTruth(spans().reverse(), truth), []);
    assert.deepEqual(compareSpansWithTruth(spans(true), truth, { content: true }), []);
  });

  it('adds up what Anthropic counts apart', () => {
    assert.equal(spans()[1]!.attributes['gen_ai.usage.input_tokens'], 8);
  });

  it('notices a span too few and one too many', () => {
    assert.match(
      compareSpansWithTruth(spans().slice(1), truth).join('\n'),
      /^exchange \d+ \(chatcmpl-\S+\) has no span$/,
    );
    const surplus = { ...spans()[0]!, spanId: 'f'.repeat(16) };
    assert.match(
      compareSpansWithTruth([...spans(), surplus], truth).join('\n'),
      /belongs to no exchange$/,
    );
    assert.match(
      compareSpansWithTruth([...spans(), spans()[0]!], truth).join('\n'),
      /two spans have the ids/,
    );
    assert.deepEqual(compareSpansWithTruth([], truth, { allowMissing: true }), []);
  });

  it('notices every changed, missing and added attribute', () => {
    const names = Object.keys(expectedAttributes(truth[1]!)).filter(
      (name) => name !== 'gen_ai.operation.name' && name !== 'gen_ai.response.id',
    );
    assert.ok(names.length >= 9);
    for (const name of names) {
      for (const value of [undefined, 'wrong', 7]) {
        const changed = spans();
        const { attributes } = changed[1]!;
        if (value === undefined) {
          delete attributes[name];
        } else {
          attributes[name] = value;
        }
        const differences = compareSpansWithTruth(changed, truth);
        assert.equal(differences.length, 1, `${name} = ${value}: ${differences.join('\n')}`);
        assert.ok(differences[0]!.includes(name));
      }
    }
    const added = spans();
    added[0]!.attributes['gen_ai.usage.cache_creation.input_tokens'] = 0;
    assert.equal(compareSpansWithTruth(added, truth).length, 1);
  });

  it('notices a wrong name, kind, status, error, damage and time', () => {
    const changes: [number, (span: FlatSpan) => void, RegExp][] = [
      [0, (span) => Object.assign(span, { name: 'chat' }), /the name/],
      [0, (span) => Object.assign(span, { kind: 'INTERNAL' }), /the kind/],
      [0, (span) => Object.assign(span, { status: { code: 'ERROR' } }), /the status/],
      [2, (span) => Object.assign(span, { status: { code: 'UNSET' } }), /the status/],
      [2, (span) => delete span.attributes['error.type'], /error\.type/],
      [0, (span) => Object.assign(span.attributes, { 'error.type': 'x' }), /error\.type/],
      [0, (span) => Object.assign(span.attributes, { 'sightline.damage': ['gap'] }), /damage/],
      [
        0,
        (span) => Object.assign(span, { startNs: span.startNs + 10n ** 9n }),
        /the start|the end/,
      ],
    ];
    for (const [index, change, expected] of changes) {
      const changed = spans();
      change(changed[index]!);
      assert.match(compareSpansWithTruth(changed, truth).join('\n'), expected);
    }
  });

  it('notices content that is wrong, missing, or there when it should not be', () => {
    assert.match(compareSpansWithTruth(spans(true), truth).join('\n'), /output\.messages is/);
    assert.match(
      compareSpansWithTruth(spans(), truth, { content: true }).join('\n'),
      /output\.messages is nothing/,
    );
    const changed = spans(true);
    const { attributes } = changed[1]!;
    attributes['gen_ai.output.messages'] = String(attributes['gen_ai.output.messages'])
      .replace('two', 'twо')
      .replace('"a":2', '"a":3');
    const differences = compareSpansWithTruth(changed, truth, { content: true }).join('\n');
    assert.match(differences, /text of output message 0/);
    assert.match(differences, /tool calls of output message 0/);
  });

  it('lets a damaged span lack things, but not say wrong ones, when asked', () => {
    const changed = spans();
    const { attributes } = changed[1]!;
    attributes['sightline.damage'] = ['gap'];
    delete attributes['gen_ai.usage.output_tokens'];
    delete attributes['gen_ai.response.id'];
    assert.deepEqual(compareSpansWithTruth(changed, truth, { allowDamage: true }), []);
    assert.notDeepEqual(compareSpansWithTruth(changed, truth), []);
    attributes['gen_ai.usage.output_tokens'] = 99;
    assert.match(
      compareSpansWithTruth(changed, truth, { allowDamage: true }).join('\n'),
      /output_tokens is 99, not 2$/,
    );
  });
});
