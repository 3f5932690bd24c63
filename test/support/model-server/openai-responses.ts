/** OpenAI's responses API as the service side speaks it: https://platform.openai.com/docs/api-reference/responses */
import {
  type Answer,
  type ChoiceAnswer,
  cutText,
  deltasOf,
  type RequestView,
  type StreamEvent,
} from './answer.ts';
import { type AnswerTruth, choiceOf, type ToolResultTruth } from './exchange-truth.ts';
import { isRecord, type Json, records } from './json-value.ts';
import type { Scenario } from './scenario.ts';

function contentText(content: unknown): string {
  if (typeof content === 'string') {
    return content;
  }
  return records(content)
    .map((part) => (typeof part.text === 'string' ? part.text : ''))
    .join('');
}

function shellToolOf(tools: unknown): string | undefined {
  for (const tool of records(tools)) {
    const parameters = isRecord(tool.parameters) ? tool.parameters : {};
    const properties = isRecord(parameters.properties) ? parameters.properties : {};
    if (typeof tool.name === 'string' && 'command' in properties) {
      return tool.name;
    }
  }
  return undefined;
}

export function viewResponsesRequest(body: Json): RequestView {
  const items =
    typeof body.input === 'string'
      ? [{ role: 'user', content: body.input } as Json]
      : records(body.input);
  let lastUserText = '';
  let roundsDone = 0;
  let turnResults: ToolResultTruth[] = [];
  let toolResults: ToolResultTruth[] = [];
  for (const item of items) {
    if (item.role === 'user') {
      lastUserText = contentText(item.content);
      roundsDone = 0;
      turnResults = [];
      toolResults = [];
    } else if (item.role === 'assistant') {
      toolResults = [];
    } else if (item.type === 'function_call') {
      toolResults = [];
      roundsDone += 1;
    } else if (item.type === 'function_call_output') {
      const result: ToolResultTruth = { text: contentText(item.output) };
      if (typeof item.call_id === 'string') {
        result.id = item.call_id;
      }
      turnResults.push(result);
      toolResults.push(result);
    }
  }
  return {
    api: 'openai.responses',
    model: typeof body.model === 'string' ? body.model : undefined,
    stream: body.stream === true,
    includeUsage: true,
    choices: 1,
    messages: items.length,
    lastUserText,
    roundsDone,
    turnResults,
    toolResults,
    shellTool: shellToolOf(body.tools),
  };
}

function usageOf(answer: Answer): Json {
  const { input, output, cacheRead, reasoning } = answer.tokens;
  return {
    input_tokens: input,
    ...(cacheRead === undefined ? {} : { input_tokens_details: { cached_tokens: cacheRead } }),
    output_tokens: output,
    ...(reasoning === undefined ? {} : { output_tokens_details: { reasoning_tokens: reasoning } }),
    total_tokens: input + output,
  };
}

function noteUsage(truth: AnswerTruth, answer: Answer): void {
  const { input, output, cacheRead, reasoning } = answer.tokens;
  truth.wireUsage = usageOf(answer);
  truth.usage = { inputTokens: input, outputTokens: output };
  if (cacheRead !== undefined) {
    truth.usage.cacheReadInputTokens = cacheRead;
  }
  if (reasoning !== undefined) {
    truth.usage.reasoningOutputTokens = reasoning;
  }
}

/** Why the answer is not whole; undefined when it is. */
function incompleteReason(choice: ChoiceAnswer): string | undefined {
  const { finishReason } = choice;
  const isWhole = finishReason === null || ['stop', 'tool_calls', ''].includes(finishReason);
  return isWhole ? undefined : finishReason;
}

function response(answer: Answer, status: string, output: Json[]): Json {
  const reason = status === 'incomplete' ? incompleteReason(answer.choices[0]!) : undefined;
  const isOver = status === 'completed' || status === 'incomplete';
  return {
    id: answer.id,
    object: 'response',
    created_at: answer.createdSeconds,
    status,
    background: false,
    error: null,
    incomplete_details: reason === undefined ? null : { reason },
    instructions: null,
    model: answer.model,
    output,
    parallel_tool_calls: true,
    previous_response_id: null,
    service_tier: isOver ? 'default' : 'auto',
    usage: isOver ? usageOf(answer) : null,
    metadata: {},
  };
}

/** The output's items, in order. */
function outputOf(answer: Answer): Json[] {
  const choice = answer.choices[0]!;
  const suffix = answer.id.slice(-8);
  const items: Json[] = [];
  if (choice.reasoning !== '') {
    const summary = [{ type: 'summary_text', text: choice.reasoning }];
    items.push({ id: `rs_${suffix}`, type: 'reasoning', summary });
  }
  if (choice.text !== '' || choice.toolCalls.length === 0) {
    items.push({
      id: `msg_${suffix}`,
      type: 'message',
      status: 'completed',
      role: 'assistant',
      content: [{ type: 'output_text', text: choice.text, annotations: [], logprobs: [] }],
    });
  }
  choice.toolCalls.forEach((call, index) => {
    items.push({
      id: `fc_${suffix}_${index}`,
      type: 'function_call',
      status: 'completed',
      call_id: call.id,
      name: call.name,
      arguments: call.argumentsText,
    });
  });
  return items;
}

function endStatus(answer: Answer): string {
  return incompleteReason(answer.choices[0]!) === undefined ? 'completed' : 'incomplete';
}

function noteEnd(truth: AnswerTruth, answer: Answer): void {
  const reason = incompleteReason(answer.choices[0]!);
  choiceOf(truth, 0).finishReason = reason ?? 'completed';
  noteUsage(truth, answer);
  truth.complete = true;
}

/** The whole answer as one body. `effect` belongs to the body's last byte. */
export function responsesBody(
  answer: Answer,
  truth: AnswerTruth,
): { body: Json; effect: () => void } {
  return {
    body: response(answer, endStatus(answer), outputOf(answer)),
    effect: () => {
      truth.id = answer.id;
      truth.model = answer.model;
      const choice = answer.choices[0]!;
      const seen = choiceOf(truth, 0);
      seen.text = choice.text;
      seen.reasoning = choice.reasoning;
      seen.toolCalls = choice.toolCalls.map((call) => ({ ...call }));
      noteEnd(truth, answer);
    },
  };
}

/** The answer as a stream of typed events. */
export function responsesStream(
  answer: Answer,
  scenario: Scenario,
  truth: AnswerTruth,
): StreamEvent[] {
  const events: StreamEvent[] = [];
  const choice = answer.choices[0]!;

  function push(type: string, data: Json, effect?: () => void): void {
    const event: StreamEvent = {
      event: type,
      data: { type, sequence_number: events.length, ...data },
    };
    if (effect !== undefined) {
      event.effect = effect;
    }
    events.push(event);
  }
  function pieces(text: string): string[] {
    return cutText(text, deltasOf(scenario), answer.random);
  }

  push('response.created', { response: response(answer, 'in_progress', []) }, () => {
    truth.id = answer.id;
    truth.model = answer.model;
  });
  push('response.in_progress', { response: response(answer, 'in_progress', []) });
  let calls = 0;
  outputOf(answer).forEach((item, index) => {
    const at = { item_id: item.id, output_index: index };
    const added: Json = { ...item, status: 'in_progress' };
    if (item.type === 'reasoning') {
      push('response.output_item.added', { output_index: index, item: { ...added, summary: [] } });
      for (const delta of pieces(choice.reasoning)) {
        push('response.reasoning_summary_text.delta', { ...at, summary_index: 0, delta }, () => {
          choiceOf(truth, 0).reasoning += delta;
        });
      }
    } else if (item.type === 'message') {
      const part = { type: 'output_text', text: '', annotations: [], logprobs: [] };
      push('response.output_item.added', { output_index: index, item: { ...added, content: [] } });
      push('response.content_part.added', { ...at, content_index: 0, part }, () => {
        choiceOf(truth, 0);
      });
      for (const delta of pieces(choice.text)) {
        const data = { ...at, content_index: 0, delta, logprobs: [] };
        push('response.output_text.delta', data, () => {
          choiceOf(truth, 0).text += delta;
        });
      }
      const whole = { ...at, content_index: 0 };
      push('response.output_text.done', { ...whole, text: choice.text, logprobs: [] });
      push('response.content_part.done', { ...whole, part: { ...part, text: choice.text } });
    } else {
      const call = choice.toolCalls[calls]!;
      calls += 1;
      const seen = { id: call.id, name: call.name, argumentsText: '' };
      const head = { output_index: index, item: { ...added, arguments: '' } };
      push('response.output_item.added', head, () => {
        choiceOf(truth, 0).toolCalls.push(seen);
      });
      for (const delta of pieces(call.argumentsText)) {
        push('response.function_call_arguments.delta', { ...at, delta }, () => {
          seen.argumentsText += delta;
        });
      }
      push('response.function_call_arguments.done', { ...at, arguments: call.argumentsText });
    }
    push('response.output_item.done', { output_index: index, item });
  });
  const status = endStatus(answer);
  const last = { response: response(answer, status, outputOf(answer)) };
  push(`response.${status}`, last, () => noteEnd(truth, answer));
  return events;
}

/** An error in the middle of a stream. */
export function responsesErrorEvent(
  error: { type: string; code?: string | undefined; message: string },
  effect: () => void,
): StreamEvent {
  const { code, message, type } = error;
  return {
    event: 'error',
    data: { type: 'error', code: code ?? type, message, param: null },
    effect,
  };
}
