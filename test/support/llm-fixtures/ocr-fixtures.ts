/** Answers of Mistral's OCR. */
import type { Fixture } from './fixture.ts';
import type { WireExchange } from './run-exchange.ts';

const MODEL = 'mistral-ocr-2505-completion';
const NOTHING = { finishReasons: [], messages: [] };

function wire(body: unknown, extra: Partial<WireExchange> = {}): WireExchange {
  return {
    target: '/v1/ocr',
    host: 'api.mistral.ai',
    request: {
      model: 'mistral-ocr-latest',
      document: { type: 'document_url', document_url: 'https://files.test/a.pdf' },
    },
    status: 200,
    response: JSON.stringify(body),
    ...extra,
  };
}

const READ = {
  pages: [{ index: 0, markdown: '# Title', images: [], dimensions: { dpi: 200 } }],
  model: MODEL,
  document_annotation: null,
  usage_info: { pages_processed: 1, doc_size_bytes: 3002 },
};

export const OCR_FIXTURES: readonly Fixture[] = [
  {
    name: 'pages, for which there are no tokens',
    wire: wire(READ),
    expected: { ...NOTHING, provider: 'mistral_ai', model: MODEL, usage: {} },
  },
  {
    name: 'pages read at Azure',
    wire: wire(READ, { target: '/providers/mistral/azure/ocr', host: 'a.services.ai.azure.com' }),
    expected: { ...NOTHING, provider: 'azure.ai.inference', model: MODEL, usage: {} },
  },
  {
    name: 'a document that could not be fetched',
    wire: wire(
      {
        object: 'error',
        message: 'Document could not be fetched',
        type: 'document_parser_too_many_pages',
        param: null,
        code: '3730',
      },
      { status: 422 },
    ),
    expected: {
      ...NOTHING,
      usage: {},
      error: { type: '3730', message: 'Document could not be fetched' },
      noResponse: true,
    },
  },
  {
    name: 'pages that break off',
    wire: wire('', {
      response: '{"model":"mistral-ocr-2505-completion","pages":[{"index":0,"markdown":"# Ti',
      isResponseComplete: false,
    }),
    expected: {
      ...NOTHING,
      model: MODEL,
      usage: {},
      complete: false,
      damage: ['truncated'],
    },
  },
];
