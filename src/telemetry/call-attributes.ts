/**
 * The attributes of an inference span: exactly those of the conventions, each only when the wire said it.
 * https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/gen-ai/gen-ai-spans.md#inference
 */
import type { Attributes } from '@opentelemetry/api';
import type { Exchange } from '../http/exchange.ts';
import type {
  CallResponse,
  Modality,
  ModalityUsage,
  ModelCall,
  Usage,
  WireApi,
} from '../llm/model-call.ts';
import { putDamage } from './damage-attributes.ts';
import { Attr, type Conventions } from './semconv.ts';
import { put } from './span-description.ts';
import { secondsBetween } from './wall-time.ts';

/** The prefix of the wire APIs that the `openai.` refinements belong to, whoever the provider is. */
const OPENAI_APIS = 'openai.';

/** Of `openai.api.type` the conventions know two; a response that is fetched is one of the second. */
const API_TYPES: Readonly<Partial<Record<WireApi, string>>> = {
  'openai.chat_completions': 'chat_completions',
  'openai.responses': 'responses',
  'openai.stored_response': 'responses',
};

/** https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/gen-ai/azure-ai-inference.md */
const AZURE_INFERENCE = 'azure.ai.inference';
const AZURE_NAMESPACE = 'Microsoft.CognitiveServices';

const BROKEN_OFF = 'error';

/** All but content; of the provider's name too, which the log event does without. */
export function callAttributes(call: ModelCall, conventions: Conventions): Attributes {
  const attributes: Attributes = {
    [Attr.operationName]: call.operation,
    [Attr.providerName]: call.provider,
  };
  putServer(attributes, call);
  putPeer(attributes, call.exchange);
  putRequest(attributes, call, conventions);
  putResponse(attributes, call, conventions);
  if (conventions.hasLaterCallAttributes) {
    putLater(attributes, call);
  }
  putOpenai(attributes, call);
  put(attributes, Attr.bedrockGuardrailId, call.request.guardrailId);
  if (call.provider === AZURE_INFERENCE) {
    attributes[Attr.azureNamespace] = AZURE_NAMESPACE;
  }
  put(attributes, Attr.costEstimate, call.costUsd);
  put(attributes, Attr.errorType, call.error?.type);
  putDamage(attributes, call.damage);
  return attributes;
}

/** `server.port` says nothing without its address. */
export function putServer(attributes: Attributes, call: ModelCall): void {
  put(attributes, Attr.serverAddress, call.serverAddress);
  if (call.serverAddress !== undefined) {
    put(attributes, Attr.serverPort, call.serverPort);
  }
}

/**
 * Where the bytes really went: of a proxy its own address. Not for metrics, whose series it would multiply.
 * https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/registry/attributes/network.md
 */
export function putPeer(attributes: Attributes, exchange: Exchange): void {
  const peer = exchange.facts?.peer;
  if (peer === undefined) {
    return;
  }
  attributes[Attr.networkPeerAddress] = peer.address;
  attributes[Attr.networkPeerPort] = peer.port;
  attributes[Attr.networkType] = peer.address.includes(':') ? 'ipv6' : 'ipv4';
  if (peer.isInferred) {
    attributes[Attr.networkPeerInferred] = true;
  }
}

function putRequest(attributes: Attributes, call: ModelCall, conventions: Conventions): void {
  const { request } = call;
  put(attributes, Attr.requestModel, request.model);
  if (request.stream === true) {
    attributes[Attr.requestStream] = true;
  }
  if (request.choiceCount !== 1) {
    put(attributes, Attr.requestChoiceCount, request.choiceCount);
  }
  put(attributes, Attr.outputType, request.outputType);
  put(attributes, Attr.conversationId, request.conversationId);
  put(attributes, Attr.requestSeed, integer(request.seed));
  put(attributes, Attr.requestMaxTokens, request.maxTokens);
  put(attributes, Attr.requestTemperature, request.temperature);
  put(attributes, Attr.requestTopP, request.topP);
  const { topK } = request;
  put(attributes, Attr.requestTopK, conventions.isTopKInteger ? integer(topK) : topK);
  put(attributes, Attr.requestFrequencyPenalty, request.frequencyPenalty);
  put(attributes, Attr.requestPresencePenalty, request.presencePenalty);
  put(attributes, Attr.requestStopSequences, request.stopSequences);
  put(attributes, Attr.requestEncodingFormats, request.encodingFormats);
  put(attributes, Attr.embeddingsDimensionCount, request.dimensionCount);
}

/** What the conventions call an integer is neither half a one, nor one whose digits are lost. */
function integer(number: number | undefined): number | undefined {
  return Number.isSafeInteger(number) ? number : undefined;
}

function putResponse(attributes: Attributes, call: ModelCall, conventions: Conventions): void {
  const { response } = call;
  if (call.firstChunkNs !== undefined && call.request.stream === true) {
    attributes[Attr.responseTimeToFirstChunk] = secondsBetween(call.startNs, call.firstChunkNs);
  }
  if (response === undefined) {
    return;
  }
  put(attributes, Attr.responseId, response.id);
  put(attributes, Attr.responseModel, response.model);
  put(attributes, Attr.responseFinishReasons, finishReasons(call, response, conventions));
  putUsage(attributes, response.usage);
  putCacheUsage(attributes, response.usage, conventions);
}

/** Since 1.41.0 a choice whose end never came has the reason `error`, so that each stands at its own place. */
function finishReasons(
  call: ModelCall,
  response: CallResponse,
  conventions: Conventions,
): string[] {
  const { finishReasonByChoice } = response;
  const isTold = conventions.hasLaterCallAttributes && !call.complete;
  return isTold && finishReasonByChoice !== undefined
    ? finishReasonByChoice.map((reason) => reason ?? BROKEN_OFF)
    : response.finishReasons;
}

/** The counts that every generation and every span has by the same name. */
export function putUsage(attributes: Attributes, usage: Usage): void {
  put(attributes, Attr.usageInputTokens, usage.inputTokens);
  put(attributes, Attr.usageOutputTokens, usage.outputTokens);
  put(attributes, Attr.usageReasoningOutputTokens, usage.reasoningOutputTokens);
}

export function putCacheUsage(
  attributes: Attributes,
  usage: Usage,
  conventions: Conventions,
): void {
  put(attributes, Attr.usageCacheReadInputTokens, usage.cacheReadInputTokens);
  put(attributes, conventions.usageCacheWrite, usage.cacheCreationInputTokens);
}

const MODALITY_NAMES: Readonly<Record<Modality, Readonly<Record<keyof ModalityUsage, string>>>> = {
  text: {
    inputTokens: Attr.usageTextInputTokens,
    outputTokens: Attr.usageTextOutputTokens,
    cacheReadInputTokens: Attr.usageTextCacheReadInputTokens,
  },
  image: {
    inputTokens: Attr.usageImageInputTokens,
    outputTokens: Attr.usageImageOutputTokens,
    cacheReadInputTokens: Attr.usageImageCacheReadInputTokens,
  },
  audio: {
    inputTokens: Attr.usageAudioInputTokens,
    outputTokens: Attr.usageAudioOutputTokens,
    cacheReadInputTokens: Attr.usageAudioCacheReadInputTokens,
  },
};

/** What the conventions have only since 1.41.0. */
function putLater(attributes: Attributes, call: ModelCall): void {
  put(attributes, Attr.requestPreviousResponseId, call.request.previousResponseId);
  put(attributes, Attr.requestReasoningLevel, call.request.reasoningLevel);
  put(attributes, Attr.requestStreamCursor, call.request.streamCursor);
  put(attributes, Attr.promptVersion, call.request.promptVersion);
  put(attributes, Attr.conversationCompacted, call.isCompacted);
  const byModality = call.response?.usage.byModality ?? {};
  for (const [modality, names] of Object.entries(MODALITY_NAMES)) {
    const usage = byModality[modality as Modality];
    for (const [field, name] of Object.entries(names)) {
      put(attributes, name, usage?.[field as keyof ModalityUsage]);
    }
  }
}

function putOpenai(attributes: Attributes, call: ModelCall): void {
  if (!call.api.startsWith(OPENAI_APIS)) {
    return;
  }
  put(attributes, Attr.openaiApiType, API_TYPES[call.api]);
  if (call.request.serviceTier !== 'auto') {
    put(attributes, Attr.openaiRequestServiceTier, call.request.serviceTier);
  }
  putOpenaiResponse(attributes, call);
}

/** The part of the `openai.` refinements that metrics carry too. */
export function putOpenaiResponse(attributes: Attributes, call: ModelCall): void {
  if (!call.api.startsWith(OPENAI_APIS)) {
    return;
  }
  put(attributes, Attr.openaiResponseServiceTier, call.response?.serviceTier);
  put(attributes, Attr.openaiResponseSystemFingerprint, call.response?.systemFingerprint);
}
