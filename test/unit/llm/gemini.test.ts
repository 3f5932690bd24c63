/** Requests to Gemini and Vertex AI: which are model calls, and what they ask for. */
import assert from 'node:assert/strict';
import { runExchange, type WireExchange } from '../../support/llm-fixtures/run-exchange.ts';

const PATH = '/v1beta/models/gemini-2.5-flash:generateContent';

function call(request: unknown, extra: Partial<WireExchange> = {}, keepContent = true) {
  const wire: WireExchange = { target: PATH, request, status: undefined, ...extra };
  return runExchange(wire, undefined, { keepContent }).call;
}

const CONTENTS = [{ role: 'user', parts: [{ text: 'Hi' }] }];

describe('a request to Gemini', () => {
  it('names model, method and provider in its path', () => {
    const vertex = '/v1beta1/projects/p/locations/global/publishers/google/models';
    for (const [target, model, stream, provider] of [
      [PATH, 'gemini-2.5-flash', undefined, 'gcp.gemini'],
      [`${PATH}?key=1`, 'gemini-2.5-flash', undefined, 'gcp.gemini'],
      ['/v1/tunedModels/my-own:streamGenerateContent?alt=sse', 'my-own', true, 'gcp.gemini'],
      [`${vertex}/gemini-3-pro:streamGenerateContent`, 'gemini-3-pro', true, 'gcp.vertex_ai'],
      ['/v1/projects/p/locations/l/endpoints/42:generateContent', '42', undefined, 'gcp.vertex_ai'],
      ['/proxy/v1beta/models/a%2Fb:generateContent', 'a/b', undefined, 'gcp.gemini'],
    ] as const) {
      const seen = call({ contents: CONTENTS }, { target });
      assert.deepEqual(
        [seen?.request.model, seen?.request.stream, seen?.provider, seen?.operation],
        [model, stream, provider, 'generate_content'],
        target,
      );
    }
  });

  it('is a model call only when it runs the model', () => {
    for (const target of [
      '/v1beta/models/gemini-2.5-flash:countTokens',
      '/v1beta/models/gemini-2.5-flash:computeTokens',
      '/v1beta/models/gemini-2.5-flash:batchGenerateContent',
      '/v1beta/models/gemini-embedding-001:asyncBatchEmbedContent',
      '/v1beta/cachedContents',
      '/v1beta/models',
      '/upload/v1beta/files',
      '/v1internal:loadCodeAssist',
      '/v1internal:countTokens',
      '/v1/projects/p/locations/l/publishers/google/models/imagen-4:predict',
    ]) {
      assert.equal(call({ contents: CONTENTS }, { target }), undefined, target);
    }
    assert.equal(call({ contents: CONTENTS }, { method: 'GET' }), undefined);
    assert.equal(call({ nothing: 1 }), undefined);
  });

  it('says what it asks for', () => {
    const request = call({
      contents: CONTENTS,
      systemInstruction: { parts: [{ text: 'Be brief.' }] },
      tools: [
        {
          functionDeclarations: [
            { name: 'f', description: 'Does f.', parameters: { type: 'OBJECT' } },
            { name: 'g', parametersJsonSchema: { type: 'object' } },
          ],
        },
        { googleSearch: {} },
      ],
      generationConfig: {
        maxOutputTokens: 100,
        temperature: 0.5,
        topP: 0.9,
        topK: 40,
        candidateCount: 2,
        frequencyPenalty: 0.1,
        presencePenalty: 0.2,
        seed: 7,
        stopSequences: ['END'],
        responseMimeType: 'application/json',
        responseSchema: { type: 'OBJECT' },
      },
    })!.request;
    const { systemInstructions, messages, fingerprints, toolResults, toolDefinitions, ...rest } =
      request;
    assert.deepEqual(rest, {
      model: 'gemini-2.5-flash',
      maxTokens: 100,
      temperature: 0.5,
      topP: 0.9,
      topK: 40,
      choiceCount: 2,
      frequencyPenalty: 0.1,
      presencePenalty: 0.2,
      seed: 7,
      stopSequences: ['END'],
      outputType: 'json',
    });
    assert.deepEqual(systemInstructions, [{ type: 'text', content: 'Be brief.' }]);
    assert.deepEqual(messages, [{ role: 'user', parts: [{ type: 'text', content: 'Hi' }] }]);
    assert.equal(fingerprints.length, 1);
    assert.deepEqual(toolResults, []);
    assert.deepEqual(toolDefinitions, [
      { type: 'function', name: 'f', description: 'Does f.', parameters: { type: 'OBJECT' } },
      { type: 'function', name: 'g', parameters: { type: 'object' } },
      { type: 'googleSearch', name: 'googleSearch' },
    ]);
  });

  it('is also understood in snake case, and with one content that is in no list', () => {
    const request = call({
      contents: { parts: [{ inline_data: { mime_type: 'audio/wav', data: 'UklG' } }] },
      system_instruction: { parts: { text: 'Be brief.' } },
      generation_config: { max_output_tokens: 5, response_modalities: ['AUDIO'] },
    })!.request;
    assert.equal(request.maxTokens, 5);
    assert.equal(request.outputType, 'speech');
    assert.deepEqual(request.systemInstructions, [{ type: 'text', content: 'Be brief.' }]);
    assert.deepEqual(request.messages, [
      {
        role: 'user',
        parts: [{ type: 'blob', modality: 'audio', content: 'UklG', mime_type: 'audio/wav' }],
      },
    ]);
  });

  it('brings back results of tools, and its answer is found again', () => {
    const parts = [
      { text: 'Let me see.' },
      { functionCall: { name: 'weather', args: { city: 'Paris' } }, thoughtSignature: 'x' },
    ];
    const answered = runExchange({
      target: PATH,
      request: { contents: CONTENTS },
      status: 200,
      response: JSON.stringify({
        candidates: [{ content: { role: 'model', parts }, finishReason: 'STOP' }],
      }),
    }).call!;
    const history = [
      ...CONTENTS,
      { role: 'model', parts },
      {
        role: 'user',
        parts: [{ functionResponse: { id: 'c1', name: 'weather', response: { sky: 'blue' } } }],
      },
    ];
    const next = call({ contents: history })!.request;
    assert.equal(next.fingerprints[1], answered.response!.fingerprints[0]);
    assert.equal(next.messages[1]!.role, 'assistant');
    assert.deepEqual(next.toolResults, [{ id: 'c1', text: '{"sky":"blue"}' }]);
    assert.deepEqual(call({ contents: history }, {}, false)!.request.toolResults, [
      { id: 'c1', text: '' },
    ]);
  });

  it('keeps the count of tokens of an answer whose content is far beyond the limits', () => {
    const image = { inlineData: { mimeType: 'image/png', data: 'A'.repeat(3_000_000) } };
    const { call: seen } = runExchange(
      {
        target: PATH,
        request: { contents: CONTENTS },
        status: 200,
        response: JSON.stringify({
          candidates: [{ content: { parts: [image] }, finishReason: 'STOP' }],
          usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 1290 },
        }),
      },
      { sizes: [16_384] },
      { maxContentBytes: 1000 },
    );
    assert.deepEqual(seen!.response!.usage, { inputTokens: 3, outputTokens: 1290 });
    assert.deepEqual([...seen!.damage.kinds], ['limit']);
  });
});
