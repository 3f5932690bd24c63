/** Anthropic messages as the service side speaks it: https://docs.anthropic.com/en/api/messages-streaming */
import {
  type Answer,
  cutText,
  deltasOf,
  type RequestView,
  type ShellTool,
  type StreamEvent,
  shellToolOf,
} from './answer.ts';
import {
  type AnswerTruth,
  choiceOf,
  type ToolCallTruth,
  type ToolResultTruth,
} from './exchange-truth.ts';
import { isRecord, type Json, records } from './json-value.ts';
import type { Scenario } from './scenario.ts';

function contentText(content: unknown): string {
  if (typeof content === 'string') {
    return content;
  }
  return records(content)
    .map((block) => (block.type === 'text' && typeof block.text === 'string' ? block.text : ''))
    .join('');
}

function shellToolIn(tools: unknown): ShellTool | undefined {
  for (const tool of records(tools)) {
    const schema = isRecord(tool.input_schema) ? tool.input_schema : {};
    const found = shellToolOf(tool.name, schema.properties);
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}

export function viewAnthropicRequest(body: Json): RequestView {
  const messages = records(body.messages);
  let lastUserText = '';
  let roundsDone = 0;
  let turnResults: ToolResultTruth[] = [];
  let toolResults: ToolResultTruth[] = [];
  for (const message of messages) {
    const blocks = records(message.content);
    if (message.role === 'system') {
      // What Claude Code says of its surroundings stands behind the prompt.
      continue;
    }
    if (message.role === 'assistant') {
      toolResults = [];
      if (blocks.some((block) => block.type === 'tool_use')) {
        roundsDone += 1;
      }
      continue;
    }
    const results = blocks.filter((block) => block.type === 'tool_result');
    if (results.length === 0) {
      lastUserText = contentText(message.content);
      roundsDone = 0;
      turnResults = [];
      toolResults = [];
      continue;
    }
    for (const block of results) {
      const result: ToolResultTruth = { text: contentText(block.content) };
      if (typeof block.tool_use_id === 'string') {
        result.id = block.tool_use_id;
      }
      if (typeof block.is_error === 'boolean') {
        result.isError = block.is_error;
      }
      turnResults.push(result);
      toolResults.push(result);
    }
  }
  return {
    api: 'anthropic.messages',
    model: typeof body.model === 'string' ? body.model : undefined,
    stream: body.stream === true,
    includeUsage: true,
    choices: 1,
    messages: messages.length,
    lastUserText,
    roundsDone,
    turnResults,
    toolResults,
    shellTool: shellToolIn(body.tools),
  };
}

function inputUsage(answer: Answer, scenario: Scenario): Json {
  const { input, cacheRead, cacheCreation } = answer.tokens;
  const usage: Json = { input_tokens: input };
  if (cacheCreation !== undefined) {
    usage.cache_creation_input_tokens = cacheCreation;
  }
  if (cacheRead !== undefined) {
    usage.cache_read_input_tokens = cacheRead;
  }
  if (scenario.extendedUsage === true) {
    const created = cacheCreation ?? 0;
    usage.cache_creation = {
      ephemeral_5m_input_tokens: Math.floor(created / 2),
      ephemeral_1h_input_tokens: created - Math.floor(created / 2),
    };
    usage.service_tier = 'standard';
    usage.inference_geo = 'not_available';
  }
  return usage;
}

function outputUsage(answer: Answer, scenario: Scenario): Json {
  const usage: Json = { output_tokens: answer.tokens.output };
  if (answer.tokens.reasoning !== undefined) {
    usage.output_tokens_details = { thinking_tokens: answer.tokens.reasoning };
  }
  if (scenario.extendedUsage === true) {
    usage.server_tool_use = { web_search_requests: 0 };
  }
  return usage;
}

/** Each field's last value counts, as the API's documentation of `message_delta` has it. */
function noteUsage(truth: AnswerTruth, usage: Json): void {
  const merged: Json = { ...truth.wireUsage, ...usage };
  truth.wireUsage = merged;
  const number = (value: unknown): number | undefined =>
    typeof value === 'number' ? value : undefined;
  const input = number(merged.input_tokens);
  const cacheRead = number(merged.cache_read_input_tokens);
  const cacheCreation = number(merged.cache_creation_input_tokens);
  const lifetimes = isRecord(merged.cache_creation) ? merged.cache_creation : {};
  const hourCacheCreation = number(lifetimes.ephemeral_1h_input_tokens);
  const output = number(merged.output_tokens);
  const details = isRecord(merged.output_tokens_details) ? merged.output_tokens_details : {};
  const reasoning = number(details.thinking_tokens);
  truth.usage = {
    ...(input === undefined
      ? {}
      : { inputTokens: input + (cacheRead ?? 0) + (cacheCreation ?? 0) }),
    ...(output === undefined ? {} : { outputTokens: output }),
    ...(cacheRead === undefined ? {} : { cacheReadInputTokens: cacheRead }),
    ...(cacheCreation === undefined ? {} : { cacheCreationInputTokens: cacheCreation }),
    ...(hourCacheCreation === undefined ? {} : { hourCacheCreationInputTokens: hourCacheCreation }),
    ...(reasoning === undefined ? {} : { reasoningOutputTokens: reasoning }),
  };
}

function parseInput(text: string): unknown {
  return JSON.parse(text === '' ? '{}' : text);
}

/** The whole answer as one body. `effect` belongs to the body's last byte. */
export function anthropicBody(
  answer: Answer,
  scenario: Scenario,
  truth: AnswerTruth,
): { body: Json; effect: () => void } {
  const choice = answer.choices[0]!;
  const content: Json[] = [];
  if (choice.reasoning !== '') {
    content.push({
      type: 'thinking',
      thinking: choice.reasoning,
      signature: answer.random.token(120),
    });
  }
  if (choice.text !== '') {
    content.push({ type: 'text', text: choice.text });
  }
  for (const call of choice.toolCalls) {
    content.push({
      type: 'tool_use',
      id: call.id,
      name: call.name,
      input: parseInput(call.argumentsText),
    });
  }
  const usage = { ...inputUsage(answer, scenario), ...outputUsage(answer, scenario) };
  const body: Json = {
    id: answer.id,
    type: 'message',
    role: 'assistant',
    model: answer.model,
    content,
    stop_reason: choice.finishReason,
    stop_sequence: null,
    ...(scenario.usageAt === 'none' ? {} : { usage }),
  };

  function effect(): void {
    truth.id = answer.id;
    truth.model = answer.model;
    truth.complete = true;
    const seen = choiceOf(truth, 0);
    seen.text = choice.text;
    seen.reasoning = choice.reasoning;
    seen.toolCalls = choice.toolCalls.map((call) => ({
      id: call.id,
      name: call.name,
      argumentsText: JSON.stringify(parseInput(call.argumentsText)),
    }));
    if (choice.finishReason !== null) {
      seen.finishReason = choice.finishReason;
    }
    if (scenario.usageAt !== 'none') {
      noteUsage(truth, usage);
    }
  }
  return { body, effect };
}

/** The answer as a stream of events. */
export function anthropicStream(
  answer: Answer,
  scenario: Scenario,
  truth: AnswerTruth,
): StreamEvent[] {
  const events: StreamEvent[] = [];
  const choice = answer.choices[0]!;
  const deltas = deltasOf(scenario);
  const usageAt = scenario.usageAt ?? 'auto';
  let block = 0;

  function push(type: string, data: Json, effect?: () => void): void {
    events.push({
      event: type,
      data: { type, ...data },
      ...(effect === undefined ? {} : { effect }),
    });
  }

  const finalInput = inputUsage(answer, scenario);
  const firstInput =
    usageAt === 'corrected' ? { ...finalInput, input_tokens: answer.tokens.input + 7 } : finalInput;
  const startUsage = usageAt === 'none' ? {} : { usage: { ...firstInput, output_tokens: 1 } };
  push(
    'message_start',
    {
      message: {
        id: answer.id,
        type: 'message',
        role: 'assistant',
        model: answer.model,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        ...startUsage,
      },
    },
    () => {
      truth.id = answer.id;
      truth.model = answer.model;
      choiceOf(truth, 0);
      if (startUsage.usage !== undefined) {
        noteUsage(truth, startUsage.usage);
      }
    },
  );

  function pushBlock(
    contentBlock: Json,
    pieces: { delta: Json; effect?: () => void }[],
    startEffect?: () => void,
  ): void {
    const index = block;
    block += 1;
    push('content_block_start', { index, content_block: contentBlock }, startEffect);
    if (index === 0) {
      push('ping', {});
    }
    for (const piece of pieces) {
      push('content_block_delta', { index, delta: piece.delta }, piece.effect);
    }
    push('content_block_stop', { index });
  }

  if (choice.reasoning !== '') {
    pushBlock({ type: 'thinking', thinking: '', signature: '' }, [
      ...cutText(choice.reasoning, deltas, answer.random).map((piece) => ({
        delta: { type: 'thinking_delta', thinking: piece },
        effect: () => {
          choiceOf(truth, 0).reasoning += piece;
        },
      })),
      { delta: { type: 'signature_delta', signature: answer.random.token(120) } },
    ]);
  }
  if (choice.text !== '') {
    pushBlock(
      { type: 'text', text: '' },
      cutText(choice.text, deltas, answer.random).map((piece) => ({
        delta: { type: 'text_delta', text: piece },
        effect: () => {
          choiceOf(truth, 0).text += piece;
        },
      })),
    );
  }
  for (const call of choice.toolCalls) {
    const pieces =
      scenario.toolDeltas === 'whole' || scenario.toolDeltas === 'joined'
        ? [call.argumentsText]
        : cutText(call.argumentsText, deltas, answer.random);
    const seen: ToolCallTruth = { id: call.id, name: call.name, argumentsText: '' };
    pushBlock(
      { type: 'tool_use', id: call.id, name: call.name, input: {} },
      [
        // The service's first delta of a tool call is empty.
        { delta: { type: 'input_json_delta', partial_json: '' } },
        ...pieces.map((piece) => ({
          delta: { type: 'input_json_delta', partial_json: piece },
          effect: () => {
            seen.argumentsText += piece;
          },
        })),
      ],
      () => {
        choiceOf(truth, 0).toolCalls.push(seen);
      },
    );
  }

  const deltaUsage =
    usageAt === 'repeated' || usageAt === 'corrected' || scenario.extendedUsage === true
      ? { ...finalInput, ...outputUsage(answer, scenario) }
      : outputUsage(answer, scenario);
  push(
    'message_delta',
    {
      delta: { stop_reason: choice.finishReason, stop_sequence: null },
      ...(usageAt === 'none' ? {} : { usage: deltaUsage }),
    },
    () => {
      if (choice.finishReason !== null) {
        choiceOf(truth, 0).finishReason = choice.finishReason;
      }
      if (usageAt !== 'none') {
        noteUsage(truth, deltaUsage);
      }
    },
  );
  push('message_stop', {}, () => {
    truth.complete = true;
  });
  return events;
}

export function anthropicErrorBody(
  error: { type: string; message: string },
  requestId: string,
): Json {
  return {
    type: 'error',
    error: { type: error.type, message: error.message },
    request_id: requestId,
  };
}

/** An error in the middle of a stream: https://docs.anthropic.com/en/api/messages-streaming#error-events */
export function anthropicErrorEvent(
  error: { type: string; message: string },
  effect: () => void,
): StreamEvent {
  return {
    event: 'error',
    data: { type: 'error', error: { type: error.type, message: error.message } },
    effect,
  };
}
