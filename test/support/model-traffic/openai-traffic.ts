/** Exchanges with the APIs of OpenAI and of those who speak them. */
import type { Usage } from '../../../src/llm/model-call.ts';
import { FORM_HEADERS, formOf } from '../llm-fixtures/media-fixtures.ts';
import type { Random } from '../model-server/random.ts';
import {
  type AnswerTruth,
  choiceOf,
  drawReply,
  endTools,
  exchangeOf,
  given,
  isOneIn,
  type Piece,
  type PlannedExchange,
  pick,
  type Reply,
  sse,
  type ToolTruth,
  tellReply,
} from './traffic-plan.ts';

const HOSTS: (readonly [host: string, provider: string, prefix: string])[] = [
  ['api.openai.com', 'openai', '/v1'],
  ['api.groq.com', 'groq', '/openai/v1'],
  ['api.mistral.ai', 'mistral_ai', '/v1'],
  ['api.deepseek.com', 'deepseek', '/v1'],
  ['openrouter.ai', 'openrouter', '/api/v1'],
  ['api.together.xyz', 'together_ai', '/v1'],
  ['gpu-7.test:8000', 'openai', '/v1'],
];

function place(random: Random, api: PlannedExchange['api'], path: string) {
  const [host, provider, prefix] = pick(random, ...HOSTS);
  return { api, host, provider, target: `${prefix}${path}` };
}

/** OpenAI counts what is cached, and what was only thought, within the whole. */
function usageOf(reply: Reply): { wire: object; truth: Usage } {
  return {
    wire: {
      prompt_tokens: reply.input,
      completion_tokens: reply.output,
      total_tokens: reply.input + reply.output,
      prompt_tokens_details: { cached_tokens: reply.cacheRead },
      completion_tokens_details: { reasoning_tokens: reply.reasoning },
    },
    truth: {
      inputTokens: reply.input,
      outputTokens: reply.output,
      cacheReadInputTokens: reply.cacheRead,
      reasoningOutputTokens: reply.reasoning,
    },
  };
}

function finishOf(reply: Reply): string {
  return reply.isCutByLimit ? 'length' : reply.tools.length > 0 ? 'tool_calls' : 'stop';
}

function refusal(random: Random): { status: number; code: string; body: object } {
  const [status, code] = pick(
    random,
    [429, 'rate_limit_exceeded'] as const,
    [400, 'context_length_exceeded'] as const,
    [500, 'server_error'] as const,
  );
  return { status, code, body: { error: { message: 'No.', type: 'some_error', code } } };
}

/** The same exchange, refused. */
export function refused(exchange: PlannedExchange, random: Random): PlannedExchange {
  const { status, code, body } = refusal(random);
  return {
    ...exchange,
    status,
    isStream: false,
    responseHeaders: [['content-type', 'application/json']],
    pieces: [
      {
        bytes: Buffer.from(JSON.stringify(body)),
        tell(truth) {
          truth.errorCode = code;
        },
      },
    ],
  };
}

export function chatCompletions(random: Random): PlannedExchange {
  const replies = Array.from({ length: pick(random, 1, 1, 1, 2, 3) }, () => drawReply(random));
  const [first] = replies as [Reply];
  const isStream = isOneIn(random, 2);
  const request = {
    model: first.model.slice(0, 7),
    n: replies.length,
    stream: isStream,
    messages: [{ role: 'user', content: random.text(30) }],
  };
  const at = place(random, 'openai.chat_completions', '/chat/completions');
  const { wire, truth: counted } = usageOf(first);
  if (isStream) {
    return exchangeOf(at, request, chatStream(random, replies));
  }
  const choices = replies.map((reply, index) => ({
    index,
    message: {
      role: 'assistant',
      content: reply.texts.join('') || null,
      ...(reply.tools.length === 0 ? {} : { tool_calls: reply.tools.map(wireTool) }),
    },
    finish_reason: finishOf(reply),
  }));
  return exchangeOf(at, request, {
    body: { id: first.id, object: 'chat.completion', model: first.model, choices, usage: wire },
    tell(truth) {
      Object.assign(truth, { id: first.id, model: first.model, usage: counted });
      replies.forEach((reply, index) => {
        tellReply(truth, reply, finishOf(reply), index);
      });
    },
  });
}

function wireTool({ id, name, pieces }: Reply['tools'][number]): object {
  return { id, type: 'function', function: { name, arguments: pieces.join('') } };
}

function chatStream(random: Random, replies: readonly Reply[]): Piece[] {
  const [first] = replies as [Reply];
  const usageAt = pick(random, 'none', 'empty-choices', 'last-choice', 'every', 'vendor');
  const newline = pick(random, '\n', '\r\n');
  const { wire, truth: counted } = usageOf(first);
  const head = { id: first.id, object: 'chat.completion.chunk', model: first.model };

  function chunk(choices: object[], tell: Piece['tell'], rest: object = {}): Piece {
    const tellAll: Piece['tell'] = (truth) => {
      truth.id ??= first.id;
      truth.model ??= first.model;
      tell(truth);
      if ('usage' in rest || 'x_groq' in rest) {
        truth.usage = counted;
      }
    };
    return sse({ ...head, choices, ...rest }, tellAll, undefined, newline);
  }

  const every = usageAt === 'every' ? { usage: wire } : {};
  const queues = replies.map((reply, index) => choiceChunks(reply, index));
  const pieces: Piece[] = isOneIn(random, 4) ? [comment()] : [];
  const isFailing = isOneIn(random, 12);
  while (queues.some((queue) => queue.length > 0)) {
    const queue = pick(random, ...queues.filter(({ length }) => length > 0));
    const { choice, tell } = queue.shift()!;
    const isLast = queues.every(({ length }) => length === 0);
    const rest = isLast && usageAt === 'last-choice' ? { usage: wire } : every;
    pieces.push(chunk([choice], tell, rest));
    if (isFailing && !isLast) {
      const error = { error: { message: 'Broken.', code: 'upstream_failed' } };
      pieces.push(
        sse(error, (truth) => {
          truth.errorCode = 'upstream_failed';
        }),
      );
      return pieces;
    }
  }
  if (usageAt === 'empty-choices') {
    pieces.push(chunk([], () => {}, { usage: wire }));
  } else if (usageAt === 'vendor') {
    pieces.push(chunk([], () => {}, { x_groq: { usage: wire } }));
  }
  pieces.push(
    sse('[DONE]', (truth) => {
      truth.isComplete = true;
    }),
  );
  return pieces;
}

function comment(): Piece {
  return { bytes: Buffer.from(': PROCESSING\n\n'), tell() {} };
}

interface ChoiceChunk {
  choice: object;
  tell: Piece['tell'];
}

function choiceChunks(reply: Reply, index: number): ChoiceChunk[] {
  const chunks: ChoiceChunk[] = [];
  function add(delta: object, tell: Piece['tell'], finishReason: string | null = null): void {
    chunks.push({ choice: { index, delta, finish_reason: finishReason }, tell });
  }
  add({ role: 'assistant', content: '' }, (truth) => {
    choiceOf(truth, index);
  });
  for (const text of reply.texts) {
    add({ content: text }, (truth) => {
      choiceOf(truth, index).text += text;
    });
  }
  reply.tools.forEach(({ id, name, pieces }, position) => {
    const called = { index: position, id, type: 'function', function: { name, arguments: '' } };
    add({ tool_calls: [called] }, (truth) => {
      choiceOf(truth, index).tools.push({ id, name, argumentsText: '' });
    });
    for (const piece of pieces) {
      add({ tool_calls: [{ index: position, function: { arguments: piece } }] }, (truth) => {
        choiceOf(truth, index).tools[position]!.argumentsText += piece;
      });
    }
  });
  add(
    {},
    (truth) => {
      const choice = choiceOf(truth, index);
      choice.finishReason = finishOf(reply);
      endTools(truth, choice.tools);
    },
    finishOf(reply),
  );
  return chunks;
}

export function responses(random: Random): PlannedExchange {
  const reply = drawReply(random);
  const isStream = isOneIn(random, 2);
  const request = { model: 'gpt-5', stream: isStream, input: random.text(20) };
  const at = place(random, 'openai.responses', '/responses');
  const status = reply.isCutByLimit ? 'incomplete' : 'completed';
  const usage = {
    input_tokens: reply.input,
    input_tokens_details: { cached_tokens: reply.cacheRead },
    output_tokens: reply.output,
    output_tokens_details: { reasoning_tokens: reply.reasoning },
  };
  const message = (text: string) => ({
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    content: [{ type: 'output_text', text, annotations: [] }],
  });
  const call = ({ id, name, pieces }: Reply['tools'][number], isOver = true) => ({
    id: `fc_${id}`,
    type: 'function_call',
    call_id: id,
    name,
    arguments: isOver ? pieces.join('') : '',
  });
  const output = [message(reply.texts.join('')), ...reply.tools.map((tool) => call(tool))];
  const response = (state: string, rest: object = {}) => ({
    id: reply.id,
    object: 'response',
    status: state,
    model: reply.model,
    output: [],
    usage: null,
    ...rest,
  });
  const over = {
    output,
    usage,
    incomplete_details: reply.isCutByLimit ? { reason: 'max_output_tokens' } : null,
  };
  const finishReason = reply.isCutByLimit ? 'max_output_tokens' : 'completed';
  const counted = usageOf(reply).truth;
  const whole = {
    body: response(status, over),
    tell(truth: AnswerTruth) {
      Object.assign(truth, { id: reply.id, model: reply.model, usage: counted });
      tellReply(truth, reply, finishReason);
    },
  };
  if (!isStream && isOneIn(random, 3)) {
    return inBackground(at, request, response(pick(random, 'queued', 'in_progress')), whole);
  }
  if (!isStream) {
    return exchangeOf(at, request, whole);
  }

  const pieces: Piece[] = [];
  function add(type: string, rest: object, tell: Piece['tell'] = () => {}): void {
    const event = { type: `response.${type}`, sequence_number: pieces.length, ...rest };
    pieces.push(sse(event, tell, event.type));
  }
  add('created', { response: response('in_progress') }, (truth) => {
    Object.assign(truth, { id: reply.id, model: reply.model });
  });
  add('output_item.added', { output_index: 0, item: { ...message(''), content: [] } });
  for (const delta of reply.texts) {
    add('output_text.delta', { output_index: 0, content_index: 0, delta }, (truth) => {
      choiceOf(truth, 0).text += delta;
    });
  }
  add('output_item.done', { output_index: 0, item: message(reply.texts.join('')) });
  reply.tools.forEach((tool, position) => {
    const index = { output_index: position + 1 };
    const known: ToolTruth = { id: tool.id, name: tool.name, argumentsText: '' };
    add('output_item.added', { ...index, item: call(tool, false) }, (truth) => {
      choiceOf(truth, 0).tools.push(known);
    });
    for (const delta of tool.pieces) {
      add('function_call_arguments.delta', { ...index, delta }, () => {
        known.argumentsText += delta;
      });
    }
    add('output_item.done', { ...index, item: call(tool) }, (truth) => endTools(truth, [known]));
  });
  if (isOneIn(random, 12)) {
    const error = { code: 'server_error', message: 'Broken.' };
    add('failed', { response: response('failed', { error }) }, (truth) => {
      truth.errorCode = 'server_error';
    });
    return exchangeOf(at, request, pieces);
  }
  add(status, { response: response(status, over) }, (truth) => {
    truth.usage = counted;
    choiceOf(truth, 0).finishReason = finishReason;
    truth.isComplete = true;
  });
  return exchangeOf(at, request, pieces);
}

/** A response of which the POST only says that it was begun: the rest is fetched. */
function inBackground(
  at: ReturnType<typeof place>,
  request: { input: string },
  begun: { id: string; model: string },
  whole: { body: { id: string }; tell: Piece['tell'] },
): PlannedExchange {
  const tell: Piece['tell'] = (truth) => {
    Object.assign(truth, { id: begun.id, model: begun.model });
    choiceOf(truth, 0);
  };
  const fetched = {
    ...at,
    api: 'openai.stored_response',
    target: `${at.target}/${begun.id}`,
  } as const;
  const next = exchangeOf(fetched, {}, whole, {
    method: 'GET',
    request: Buffer.alloc(0),
    requestHeaders: [],
  });
  return exchangeOf(at, { ...request, background: true }, { body: begun, tell }, { next });
}

/** A conversation that is made shorter. */
export function compaction(random: Random): PlannedExchange {
  const reply = drawReply(random);
  const repeated = { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'a' }] };
  return exchangeOf(
    place(random, 'openai.compactions', '/responses/compact'),
    { model: 'gpt-5', input: [repeated] },
    {
      body: {
        id: reply.id,
        object: 'response.compaction',
        output: [repeated, { type: 'compaction', encrypted_content: random.token(40) }],
        usage: { input_tokens: reply.input, output_tokens: reply.output },
      },
      tell(truth) {
        truth.id = reply.id;
        truth.usage = { inputTokens: reply.input, outputTokens: reply.output };
      },
    },
  );
}

export function completions(random: Random): PlannedExchange {
  const reply = drawReply(random);
  const isStream = isOneIn(random, 2);
  const text = reply.texts.join('') || '.';
  const request = { model: 'davinci', prompt: random.text(20), stream: isStream };
  const at = place(random, 'openai.completions', '/completions');
  const usage = { prompt_tokens: reply.input, completion_tokens: reply.output };
  const counted = { inputTokens: reply.input, outputTokens: reply.output };
  const head = { id: reply.id, object: 'text_completion', model: reply.model };
  const end: Piece['tell'] = (truth) => {
    choiceOf(truth, 0).finishReason = 'stop';
    truth.usage = counted;
  };
  const begin: Piece['tell'] = (truth) => {
    Object.assign(truth, { id: reply.id, model: reply.model });
  };
  if (!isStream) {
    const choices = [{ index: 0, text, finish_reason: 'stop' }];
    return exchangeOf(at, request, {
      body: { ...head, choices, usage },
      tell(truth) {
        begin(truth);
        choiceOf(truth, 0).text = text;
        end(truth);
      },
    });
  }
  return exchangeOf(at, request, [
    ...[...text].map((character) =>
      sse({ ...head, choices: [{ index: 0, text: character, finish_reason: null }] }, (truth) => {
        begin(truth);
        choiceOf(truth, 0).text += character;
      }),
    ),
    sse({ ...head, choices: [{ index: 0, text: '', finish_reason: 'stop' }], usage }, end),
    sse('[DONE]', (truth) => {
      truth.isComplete = true;
    }),
  ]);
}

export function embeddings(random: Random): PlannedExchange {
  const input = random.int(1, 999);
  const data = [{ object: 'embedding', index: 0, embedding: [0.5, -1e-9, random.int(1, 9)] }];
  return exchangeOf(
    place(random, 'openai.embeddings', '/embeddings'),
    { model: 'embed', input: random.text(30) },
    {
      body: { object: 'list', data, model: 'embed-1', usage: { prompt_tokens: input } },
      tell(truth) {
        Object.assign(truth, { model: 'embed-1', usage: { inputTokens: input } });
      },
    },
  );
}

export function moderations(random: Random): PlannedExchange {
  const id = `modr-${random.token(6)}`;
  return exchangeOf(
    place(random, 'openai.moderations', '/moderations'),
    { model: 'omni', input: [random.text(30)] },
    {
      body: { id, model: 'omni-1', results: [{ flagged: false }] },
      tell(truth) {
        Object.assign(truth, { id, model: 'omni-1' });
      },
    },
  );
}

export function images(random: Random): PlannedExchange {
  const text = random.int(1, 99);
  const image = random.int(1, 99);
  const output = random.int(100, 5000);
  const usage = {
    input_tokens: text + image,
    output_tokens: output,
    input_tokens_details: { text_tokens: text, image_tokens: image },
  };
  const counted: Usage = {
    inputTokens: text + image,
    outputTokens: output,
    byModality: { text: { inputTokens: text }, image: { inputTokens: image } },
  };
  const picture = { b64_json: random.bytes(90).toString('base64') };
  const tell: Piece['tell'] = (truth) => {
    truth.usage = counted;
    truth.isComplete = true;
  };
  const isStream = isOneIn(random, 3);
  if (isStream || isOneIn(random, 2)) {
    const request = { model: 'gpt-image-1', prompt: random.text(20), stream: isStream };
    return exchangeOf(
      place(random, 'openai.images', '/images/generations'),
      request,
      isStream
        ? [
            sse({ type: 'image_generation.partial_image', partial_image_index: 0, ...picture }),
            sse({ type: 'image_generation.completed', ...picture, usage }, tell),
          ]
        : { body: { created: 1, data: [picture], usage }, tell },
    );
  }
  const form = formOf({ model: 'gpt-image-1', prompt: random.token(9) }, 'image');
  return exchangeOf(
    place(random, 'openai.images', '/images/edits'),
    {},
    { body: { created: 1, data: [picture], usage }, tell },
    {
      requestModel: 'gpt-image-1',
      request: Buffer.from(form),
      requestHeaders: [['content-type', FORM_HEADERS['Content-Type']]],
    },
  );
}

/** A text that is spoken: the answer is sound, of which nothing is read. */
export function speech(random: Random): PlannedExchange {
  return exchangeOf(
    place(random, 'openai.audio', '/audio/speech'),
    { model: 'tts-1', voice: 'alloy', input: random.text(20) },
    { body: {} },
    {
      responseHeaders: [['content-type', 'audio/mpeg']],
      pieces: [
        {
          bytes: random.bytes(random.int(1, 5000)),
          tell(truth) {
            truth.isComplete = true;
          },
        },
      ],
    },
  );
}

export function transcription(random: Random): PlannedExchange {
  const input = random.int(1, 500);
  const output = random.int(1, 500);
  const isStream = isOneIn(random, 2);
  const usage = {
    type: 'tokens',
    input_tokens: input,
    input_token_details: { text_tokens: 0, audio_tokens: input },
    output_tokens: output,
  };
  const tell: Piece['tell'] = (truth) => {
    truth.usage = {
      ...given({ inputTokens: input, outputTokens: output }),
      byModality: { audio: { inputTokens: input } },
    };
    truth.isComplete = true;
  };
  const form = formOf({ model: 'transcribe-1', ...(isStream ? { stream: 'true' } : {}) }, 'file');
  return exchangeOf(
    place(random, 'openai.audio', '/audio/transcriptions'),
    {},
    isStream
      ? [
          sse({ type: 'transcript.text.delta', delta: random.text(9) }),
          sse({ type: 'transcript.text.done', text: random.text(9), usage }, tell),
        ]
      : { body: { text: random.text(40), usage }, tell },
    {
      requestModel: 'transcribe-1',
      request: Buffer.from(form),
      requestHeaders: [['content-type', FORM_HEADERS['Content-Type']]],
    },
  );
}

/** What such a server is asked beside model calls. */
export function noCall(random: Random): PlannedExchange {
  const [method, path, request] = pick(
    random,
    ['GET', '/models', undefined] as const,
    ['GET', '/responses/resp_1', undefined] as const,
    ['POST', '/messages/count_tokens', { model: 'm', messages: [] }] as const,
    ['POST', '/batches', { input_file_id: 'f', endpoint: '/v1/chat/completions' }] as const,
    ['POST', '/chat/completions', { question: 1 }] as const,
  );
  return exchangeOf(
    { ...place(random, undefined, path), api: undefined },
    request ?? {},
    { body: { id: 'resp_1', usage: { input_tokens: 5, output_tokens: 6 }, data: [] } },
    { method, ...(request === undefined ? { request: Buffer.alloc(0), requestHeaders: [] } : {}) },
  );
}
