/** OpenAI chat completions as the service side speaks it: https://platform.openai.com/docs/api-reference/chat */
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

/** The text of a message's content, which is a string or a list of parts. */
function contentText(content: unknown): string {
  if (typeof content === 'string') {
    return content;
  }
  return records(content)
    .map((part) => (typeof part.text === 'string' ? part.text : ''))
    .join('');
}

function shellToolIn(tools: unknown): ShellTool | undefined {
  for (const tool of records(tools)) {
    const definition = isRecord(tool.function) ? tool.function : {};
    const parameters = isRecord(definition.parameters) ? definition.parameters : {};
    const found = shellToolOf(definition.name, parameters.properties);
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}

export function viewOpenAiRequest(body: Json): RequestView {
  const messages = records(body.messages);
  let lastUserText = '';
  let roundsDone = 0;
  let turnResults: ToolResultTruth[] = [];
  let toolResults: ToolResultTruth[] = [];
  for (const message of messages) {
    if (message.role === 'user') {
      lastUserText = contentText(message.content);
      roundsDone = 0;
      turnResults = [];
      toolResults = [];
    } else if (message.role === 'assistant') {
      toolResults = [];
      if (records(message.tool_calls).length > 0) {
        roundsDone += 1;
      }
    } else if (message.role === 'tool') {
      const result: ToolResultTruth = { text: contentText(message.content) };
      if (typeof message.tool_call_id === 'string') {
        result.id = message.tool_call_id;
      }
      turnResults.push(result);
      toolResults.push(result);
    }
  }
  const streamOptions = isRecord(body.stream_options) ? body.stream_options : {};
  return {
    api: 'openai.chat_completions',
    model: typeof body.model === 'string' ? body.model : undefined,
    stream: body.stream === true,
    includeUsage: streamOptions.include_usage === true,
    choices: typeof body.n === 'number' ? body.n : 1,
    messages: messages.length,
    lastUserText,
    roundsDone,
    turnResults,
    toolResults,
    shellTool: shellToolIn(body.tools),
  };
}

function usageOf(answer: Answer, output = answer.tokens.output): Json {
  const { input, cacheRead, cacheCreation, reasoning } = answer.tokens;
  const usage: Json = {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
  };
  const promptDetails: Json = {};
  if (cacheRead !== undefined) {
    promptDetails.cached_tokens = cacheRead;
    promptDetails.audio_tokens = 0;
  }
  // Gateways say this; OpenAI itself does not.
  if (cacheCreation !== undefined) {
    promptDetails.cache_write_tokens = cacheCreation;
  }
  if (Object.keys(promptDetails).length > 0) {
    usage.prompt_tokens_details = promptDetails;
  }
  if (reasoning !== undefined) {
    usage.completion_tokens_details = {
      reasoning_tokens: reasoning,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    };
  }
  return usage;
}

function noteUsage(truth: AnswerTruth, answer: Answer, usage: Json): void {
  truth.wireUsage = usage;
  truth.usage = { inputTokens: answer.tokens.input };
  truth.usage.outputTokens = usage.completion_tokens as number;
  const { cacheRead, cacheCreation, reasoning } = answer.tokens;
  if (cacheRead !== undefined) {
    truth.usage.cacheReadInputTokens = cacheRead;
  }
  if (cacheCreation !== undefined) {
    truth.usage.cacheCreationInputTokens = cacheCreation;
  }
  if (reasoning !== undefined) {
    truth.usage.reasoningOutputTokens = reasoning;
  }
}

function wireArguments(text: string, scenario: Scenario): unknown {
  return scenario.toolShape?.includes('object-arguments') === true
    ? JSON.parse(text === '' ? '{}' : text)
    : text;
}

function truthArguments(text: string, scenario: Scenario): string {
  return scenario.toolShape?.includes('object-arguments') === true
    ? JSON.stringify(wireArguments(text, scenario))
    : text;
}

/** The whole answer as one body. `effect` belongs to the body's last byte. */
export function openAiBody(
  answer: Answer,
  scenario: Scenario,
  truth: AnswerTruth,
): { body: Json; effect: () => void } {
  const noId = scenario.toolShape?.includes('no-id') === true;
  const choices = answer.choices.map((choice, index) => {
    const message: Json = {
      role: 'assistant',
      content: choice.text === '' ? null : choice.text,
      refusal: null,
    };
    if (choice.reasoning !== '') {
      message.reasoning_content = choice.reasoning;
    }
    if (choice.toolCalls.length > 0) {
      message.tool_calls = choice.toolCalls.map((call) => ({
        ...(noId ? {} : { id: call.id }),
        type: 'function',
        function: { name: call.name, arguments: wireArguments(call.argumentsText, scenario) },
      }));
    }
    return { index, message, logprobs: null, finish_reason: choice.finishReason };
  });
  const body: Json = {
    id: answer.id,
    object: 'chat.completion',
    created: answer.createdSeconds,
    model: answer.model,
    choices,
  };
  const usage = usageOf(answer);
  if (scenario.usageAt !== 'none') {
    body.usage = usage;
  }
  body.service_tier = 'default';
  body.system_fingerprint = 'fp_50cad350e4';

  function effect(): void {
    truth.id = answer.id;
    truth.model = answer.model;
    truth.complete = true;
    answer.choices.forEach((choice, index) => {
      const seen = choiceOf(truth, index);
      seen.text = choice.text;
      seen.reasoning = choice.reasoning;
      seen.toolCalls = choice.toolCalls.map((call) => ({
        ...(noId ? {} : { id: call.id }),
        name: call.name,
        argumentsText: truthArguments(call.argumentsText, scenario),
      }));
      if (choice.finishReason !== null) {
        seen.finishReason = choice.finishReason;
      }
    });
    if (scenario.usageAt !== 'none') {
      noteUsage(truth, answer, usage);
    }
  }
  return { body, effect };
}

/** A delta of one choice and what it adds to the truth. */
interface DeltaStep {
  choice: number;
  delta: Json;
  finishReason?: string | null;
  effect?: () => void;
}

function toolSteps(
  answer: Answer,
  choiceIndex: number,
  scenario: Scenario,
  truth: AnswerTruth,
): DeltaStep[] {
  const calls = answer.choices[choiceIndex]!.toolCalls;
  const shape = new Set(scenario.toolShape ?? []);
  const noIndex = shape.has('no-index');
  const noId = shape.has('no-id');
  // Without an index a later piece could not be told apart, so such services send each call whole.
  const mode =
    noIndex || shape.has('object-arguments') ? 'whole' : (scenario.toolDeltas ?? 'split');

  const addCall = (index: number, name: string, text: string): ToolCallTruth => {
    const call: ToolCallTruth = { name, argumentsText: text };
    if (!noId) {
      call.id = calls[index]!.id;
    }
    choiceOf(truth, choiceIndex).toolCalls.push(call);
    return call;
  };
  const head = (index: number, name: string, args: unknown): Json => ({
    ...(noIndex ? {} : { index }),
    ...(noId ? {} : { id: calls[index]!.id }),
    type: 'function',
    function: { name, arguments: args },
  });

  if (mode === 'whole') {
    return calls.map((call, index) => ({
      choice: choiceIndex,
      delta: { tool_calls: [head(index, call.name, wireArguments(call.argumentsText, scenario))] },
      effect: () => addCall(index, call.name, truthArguments(call.argumentsText, scenario)),
    }));
  }
  if (mode === 'joined') {
    return [
      {
        choice: choiceIndex,
        delta: {
          tool_calls: calls.map((call, index) => head(index, call.name, call.argumentsText)),
        },
        effect: () => {
          calls.forEach((call, index) => {
            addCall(index, call.name, call.argumentsText);
          });
        },
      },
    ];
  }

  const lanes = calls.map((call, index): DeltaStep[] => {
    const seen: { call?: ToolCallTruth } = {};
    const half = Math.ceil(call.name.length / 2);
    const firstName = shape.has('split-name') ? call.name.slice(0, half) : call.name;
    const restName = call.name.slice(firstName.length);
    const steps: DeltaStep[] = [
      {
        choice: choiceIndex,
        delta: { tool_calls: [head(index, firstName, '')] },
        effect: () => {
          seen.call = addCall(index, firstName, '');
        },
      },
    ];
    if (restName !== '') {
      steps.push({
        choice: choiceIndex,
        delta: { tool_calls: [{ index, function: { name: restName } }] },
        effect: () => {
          seen.call!.name += restName;
        },
      });
    }
    for (const piece of cutText(call.argumentsText, deltasOf(scenario), answer.random)) {
      steps.push({
        choice: choiceIndex,
        delta: { tool_calls: [{ index, function: { arguments: piece } }] },
        effect: () => {
          seen.call!.argumentsText += piece;
        },
      });
    }
    return steps;
  });
  return mode === 'interleaved' ? takeTurns(lanes) : lanes.flat();
}

/** One element of each list after the other, until all are used up. */
function takeTurns<T>(lists: readonly T[][]): T[] {
  const out: T[] = [];
  const longest = Math.max(0, ...lists.map((list) => list.length));
  for (let position = 0; position < longest; position += 1) {
    for (const list of lists) {
      const entry = list[position];
      if (entry !== undefined) {
        out.push(entry);
      }
    }
  }
  return out;
}

function choiceSteps(
  answer: Answer,
  index: number,
  scenario: Scenario,
  truth: AnswerTruth,
): DeltaStep[] {
  const choice = answer.choices[index]!;
  const steps: DeltaStep[] = [
    {
      choice: index,
      delta: { role: 'assistant', content: choice.text === '' ? null : '', refusal: null },
      effect: () => {
        choiceOf(truth, index);
      },
    },
  ];
  for (const piece of cutText(choice.reasoning, deltasOf(scenario), answer.random)) {
    steps.push({
      choice: index,
      delta: { reasoning_content: piece },
      effect: () => {
        choiceOf(truth, index).reasoning += piece;
      },
    });
  }
  for (const piece of cutText(choice.text, deltasOf(scenario), answer.random)) {
    steps.push({
      choice: index,
      delta: { content: piece },
      effect: () => {
        choiceOf(truth, index).text += piece;
      },
    });
  }
  steps.push(...toolSteps(answer, index, scenario, truth));
  return steps;
}

/** The answer as a stream of chunks. */
export function openAiStream(
  answer: Answer,
  scenario: Scenario,
  truth: AnswerTruth,
  view: RequestView,
): StreamEvent[] {
  const events: StreamEvent[] = [];
  const usageAt =
    scenario.usageAt === undefined || scenario.usageAt === 'auto'
      ? view.includeUsage
        ? 'empty-choices'
        : 'none'
      : scenario.usageAt;
  const saysNull = usageAt === 'empty-choices' || usageAt === 'before-last';

  function push(choices: Json[], extra: Json, effect?: () => void): void {
    const id = scenario.idShape === 'changing' ? `${answer.id}-${events.length}` : answer.id;
    events.push({
      data: {
        id,
        object: 'chat.completion.chunk',
        created: answer.createdSeconds,
        model: answer.model,
        service_tier: 'default',
        system_fingerprint: 'fp_50cad350e4',
        choices,
        ...(saysNull ? { usage: null } : {}),
        ...extra,
      },
      effect: () => {
        truth.id ??= id;
        truth.model ??= answer.model;
        effect?.();
      },
    });
  }
  function pushUsage(choices: Json[], effect?: () => void): void {
    const usage = usageOf(answer);
    push(choices, { usage }, () => {
      noteUsage(truth, answer, usage);
      effect?.();
    });
  }

  if (scenario.idShape === 'late') {
    // Azure's first chunk: the verdict of the content filter on the prompt.
    events.push({
      data: {
        id: '',
        object: '',
        created: 0,
        model: '',
        choices: [],
        prompt_filter_results: [{ prompt_index: 0, content_filter_results: {} }],
      },
    });
  }

  const lanes = answer.choices.map((_, index) => choiceSteps(answer, index, scenario, truth));
  const steps = takeTurns(lanes);
  steps.forEach((step, position) => {
    const choice = { index: step.choice, delta: step.delta, logprobs: null, finish_reason: null };
    if (usageAt === 'every') {
      const share = (position + 1) / (steps.length + 1);
      const usage = usageOf(answer, Math.floor(answer.tokens.output * share));
      push([choice], { usage }, () => {
        noteUsage(truth, answer, usage);
        step.effect?.();
      });
      return;
    }
    push([choice], {}, step.effect);
  });

  if (usageAt === 'before-last') {
    pushUsage([]);
  }
  answer.choices.forEach((choice, index) => {
    const isLast = index === answer.choices.length - 1;
    const wire = { index, delta: {}, logprobs: null, finish_reason: choice.finishReason };
    const finish = (): void => {
      const seen = choiceOf(truth, index);
      if (choice.finishReason !== null) {
        seen.finishReason = choice.finishReason;
      }
    };
    if (isLast && (usageAt === 'last-choice' || usageAt === 'every')) {
      pushUsage([wire], finish);
    } else if (isLast && usageAt === 'vendor') {
      const usage = usageOf(answer);
      push([wire], { x_groq: { id: `req_${answer.random.token(20)}`, usage } }, () => {
        noteUsage(truth, answer, usage);
        finish();
      });
    } else {
      push([wire], {}, finish);
    }
  });
  if (usageAt === 'empty-choices') {
    pushUsage([]);
  }
  if (scenario.done !== false) {
    events.push({
      data: '[DONE]',
      effect: () => {
        truth.complete = true;
      },
    });
  } else {
    const last = events[events.length - 1]!;
    const effect = last.effect;
    last.effect = () => {
      effect?.();
      truth.complete = true;
    };
  }
  return events;
}

export function openAiErrorBody(error: {
  type: string;
  code?: string | undefined;
  message: string;
}): Json {
  return {
    error: { message: error.message, type: error.type, param: null, code: error.code ?? null },
  };
}

/** An error in the middle of a stream: gateways send the error object as one more chunk. */
export function openAiErrorEvent(
  error: { type: string; code?: string | undefined; message: string },
  effect: () => void,
): StreamEvent {
  return { data: openAiErrorBody(error), effect };
}
