/** What is known of a request for pictures or sound, and that nothing of its content is. */
import assert from 'node:assert/strict';
import { FORM_HEADERS, formOf } from '../../support/llm-fixtures/media-fixtures.ts';
import { runExchange } from '../../support/llm-fixtures/run-exchange.ts';

function requestOf(target: string, request: unknown, headers = {}) {
  const { call } = runExchange(
    { target, request, requestHeaders: headers, status: 200, response: '{}' },
    { sizes: [7, 1, 30] },
  );
  const { systemInstructions, messages, fingerprints, toolResults, toolDefinitions, ...rest } =
    call!.request;
  assert.deepEqual(
    [systemInstructions, messages, fingerprints, toolResults, toolDefinitions],
    [[], [], [], [], []],
  );
  return { ...rest, api: call!.api, operation: call!.operation };
}

describe('a request for pictures or sound', () => {
  it('says how many pictures, of which model', () => {
    assert.deepEqual(requestOf('/v1/images/generations', { model: 'm', prompt: 'p', n: 3 }), {
      api: 'openai.images',
      operation: 'generate_content',
      model: 'm',
      choiceCount: 3,
      outputType: 'image',
    });
  });

  it('says the same in a form, whose file may look like one', () => {
    const form = formOf({ model: 'gpt-4o-transcribe', stream: 'true', temperature: '0.5' }, 'file');
    assert.deepEqual(requestOf('/v1/audio/transcriptions', form, FORM_HEADERS), {
      api: 'openai.audio',
      operation: 'generate_content',
      model: 'gpt-4o-transcribe',
      stream: true,
      temperature: 0.5,
      outputType: 'text',
    });
  });

  it('has the model of an Azure deployment', () => {
    const target = '/openai/deployments/my%20tts/audio/speech?api-version=2025-03-01-preview';
    assert.deepEqual(requestOf(target, { input: 'Hi', voice: 'coral' }), {
      api: 'openai.audio',
      operation: 'generate_content',
      model: 'my tts',
      outputType: 'speech',
    });
  });

  it('is none without a subject', () => {
    for (const [target, request, headers] of [
      ['/v1/images/variations', { album: 1 }, {}],
      ['/v1/audio/translations', formOf({ model: 'm' }, 'attachment'), FORM_HEADERS],
      ['/v1/moderations', { comment: 5 }, {}],
    ] as const) {
      const observed = runExchange({ target, request, requestHeaders: headers, status: 200 });
      assert.deepEqual(observed.order, [], target);
    }
  });
});
