/** Plans the answer to a call that speaks one of the vendors' own APIs. */
import { makeAnswer } from './answer.ts';
import { bedrockConverse, bedrockInvokeModel } from './bedrock.ts';
import { cohere } from './cohere.ts';
import { type AnswerTruth, emptyAnswer } from './exchange-truth.ts';
import { gemini } from './gemini.ts';
import { geminiInteractions } from './gemini-interactions.ts';
import { isRecord } from './json-value.ts';
import { mistralConversations } from './mistral-conversations.ts';
import { chooseScenario, type ModelEndpointInput, padded } from './model-endpoint.ts';
import { ollama } from './ollama.ts';
import type { ResponsePlan } from './response-plan.ts';
import { type Scenario, ScenarioError } from './scenario.ts';
import { jsonText } from './sse-framing.ts';
import type { VendorApi, VendorTarget } from './vendor-api.ts';

const VENDOR_APIS: readonly VendorApi[] = [
  gemini,
  geminiInteractions,
  ollama,
  cohere,
  mistralConversations,
  bedrockConverse,
  bedrockInvokeModel,
];

export function vendorApiOf(path: string): VendorApi | undefined {
  return VENDOR_APIS.find((vendor) => vendor.matches(path));
}

function planError(
  vendor: VendorApi,
  status: number,
  scenario: Scenario,
  answer: AnswerTruth,
): ResponsePlan {
  const { error, body } = vendor.error(status, scenario);
  return {
    status,
    headers: [['content-type', 'application/json'], ...(vendor.errorHeaders?.(error) ?? [])],
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

function bodyOf(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function planVendorResponse(
  vendor: VendorApi,
  input: Omit<ModelEndpointInput, 'api'>,
  target: VendorTarget,
): ResponsePlan {
  const answer = emptyAnswer();
  const body = bodyOf(input.body);
  if (body === undefined) {
    return planError(vendor, 400, { error: { message: 'The body is no JSON object.' } }, answer);
  }
  const view = vendor.view(body, target);
  let scenario: Scenario;
  try {
    scenario = chooseScenario(input, view);
  } catch (error) {
    if (error instanceof ScenarioError) {
      const refused = { error: { message: error.message } };
      return { ...planError(vendor, 400, refused, answer), view };
    }
    throw error;
  }
  const status = scenario.status ?? 200;
  const failure = scenario.fail;
  if (status >= 400 || (failure?.how === 'error-event' && !view.stream)) {
    return { ...planError(vendor, status >= 400 ? status : 500, scenario, answer), view };
  }
  const identity = { serverSeed: input.serverSeed, exchange: input.exchange };
  const answered = makeAnswer(view, scenario, identity);
  const shared = { status, hasBody: true, scenario, view, answer };
  if (!view.stream) {
    const whole = vendor.whole(answered, scenario, answer);
    return {
      ...shared,
      headers: [
        ['content-type', scenario.contentType ?? 'application/json'],
        ...(whole.headers ?? []),
      ],
      pieces: [
        {
          bytes: padded(jsonText(whole.body, scenario.asciiJson === true), scenario),
          effect: whole.effect,
        },
      ],
      isStream: false,
    };
  }
  const stream = vendor.stream(answered, scenario, answer, target);
  if (failure?.how === 'error-event') {
    // Behind the last piece the answer would be over.
    const before = stream.pieces.slice(0, Math.min(failure.afterEvents, stream.pieces.length - 1));
    const failed = vendor.streamError(scenario, answer, target, before.length === 0);
    stream.pieces = [...before, failed];
  }
  return {
    ...shared,
    headers: [['content-type', scenario.contentType ?? stream.contentType]],
    pieces: stream.pieces,
    isStream: true,
  };
}
