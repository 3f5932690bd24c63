/** Plans the answer to a model call, whichever of the wire APIs it speaks. */
import { applyPlan, planFromPrompt } from './agent-plan.ts';
import { type Answer, makeAnswer, type RequestView, type StreamEvent } from './answer.ts';
import {
  anthropicBody,
  anthropicErrorBody,
  anthropicErrorEvent,
  anthropicStream,
  viewAnthropicRequest,
} from './anthropic-messages.ts';
import { type AnswerTruth, type CommonWireApi, emptyAnswer } from './exchange-truth.ts';
import { isRecord, type Json } from './json-value.ts';
import {
  openAiBody,
  openAiErrorBody,
  openAiErrorEvent,
  openAiStream,
  viewOpenAiRequest,
} from './openai-chat.ts';
import {
  responsesBody,
  responsesErrorEvent,
  responsesStream,
  viewResponsesRequest,
} from './openai-responses.ts';
import type { ResponsePlan } from './response-plan.ts';
import { type Scenario, ScenarioError, scenarioInHeader, scenarioInText } from './scenario.ts';
import { framePieces, jsonText } from './sse-framing.ts';

export interface ModelEndpointInput {
  api: CommonWireApi;
  /** Content encodings already removed. */
  body: Buffer;
  /** Value of the x-scenario header. */
  scenarioHeader: string | undefined;
  /** Taken from the server's script when the request itself names none. */
  nextScripted: () => Scenario | undefined;
  defaultScenario: Scenario;
  serverSeed: number;
  exchange: number;
}

interface ErrorAnswer {
  type: string;
  code?: string;
  message: string;
}

const OPENAI_ERRORS: Record<number, ErrorAnswer> = {
  400: { type: 'invalid_request_error', message: 'The request is invalid.' },
  401: {
    type: 'invalid_request_error',
    code: 'invalid_api_key',
    message: 'Incorrect API key provided.',
  },
  404: {
    type: 'invalid_request_error',
    code: 'model_not_found',
    message: 'The model does not exist or you do not have access to it.',
  },
  429: {
    type: 'requests',
    code: 'rate_limit_exceeded',
    message: 'Rate limit reached for requests.',
  },
  500: { type: 'server_error', message: 'The server had an error processing your request.' },
};

const ANTHROPIC_ERRORS: Record<number, ErrorAnswer> = {
  400: { type: 'invalid_request_error', message: 'messages: at least one message is required' },
  401: { type: 'authentication_error', message: 'invalid x-api-key' },
  403: { type: 'permission_error', message: 'Your API key has no permission for this resource.' },
  404: { type: 'not_found_error', message: 'model: not found' },
  413: { type: 'request_too_large', message: 'Request exceeds the maximum allowed bytes.' },
  429: { type: 'rate_limit_error', message: 'Number of requests has exceeded your rate limit.' },
  500: { type: 'api_error', message: 'Internal server error' },
  529: { type: 'overloaded_error', message: 'Overloaded' },
};

function errorAnswer(api: CommonWireApi, status: number, scenario: Scenario): ErrorAnswer {
  const ordinary =
    api === 'anthropic.messages'
      ? (ANTHROPIC_ERRORS[status] ?? ANTHROPIC_ERRORS[500]!)
      : (OPENAI_ERRORS[status] ?? OPENAI_ERRORS[500]!);
  return { ...ordinary, ...scenario.error };
}

export function padded(text: string, scenario: Scenario): Buffer {
  return Buffer.from(
    `${scenario.paddingBefore ?? ''}${text}${scenario.paddingAfter ?? ''}`,
    'utf8',
  );
}

function apiHeaders(api: CommonWireApi, exchange: number): [string, string][] {
  const id = `req_${exchange.toString().padStart(8, '0')}`;
  return api === 'anthropic.messages'
    ? [['request-id', id]]
    : [
        ['x-request-id', id],
        ['openai-version', '2020-10-01'],
      ];
}

function planError(
  input: ModelEndpointInput,
  status: number,
  error: ErrorAnswer,
  scenario: Scenario,
  answer: AnswerTruth,
): ResponsePlan {
  const body =
    input.api === 'anthropic.messages'
      ? anthropicErrorBody(error, `req_${input.exchange}`)
      : openAiErrorBody(error);
  return {
    status,
    headers: [
      ['content-type', 'application/json'],
      ...apiHeaders(input.api, input.exchange),
      ...(status === 429 ? ([['retry-after', '1']] as [string, string][]) : []),
    ],
    pieces: [
      {
        bytes: padded(jsonText(body, scenario.asciiJson === true), scenario),
        effect: () => {
          answer.error = error;
        },
      },
    ],
    isStream: false,
    hasBody: true,
    scenario,
    answer,
  };
}

/** The scenario that the request, the script or the server names. */
export function chooseScenario(
  input: Omit<ModelEndpointInput, 'api'>,
  view: RequestView,
): Scenario {
  const own =
    input.scenarioHeader === undefined
      ? scenarioInText(view.lastUserText)
      : scenarioInHeader(input.scenarioHeader);
  const chosen = { ...input.defaultScenario, ...(own ?? input.nextScripted() ?? {}) };
  const saysWhat = chosen.toolCalls !== undefined || chosen.text !== undefined;
  const plan =
    chosen.agent ??
    (view.shellTool === undefined || own !== undefined || saysWhat
      ? undefined
      : planFromPrompt(view.lastUserText));
  return plan === undefined ? chosen : applyPlan(plan, view, chosen);
}

function errorEvent(api: CommonWireApi, error: ErrorAnswer, answer: AnswerTruth): StreamEvent {
  const effect = (): void => {
    answer.error = error;
  };
  switch (api) {
    case 'anthropic.messages':
      return anthropicErrorEvent(error, effect);
    case 'openai.responses':
      return responsesErrorEvent(error, effect);
    case 'openai.chat_completions':
      return openAiErrorEvent(error, effect);
  }
}

function viewRequest(api: CommonWireApi, body: Json): RequestView {
  switch (api) {
    case 'anthropic.messages':
      return viewAnthropicRequest(body);
    case 'openai.responses':
      return viewResponsesRequest(body);
    case 'openai.chat_completions':
      return viewOpenAiRequest(body);
  }
}

function wholeAnswer(
  answer: Answer,
  api: CommonWireApi,
  scenario: Scenario,
  truth: AnswerTruth,
): { body: Json; effect: () => void } {
  switch (api) {
    case 'anthropic.messages':
      return anthropicBody(answer, scenario, truth);
    case 'openai.responses':
      return responsesBody(answer, truth);
    case 'openai.chat_completions':
      return openAiBody(answer, scenario, truth);
  }
}

function streamedAnswer(
  answer: Answer,
  api: CommonWireApi,
  view: RequestView,
  scenario: Scenario,
  truth: AnswerTruth,
): StreamEvent[] {
  switch (api) {
    case 'anthropic.messages':
      return anthropicStream(answer, scenario, truth);
    case 'openai.responses':
      return responsesStream(answer, scenario, truth);
    case 'openai.chat_completions':
      return openAiStream(answer, scenario, truth, view);
  }
}

export function planModelResponse(input: ModelEndpointInput): ResponsePlan {
  const { api, exchange } = input;
  const answer = emptyAnswer();
  const refuse = (message: string): ResponsePlan =>
    planError(input, 400, { type: 'invalid_request_error', message }, {}, answer);

  let body: unknown;
  try {
    body = JSON.parse(input.body.toString('utf8'));
  } catch {
    return refuse('We could not parse the JSON body of your request.');
  }
  if (!isRecord(body)) {
    return refuse('We could not parse the JSON body of your request.');
  }
  const said = api === 'openai.responses' ? 'input' : 'messages';
  if (!Array.isArray(body[said]) && !(said === 'input' && typeof body.input === 'string')) {
    return refuse(`${said}: field required`);
  }
  const view = viewRequest(api, body);
  let scenario: Scenario;
  try {
    scenario = chooseScenario(input, view);
  } catch (error) {
    if (error instanceof ScenarioError) {
      return { ...refuse(error.message), view };
    }
    throw error;
  }

  const status = scenario.status ?? 200;
  if (status >= 400) {
    const error = errorAnswer(api, status, scenario);
    return { ...planError(input, status, error, scenario, answer), view };
  }

  const failure = scenario.fail;
  const answered = makeAnswer(view, scenario, { serverSeed: input.serverSeed, exchange });
  if (!(scenario.stream ?? view.stream)) {
    if (failure?.how === 'error-event') {
      const error = errorAnswer(api, 500, scenario);
      return { ...planError(input, status, error, scenario, answer), view };
    }
    const whole = wholeAnswer(answered, api, scenario, answer);
    return {
      status,
      headers: [
        ['content-type', scenario.contentType ?? 'application/json'],
        ...apiHeaders(api, exchange),
      ],
      pieces: [
        {
          bytes: padded(jsonText(whole.body, scenario.asciiJson === true), scenario),
          effect: whole.effect,
        },
      ],
      isStream: false,
      hasBody: true,
      scenario,
      view,
      answer,
    };
  }

  let events = streamedAnswer(answered, api, view, scenario, answer);
  if (failure?.how === 'error-event') {
    const error = errorAnswer(api, api === 'anthropic.messages' ? 529 : 500, scenario);
    events = [...events.slice(0, failure.afterEvents), errorEvent(api, error, answer)];
  }
  return {
    status,
    headers: [
      ['content-type', scenario.contentType ?? 'text/event-stream; charset=utf-8'],
      ['cache-control', 'no-cache'],
      ...apiHeaders(api, exchange),
    ],
    events,
    pieces: framePieces(events, scenario),
    isStream: true,
    hasBody: true,
    scenario,
    view,
    answer,
  };
}
