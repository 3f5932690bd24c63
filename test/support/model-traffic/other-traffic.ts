/** Exchanges with the APIs of Anthropic, Google, Ollama, Cohere and Amazon Bedrock. */
import type { Usage } from '../../../src/llm/model-call.ts';
import { awsEvent, awsException } from '../aws-event-stream.ts';
import type { Random } from '../model-server/random.ts';
import {
  type AnswerTruth,
  choiceOf,
  drawReply,
  endTools,
  exchangeOf,
  given,
  isOneIn,
  JSON_TYPE,
  line,
  type Piece,
  type PlannedExchange,
  pick,
  type Reply,
  sse,
  type ToolTruth,
  tellReply,
} from './traffic-plan.ts';

type Event = { type: string; [member: string]: unknown };
type Told = readonly [event: Event, tell: Piece['tell']];

/** The parts of the arguments' text, which is JSON. */
function objectOf(pieces: readonly string[]): unknown {
  return JSON.parse(pieces.join(''));
}

function claudeReason(reply: Reply): string {
  return reply.isCutByLimit ? 'max_tokens' : reply.tools.length > 0 ? 'tool_use' : 'end_turn';
}

function claudeUsage(reply: Reply): { wire: object; truth: Usage } {
  return {
    wire: {
      input_tokens: reply.input,
      cache_read_input_tokens: reply.cacheRead,
      cache_creation_input_tokens: reply.cacheWrite,
      output_tokens: reply.output,
    },
    truth: {
      inputTokens: reply.input + reply.cacheRead + reply.cacheWrite,
      cacheReadInputTokens: reply.cacheRead,
      cacheCreationInputTokens: reply.cacheWrite,
      outputTokens: reply.output,
    },
  };
}

/** The events of Claude's messages, whatever carries them. */
function claudeEvents(random: Random, reply: Reply): Told[] {
  const { wire, truth: counted } = claudeUsage(reply);
  const start = {
    id: reply.id,
    type: 'message',
    role: 'assistant',
    model: reply.model,
    content: [],
    usage: { ...wire, output_tokens: 1 },
  };
  const told: Told[] = [
    [
      { type: 'message_start', message: start },
      (truth) => {
        Object.assign(truth, { id: reply.id, model: reply.model });
        truth.usage = { ...counted, outputTokens: 1 };
      },
    ],
  ];
  const add = (event: Event, tell: Piece['tell'] = () => {}) => told.push([event, tell]);
  if (isOneIn(random, 3)) {
    add({ type: 'ping' });
  }
  add({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } });
  for (const text of reply.texts) {
    add({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }, (truth) => {
      choiceOf(truth, 0).text += text;
    });
  }
  add({ type: 'content_block_stop', index: 0 });
  reply.tools.forEach(({ id, name, pieces }, position) => {
    const index = position + 1;
    const known: ToolTruth = { id, name, argumentsText: '' };
    const block = { type: 'tool_use', id, name, input: {} };
    add({ type: 'content_block_start', index, content_block: block }, (truth) => {
      choiceOf(truth, 0).tools.push(known);
    });
    for (const piece of pieces) {
      const delta = { type: 'input_json_delta', partial_json: piece };
      add({ type: 'content_block_delta', index, delta }, () => {
        known.argumentsText += piece;
      });
    }
    add({ type: 'content_block_stop', index }, (truth) => endTools(truth, [known]));
  });
  const isRepeated = isOneIn(random, 2);
  add(
    {
      type: 'message_delta',
      delta: { stop_reason: claudeReason(reply) },
      usage: isRepeated ? wire : { output_tokens: reply.output },
    },
    (truth) => {
      truth.usage = counted;
      choiceOf(truth, 0).finishReason = claudeReason(reply);
    },
  );
  add({ type: 'message_stop' }, (truth) => {
    truth.isComplete = true;
  });
  return told;
}

/** The events up to some point, and an error instead of the rest. */
function failing(random: Random, told: readonly Told[]): Told[] {
  const error = { type: 'overloaded_error', message: 'Overloaded' };
  return [
    ...told.slice(0, random.int(1, told.length - 2)),
    [
      { type: 'error', error },
      (truth) => {
        truth.errorCode = 'overloaded_error';
      },
    ],
  ];
}

function claudeBody(reply: Reply): { body: object; tell: Piece['tell'] } {
  const { wire, truth: counted } = claudeUsage(reply);
  const content = [
    ...reply.texts.map((text) => ({ type: 'text', text })),
    ...reply.tools.map(({ id, name, pieces }) => ({
      type: 'tool_use',
      id,
      name,
      input: objectOf(pieces),
    })),
  ];
  return {
    body: {
      id: reply.id,
      type: 'message',
      role: 'assistant',
      model: reply.model,
      content,
      stop_reason: claudeReason(reply),
      usage: wire,
    },
    tell(truth) {
      Object.assign(truth, { id: reply.id, model: reply.model, usage: counted });
      tellReply(truth, reply, claudeReason(reply));
    },
  };
}

const MESSAGES = [{ role: 'user', content: 'Tell me.' }];

export function anthropicMessages(random: Random): PlannedExchange {
  const reply = drawReply(random);
  const isStream = isOneIn(random, 2);
  const request = { model: 'claude', max_tokens: 99, stream: isStream, messages: MESSAGES };
  const at = {
    api: 'anthropic.messages',
    host: 'api.anthropic.com',
    provider: 'anthropic',
    target: '/v1/messages?beta=true',
  } as const;
  if (!isStream) {
    return exchangeOf(at, request, claudeBody(reply));
  }
  const told = claudeEvents(random, reply);
  const sent = isOneIn(random, 12) ? failing(random, told) : told;
  return exchangeOf(
    at,
    request,
    sent.map(([event, tell]) => sse(event, tell, event.type)),
  );
}

/** Claude at Vertex AI: the path names the model. */
export function claudeOnVertex(random: Random): PlannedExchange {
  const planned = anthropicMessages(random);
  const model = 'claude-sonnet-4-5@20250929';
  const method = planned.isStream ? 'streamRawPredict' : 'rawPredict';
  const request = { anthropic_version: 'vertex-2023-10-16', max_tokens: 99, messages: MESSAGES };
  const place = '/v1/projects/p1/locations/europe-west1/publishers/anthropic/models';
  return {
    ...planned,
    requestModel: model,
    host: 'europe-west1-aiplatform.googleapis.com',
    provider: 'gcp.vertex_ai',
    target: `${place}/${model}:${method}`,
    request: Buffer.from(JSON.stringify(request)),
  };
}

/** Completions of a prompt in the shapes of three families. */
export function bedrockText(random: Random): PlannedExchange {
  const { texts, input, output } = drawReply(random);
  const said = texts.length === 0 ? ['.'] : texts;
  const isStream = isOneIn(random, 2);
  const family = pick(random, TITAN, LLAMA, MISTRAL);
  const method = isStream ? 'invoke-with-response-stream' : 'invoke';
  const at = bedrockPlace('bedrock.invoke_model', family.model, method);
  const pieces = isStream ? said : [said.join('')];
  const bodies = pieces.map((text, index): readonly [object, Piece['tell']] => {
    const isLast = index === pieces.length - 1;
    const metrics = { inputTokenCount: input, outputTokenCount: output };
    const own = family.body(text, isLast ? { input, output } : undefined, isStream);
    return [
      isStream && isLast ? { ...own, 'amazon-bedrock-invocationMetrics': metrics } : own,
      (truth) => {
        choiceOf(truth, 0).text += text;
        if (isLast) {
          truth.usage = { inputTokens: input, outputTokens: output };
          choiceOf(truth, 0).finishReason = family.reason;
          truth.isComplete = true;
        }
      },
    ];
  });
  const more = { requestModel: family.model };
  if (!isStream) {
    const [body, tell] = bodies[0]!;
    const counts: [string, string][] = [
      ['x-amzn-bedrock-input-token-count', String(input)],
      ['x-amzn-bedrock-output-token-count', String(output)],
    ];
    const responseHeaders = [JSON_TYPE, ...counts];
    return exchangeOf(at, family.request, { body, tell }, { ...more, responseHeaders });
  }
  const chunks = bodies.map(([body, tell]): Piece => {
    const bytes = Buffer.from(JSON.stringify(body)).toString('base64');
    return { bytes: awsEvent('chunk', { bytes }), tell };
  });
  return exchangeOf(at, family.request, chunks, { ...more, responseHeaders: [AWS_TYPE] });
}

interface TextFamily {
  model: string;
  request: object;
  reason: string;
  /** `end`: what the last body, or the only one, has beside its text. */
  body(text: string, end: { input: number; output: number } | undefined, isStream: boolean): object;
}

const TITAN: TextFamily = {
  model: 'amazon.titan-text-express-v1',
  request: { inputText: 'Say.', textGenerationConfig: { maxTokenCount: 9 } },
  reason: 'FINISH',
  body: (outputText, end, isStream) =>
    isStream
      ? {
          outputText,
          index: 0,
          totalOutputTextTokenCount: end?.output ?? null,
          completionReason: end === undefined ? null : 'FINISH',
          inputTextTokenCount: end?.input ?? null,
        }
      : {
          inputTextTokenCount: end?.input,
          results: [{ tokenCount: end?.output, outputText, completionReason: 'FINISH' }],
        },
};
const LLAMA: TextFamily = {
  model: 'us.meta.llama3-3-70b-instruct-v1:0',
  request: { prompt: 'Say.', max_gen_len: 9 },
  reason: 'stop',
  body: (generation, end) => ({
    generation,
    prompt_token_count: end?.input ?? null,
    generation_token_count: end?.output ?? null,
    stop_reason: end === undefined ? null : 'stop',
  }),
};
/** Says nothing of tokens itself. */
const MISTRAL: TextFamily = {
  model: 'mistral.mistral-7b-instruct-v0:2',
  request: { prompt: 'Say.', max_tokens: 9 },
  reason: 'length',
  body: (text, end) => ({
    outputs: [{ text, stop_reason: end === undefined ? null : 'length' }],
  }),
};

export function bedrockEmbeddings(random: Random): PlannedExchange {
  const tokens = random.int(1, 999);
  const id = random.token(9);
  const isTitan = isOneIn(random, 2);
  const model = isTitan ? 'amazon.titan-embed-text-v2:0' : 'cohere.embed-english-v3';
  return exchangeOf(
    bedrockPlace('bedrock.invoke_model', model, 'invoke'),
    isTitan
      ? { inputText: random.text(9) }
      : { texts: [random.text(9)], input_type: 'search_query' },
    {
      body: isTitan
        ? { embedding: [0.5], inputTextTokenCount: tokens }
        : { id, embeddings: [[0.5]], response_type: 'embeddings_floats' },
      tell(truth) {
        truth.usage = { inputTokens: tokens };
        if (!isTitan) {
          truth.id = id;
        }
      },
    },
    {
      requestModel: model,
      responseHeaders: [JSON_TYPE, ['x-amzn-bedrock-input-token-count', String(tokens)]],
    },
  );
}

export function bedrockInvoke(random: Random): PlannedExchange {
  const reply = drawReply(random);
  const isStream = isOneIn(random, 2);
  const model = 'anthropic.claude-sonnet-4-5-20250929-v1:0';
  const request = { anthropic_version: 'bedrock-2023-05-31', max_tokens: 9, messages: MESSAGES };
  const method = isStream ? 'invoke-with-response-stream' : 'invoke';
  const at = bedrockPlace('bedrock.invoke_model', model, method);
  if (!isStream) {
    return exchangeOf(at, request, claudeBody(reply), { requestModel: model });
  }
  const pieces = claudeEvents(random, reply).map(([event, tell]): Piece => {
    const bytes = Buffer.from(JSON.stringify(event)).toString('base64');
    return { bytes: awsEvent('chunk', { bytes, p: 'abc' }), tell };
  });
  return exchangeOf(at, request, pieces, { requestModel: model, responseHeaders: [AWS_TYPE] });
}

const AWS_TYPE: [string, string] = ['content-type', 'application/vnd.amazon.eventstream'];

function bedrockPlace(api: PlannedExchange['api'], model: string, method: string) {
  return {
    api,
    host: 'bedrock-runtime.eu-central-1.amazonaws.com',
    provider: 'aws.bedrock',
    target: `/model/${encodeURIComponent(model)}/${method}`,
  };
}

export function bedrockConverse(random: Random): PlannedExchange {
  const reply = drawReply(random);
  const isStream = isOneIn(random, 2);
  const model = 'arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.model-v1:0';
  const request = { messages: [{ role: 'user', content: [{ text: random.text(20) }] }] };
  const at = bedrockPlace('bedrock.converse', model, isStream ? 'converse-stream' : 'converse');
  const more = { requestModel: model };
  const stopReason = claudeReason(reply);
  const usage = {
    inputTokens: reply.input,
    outputTokens: reply.output,
    cacheReadInputTokens: reply.cacheRead,
    cacheWriteInputTokens: reply.cacheWrite,
    totalTokens: reply.input + reply.output + reply.cacheRead + reply.cacheWrite,
  };
  const counted = claudeUsage(reply).truth;
  if (!isStream) {
    const content = [
      ...reply.texts.map((text) => ({ text })),
      ...reply.tools.map(({ id, name, pieces }) => ({
        toolUse: { toolUseId: id, name, input: objectOf(pieces) },
      })),
    ];
    const body = { output: { message: { role: 'assistant', content } }, stopReason, usage };
    return exchangeOf(
      at,
      request,
      {
        body,
        tell(truth) {
          truth.usage = counted;
          tellReply(truth, reply, stopReason);
        },
      },
      more,
    );
  }
  const pieces: Piece[] = [];
  const add = (type: string, body: object, tell: Piece['tell'] = () => {}) =>
    pieces.push({ bytes: awsEvent(type, { ...body, p: 'abcd' }), tell });
  add('messageStart', { role: 'assistant' });
  for (const text of reply.texts) {
    add('contentBlockDelta', { delta: { text }, contentBlockIndex: 0 }, (truth) => {
      choiceOf(truth, 0).text += text;
    });
  }
  add('contentBlockStop', { contentBlockIndex: 0 });
  reply.tools.forEach(({ id, name, pieces: parts }, position) => {
    const contentBlockIndex = position + 1;
    const known: ToolTruth = { id, name, argumentsText: '' };
    const start = { toolUse: { toolUseId: id, name } };
    add('contentBlockStart', { start, contentBlockIndex }, (truth) => {
      choiceOf(truth, 0).tools.push(known);
    });
    for (const input of parts) {
      add('contentBlockDelta', { delta: { toolUse: { input } }, contentBlockIndex }, () => {
        known.argumentsText += input;
      });
    }
    add('contentBlockStop', { contentBlockIndex }, (truth) => endTools(truth, [known]));
  });
  if (isOneIn(random, 12)) {
    pieces.push({
      bytes: awsException('throttlingException', 'Slow down'),
      tell(truth) {
        truth.errorCode = 'throttlingException';
      },
    });
  } else {
    add('messageStop', { stopReason }, (truth) => {
      choiceOf(truth, 0).finishReason = stopReason;
    });
    add('metadata', { usage, metrics: { latencyMs: 3 } }, (truth) => {
      truth.usage = counted;
      truth.isComplete = true;
    });
  }
  return exchangeOf(at, request, pieces, { ...more, responseHeaders: [AWS_TYPE] });
}

export function gemini(random: Random): PlannedExchange {
  const reply = drawReply(random);
  const form = pick(random, 'json', 'sse', 'array');
  const method = form === 'json' ? 'generateContent' : 'streamGenerateContent';
  const isVertex = isOneIn(random, 3);
  const model = 'gemini-2.5-flash';
  const prefix = isVertex ? '/v1/projects/p/locations/l/publishers/google' : '/v1beta';
  const at = {
    api: 'gemini.generate_content',
    host: isVertex ? 'eu-aiplatform.googleapis.com' : 'generativelanguage.googleapis.com',
    provider: isVertex ? 'gcp.vertex_ai' : 'gcp.gemini',
    target: `${prefix}/models/${model}:${method}${form === 'sse' ? '?alt=sse' : ''}`,
  } as const;
  const request = { contents: [{ role: 'user', parts: [{ text: random.text(20) }] }] };
  const finishReason = reply.isCutByLimit ? 'MAX_TOKENS' : 'STOP';
  const usageMetadata = {
    promptTokenCount: reply.input,
    candidatesTokenCount: reply.output,
    thoughtsTokenCount: reply.reasoning,
    toolUsePromptTokenCount: reply.cacheWrite,
    cachedContentTokenCount: reply.cacheRead,
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: reply.input }],
  };
  const counted: Usage = {
    inputTokens: reply.input + reply.cacheWrite,
    outputTokens: reply.output + reply.reasoning,
    cacheReadInputTokens: reply.cacheRead,
    reasoningOutputTokens: reply.reasoning,
    byModality: { text: { inputTokens: reply.input } },
  };
  const head = { modelVersion: reply.model, responseId: reply.id };
  const hasIds = isOneIn(random, 2);
  const parts: { part: object; tell(truth: AnswerTruth): void }[] = [
    ...reply.texts.map((text) => ({
      part: { text },
      tell(truth: AnswerTruth) {
        choiceOf(truth, 0).text += text;
      },
    })),
    ...reply.tools.map(({ id, name, pieces }) => ({
      part: { functionCall: { ...(hasIds ? { id } : {}), name, args: objectOf(pieces) } },
      tell(truth: AnswerTruth) {
        const tool: ToolTruth = { name, argumentsText: pieces.join('') };
        const known = hasIds ? { id, ...tool } : tool;
        choiceOf(truth, 0).tools.push(known);
        endTools(truth, [known]);
      },
    })),
  ];
  const end = (truth: AnswerTruth): void => {
    Object.assign(truth, { id: reply.id, model: reply.model, usage: counted });
    choiceOf(truth, 0).finishReason = finishReason;
  };
  const candidate = (list: object[], rest: object = {}) => ({
    candidates: [{ content: { role: 'model', parts: list }, index: 0, ...rest }],
    ...head,
  });
  const more = { requestModel: model };
  if (form === 'json') {
    const all = parts.map(({ part }) => part);
    return exchangeOf(
      at,
      request,
      {
        body: { ...candidate(all, { finishReason }), usageMetadata },
        tell(truth) {
          for (const { tell } of parts) {
            tell(truth);
          }
          end(truth);
        },
      },
      more,
    );
  }
  const chunks = parts.map(({ part, tell }): [object, Piece['tell']] => [
    { ...candidate([part]), usageMetadata: { promptTokenCount: reply.input } },
    (truth) => {
      Object.assign(truth, { id: reply.id, model: reply.model });
      truth.usage = { inputTokens: reply.input };
      tell(truth);
    },
  ]);
  chunks.push([{ ...candidate([], { finishReason }), usageMetadata }, end]);
  if (form === 'sse') {
    const pieces = chunks.map(([chunk, tell], index) =>
      sse(
        chunk,
        (truth) => {
          tell(truth);
          truth.isComplete = index === chunks.length - 1;
        },
        undefined,
        '\r\n',
      ),
    );
    return exchangeOf(at, request, pieces, more);
  }
  const pieces = chunks.map(([chunk, tell], index): Piece => {
    const text = `${index === 0 ? '[' : ',\r\n'}${JSON.stringify(chunk)}`;
    return { bytes: Buffer.from(text), tell };
  });
  pieces.push({
    bytes: Buffer.from('\n]\n'),
    tell(truth) {
      truth.isComplete = true;
    },
  });
  const responseHeaders: [string, string][] = [['content-type', 'application/json']];
  return exchangeOf(at, request, pieces, { ...more, responseHeaders });
}

export function geminiEmbeddings(random: Random): PlannedExchange {
  const tokens = random.int(1, 999);
  return exchangeOf(
    {
      api: 'gemini.embeddings',
      host: 'generativelanguage.googleapis.com',
      provider: 'gcp.gemini',
      target: '/v1beta/models/gemini-embedding-2:embedContent',
    },
    { content: { parts: [{ text: random.text(9) }] } },
    {
      body: { embedding: { values: [0.5] }, usageMetadata: { promptTokenCount: tokens } },
      tell(truth) {
        truth.usage = { inputTokens: tokens };
      },
    },
    { requestModel: 'gemini-embedding-2' },
  );
}

const OLLAMA = { host: 'ollama.test:11434', provider: 'ollama' };

export function ollama(random: Random): PlannedExchange {
  const reply = drawReply(random);
  const isChat = isOneIn(random, 2);
  const isStream = isOneIn(random, 2);
  const isCached = isOneIn(random, 4);
  const at = {
    ...OLLAMA,
    api: isChat ? 'ollama.chat' : 'ollama.generate',
    target: isChat ? '/api/chat' : '/api/generate',
  } as const;
  const request = {
    model: 'llama3',
    ...(isChat ? { messages: MESSAGES } : { prompt: random.text(9) }),
    ...(isStream ? {} : { stream: false }),
  };
  const reason = reply.isCutByLimit ? 'length' : 'stop';
  const tools = isChat ? reply.tools : [];
  const texts = reply.texts;
  const toolsOnWire = tools.map(({ name, pieces }) => ({
    function: { name, arguments: objectOf(pieces) },
  }));
  const known = tools.map(
    ({ name, pieces }): ToolTruth => ({
      name,
      argumentsText: pieces.join(''),
    }),
  );
  const counts = {
    ...(isCached ? {} : { prompt_eval_count: reply.input }),
    eval_count: reply.output,
  };
  const said = (content: string, rest: object = {}) =>
    isChat ? { message: { role: 'assistant', content, ...rest } } : { response: content };
  const head = { model: reply.model, created_at: '2025-11-21T10:00:00Z' };
  const end = (truth: AnswerTruth): void => {
    truth.model = reply.model;
    truth.usage = given({
      inputTokens: isCached ? undefined : reply.input,
      outputTokens: reply.output,
    });
    choiceOf(truth, 0).finishReason = reason;
    truth.isComplete = true;
  };
  const addTools = (truth: AnswerTruth): void => {
    choiceOf(truth, 0).tools.push(...known);
    endTools(truth, known);
  };
  const over = { done: true, done_reason: reason, ...counts };
  if (!isStream) {
    const rest = toolsOnWire.length > 0 ? { tool_calls: toolsOnWire } : {};
    return exchangeOf(at, request, {
      body: { ...head, ...said(texts.join(''), rest), ...over },
      tell(truth) {
        choiceOf(truth, 0).text = texts.join('');
        addTools(truth);
        end(truth);
      },
    });
  }
  const pieces = texts.map((text) =>
    line({ ...head, ...said(text), done: false }, (truth) => {
      truth.model = reply.model;
      choiceOf(truth, 0).text += text;
    }),
  );
  if (toolsOnWire.length > 0) {
    pieces.push(
      line({ ...head, ...said('', { tool_calls: toolsOnWire }), done: false }, (truth) => {
        truth.model = reply.model;
        addTools(truth);
      }),
    );
  }
  pieces.push(line({ ...head, ...said(''), ...over }, end));
  return exchangeOf(at, request, pieces, {
    responseHeaders: [['content-type', 'application/x-ndjson']],
  });
}

export function ollamaEmbeddings(random: Random): PlannedExchange {
  const tokens = random.int(1, 99);
  return exchangeOf(
    { ...OLLAMA, api: 'ollama.embeddings', target: '/api/embed' },
    { model: 'minilm', input: [random.text(9)] },
    {
      body: { model: 'minilm-1', embeddings: [[0.1]], prompt_eval_count: tokens },
      tell(truth) {
        Object.assign(truth, { model: 'minilm-1', usage: { inputTokens: tokens } });
      },
    },
  );
}

const COHERE = { host: 'api.cohere.com', provider: 'cohere' };

function cohereUsage(reply: Reply): { wire: object; truth: Usage } {
  return {
    wire: {
      billed_units: { input_tokens: reply.input, output_tokens: reply.output },
      tokens: { input_tokens: reply.input + 99, output_tokens: reply.output + 2 },
    },
    truth: { inputTokens: reply.input, outputTokens: reply.output },
  };
}

export function cohere(random: Random): PlannedExchange {
  const reply = drawReply(random);
  const isStream = isOneIn(random, 2);
  const request = { model: 'command', stream: isStream, messages: MESSAGES };
  const at = { ...COHERE, api: 'cohere.chat', target: '/v2/chat' } as const;
  const { wire: usage, truth: counted } = cohereUsage(reply);
  const reason = reply.isCutByLimit
    ? 'MAX_TOKENS'
    : reply.tools.length > 0
      ? 'TOOL_CALL'
      : 'COMPLETE';
  if (!isStream) {
    const message = {
      role: 'assistant',
      content: reply.texts.map((text) => ({ type: 'text', text })),
      tool_calls: reply.tools.map(({ id, name, pieces }) => ({
        id,
        type: 'function',
        function: { name, arguments: pieces.join('') },
      })),
    };
    return exchangeOf(at, request, {
      body: { id: reply.id, finish_reason: reason, message, usage },
      tell(truth) {
        Object.assign(truth, { id: reply.id, usage: counted });
        tellReply(truth, reply, reason);
      },
    });
  }
  const pieces: Piece[] = [];
  const add = (type: string, rest: object, tell: Piece['tell'] = () => {}) =>
    pieces.push(sse({ type, ...rest }, tell, type));
  const delta = (message: object, index = 0) => ({ index, delta: { message } });
  add('message-start', { id: reply.id, ...delta({ role: 'assistant' }) }, (truth) => {
    truth.id = reply.id;
  });
  add('content-start', delta({ content: { type: 'text', text: '' } }));
  for (const text of reply.texts) {
    add('content-delta', delta({ content: { text } }), (truth) => {
      choiceOf(truth, 0).text += text;
    });
  }
  add('content-end', { index: 0 });
  reply.tools.forEach(({ id, name, pieces: parts }, index) => {
    const known: ToolTruth = { id, name, argumentsText: '' };
    const called = { id, type: 'function', function: { name, arguments: '' } };
    add('tool-call-start', delta({ tool_calls: called }, index), (truth) => {
      choiceOf(truth, 0).tools.push(known);
    });
    for (const piece of parts) {
      add(
        'tool-call-delta',
        delta({ tool_calls: { function: { arguments: piece } } }, index),
        () => {
          known.argumentsText += piece;
        },
      );
    }
    add('tool-call-end', { index }, (truth) => endTools(truth, [known]));
  });
  add('message-end', { id: reply.id, delta: { finish_reason: reason, usage } }, (truth) => {
    truth.usage = counted;
    choiceOf(truth, 0).finishReason = reason;
    truth.isComplete = true;
  });
  if (isOneIn(random, 2)) {
    pieces.push(sse('[DONE]'));
  }
  return exchangeOf(at, request, pieces);
}

export function cohereV1(random: Random): PlannedExchange {
  const reply = drawReply(random);
  const id = reply.id;
  const { wire: meta, truth: counted } = cohereUsage(reply);
  const at = { ...COHERE, api: 'cohere.chat_v1', target: '/v1/chat' } as const;
  const request = { model: 'command', stream: true, message: random.text(20) };
  const pieces: Piece[] = [
    line({ is_finished: false, event_type: 'stream-start', generation_id: id }, (truth) => {
      truth.id = id;
    }),
    ...reply.texts.map((text) =>
      line({ is_finished: false, event_type: 'text-generation', text }, (truth) => {
        choiceOf(truth, 0).text += text;
      }),
    ),
    line(
      {
        is_finished: true,
        event_type: 'stream-end',
        finish_reason: 'COMPLETE',
        response: {
          generation_id: id,
          text: reply.texts.join(''),
          finish_reason: 'COMPLETE',
          meta,
        },
      },
      (truth) => {
        truth.usage = counted;
        choiceOf(truth, 0).finishReason = 'COMPLETE';
        truth.isComplete = true;
      },
    ),
  ];
  return exchangeOf(at, request, pieces, {
    responseHeaders: [['content-type', 'application/stream+json']],
  });
}

export function cohereGenerate(random: Random): PlannedExchange {
  const reply = drawReply(random);
  const { wire, truth: counted } = cohereUsage(reply);
  const at = { ...COHERE, api: 'cohere.generate', target: '/v1/generate' } as const;
  const finish_reason = reply.isCutByLimit ? 'MAX_TOKENS' : 'COMPLETE';
  const request = { model: 'command', prompt: random.text(20) };
  const generations = [{ id: 'g', text: reply.texts.join(''), finish_reason }];
  const response = { id: reply.id, generations, meta: wire };
  const tell: Piece['tell'] = (truth) => {
    Object.assign(truth, { id: reply.id, usage: counted });
    const choice = choiceOf(truth, 0);
    choice.text = reply.texts.join('');
    choice.finishReason = finish_reason;
  };
  if (isOneIn(random, 2)) {
    return exchangeOf(at, request, { body: response, tell });
  }
  const pieces = reply.texts.map((text) =>
    line({ event_type: 'text-generation', is_finished: false, text }, (truth) => {
      choiceOf(truth, 0).text += text;
    }),
  );
  pieces.push(
    line({ event_type: 'stream-end', is_finished: true, finish_reason, response }, (truth) => {
      tell(truth);
      truth.isComplete = true;
    }),
  );
  const responseHeaders: [string, string][] = [['content-type', 'application/stream+json']];
  return exchangeOf(at, { ...request, stream: true }, pieces, { responseHeaders });
}

export function cohereSummaries(random: Random): PlannedExchange {
  const { id, input, output } = drawReply(random);
  const request = { model: 'command', text: random.text(99) };
  const billed = { input_tokens: input, output_tokens: output };
  return exchangeOf({ ...COHERE, api: 'cohere.summaries', target: '/v1/summarize' }, request, {
    body: { id, summary: random.text(20), meta: { billed_units: billed } },
    tell(truth) {
      Object.assign(truth, { id, usage: { inputTokens: input, outputTokens: output } });
    },
  });
}

export function cohereClassifications(random: Random): PlannedExchange {
  const { id } = drawReply(random);
  return exchangeOf(
    { ...COHERE, api: 'cohere.classifications', target: '/v1/classify' },
    { model: 'embed-v4.0', inputs: [random.text(9)] },
    {
      body: { id, classifications: [], meta: { billed_units: { classifications: 1 } } },
      tell(truth) {
        truth.id = id;
      },
    },
  );
}

export function cohereEmbeddings(random: Random): PlannedExchange {
  const tokens = random.int(1, 99);
  const id = random.token(9);
  return exchangeOf(
    { ...COHERE, api: 'cohere.embeddings', target: '/v2/embed' },
    { model: 'embed-v4', texts: [random.text(9)], input_type: 'search_query' },
    {
      body: { id, embeddings: { float: [[1]] }, meta: { billed_units: { input_tokens: tokens } } },
      tell(truth) {
        Object.assign(truth, { id, usage: { inputTokens: tokens } });
      },
    },
  );
}
