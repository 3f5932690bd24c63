/** OpenAI's responses API as the service side speaks it: https://platform.openai.com/docs/api-reference/responses */
import {
  type Answer,
  type ChoiceAnswer,
  cutText,
  deltasOf,
  type RequestView,
  type ShellTool,
  type StreamEvent,
  shellToolOf,
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

/** Codex gives its tools in an item of the input, in namespaces, and newer models one that runs JavaScript. */
function shellToolIn(tools: unknown): ShellTool | undefined {
  for (const tool of records(tools)) {
    const parameters = isRecord(tool.parameters) ? tool.parameters : {};
    const found =
      shellToolIn(tool.tools) ?? scriptTool(tool) ?? shellToolOf(tool.name, parameters.properties);
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}

function scriptTool(tool: Json): ShellTool | undefined {
  const { type, name, description } = tool;
  if (type !== 'custom' || typeof name !== 'string' || typeof description !== 'string') {
    return undefined;
  }
  return description.includes('tools.exec_command(') || description.includes('exec_command(args:')
    ? {
        name,
        isCustom: true,
        argumentsOf: (command) =>
          `text(await tools.exec_command({ cmd: ${JSON.stringify(command)} }));`,
      }
    : undefined;
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
    } else if (item.type === 'function_call' || item.type === 'custom_tool_call') {
      toolResults = [];
      roundsDone += 1;
    } else if (item.type === 'function_call_output' || item.type === 'custom_tool_call_output') {
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
    shellTool: shellToolIn(body.tools) ?? shellToolIn(items.flatMap((item) => records(item.tools))),
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
    const common = { status: 'completed', call_id: call.id, name: call.name };
    items.push(
      call.isCustom
        ? {
            id: `ctc_${suffix}_${index}`,
            type: 'custom_tool_call',
            ...common,
            input: call.argumentsText,
          }
        : {
            id: `fc_${suffix}_${index}`,
            type: 'function_call',
            ...common,
            arguments: call.argumentsText,
          },
    );
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
      seen.toolCalls = choice.toolCalls.map(({ id, name, argumentsText }) => ({
        id,
        name,
        argumentsText,
      }));
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
      const field = call.isCustom ? 'input' : 'arguments';
      const events = call.isCustom
        ? 'response.custom_tool_call_input'
        : 'response.function_call_arguments';
      const head = { output_index: index, item: { ...added, [field]: '' } };
      push('response.output_item.added', head, () => {
        choiceOf(truth, 0).toolCalls.push(seen);
      });
      for (const delta of pieces(call.argumentsText)) {
        push(`${events}.delta`, { ...at, delta }, () => {
          seen.argumentsText += delta;
        });
      }
      push(`${events}.done`, { ...at, [field]: call.argumentsText });
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
