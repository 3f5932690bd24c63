/** The texts of a piece of a story: taken out as masked copies, and put into a copy of the piece. */
import type { Message, ModelCall, OutputMessage, Part, ToolDefinition } from '../llm/model-call.ts';
import type { ToolPiece, TurnPiece } from '../session/story.ts';
import {
  type ContentPolicy,
  redactJsonText,
  redactValue,
  turnMessages,
} from '../telemetry/content.ts';
import { callError } from '../telemetry/piece-span.ts';
import type { CallContent, ToolCallContent, TurnContent } from './plugin.ts';

export function isContentOn(policy: ContentPolicy): boolean {
  return policy.isOnSpans || policy.isOnEvents;
}

export function callContentOf(call: ModelCall, policy: ContentPolicy): CallContent {
  const { request, response } = call;
  const errorMessage = call.error === undefined ? undefined : callError(call.error, policy).message;
  const error = errorMessage === undefined ? {} : { errorMessage };
  if (!isContentOn(policy)) {
    return error;
  }
  return {
    ...error,
    ...listed('systemInstructions', request.systemInstructions, policy),
    ...listed('inputMessages', request.messages, policy),
    ...listed('outputMessages', response?.messages ?? [], policy),
    ...listed(
      'toolDefinitions',
      request.toolDefinitions.map(({ type, name }) => ({ type, name })),
      policy,
    ),
  };
}

/** A copy of the call with this content and no other. */
export function withCallContent(
  call: ModelCall,
  content: CallContent,
  policy: ContentPolicy,
): ModelCall {
  const { response, error } = call;
  const { promptVariables: _, ...request } = call.request;
  const copy: ModelCall = { ...call };
  if (error !== undefined) {
    const { errorMessage } = content;
    copy.error = { type: error.type, ...(errorMessage && { message: errorMessage }) };
  }
  if (!isContentOn(policy)) {
    return copy;
  }
  copy.request = {
    ...request,
    systemInstructions: (content.systemInstructions ?? []) as Part[],
    messages: (content.inputMessages ?? []) as Message[],
    toolDefinitions: (content.toolDefinitions ?? []) as ToolDefinition[],
    // The messages say it again, and that is what is exported.
    toolResults: request.toolResults.map((result) => ({ ...result, text: '' })),
  };
  if (response !== undefined) {
    copy.response = {
      ...response,
      messages: (content.outputMessages ?? []) as OutputMessage[],
      toolCalls: response.toolCalls.map((toolCall) => ({ ...toolCall, argumentsText: '' })),
    };
  }
  return copy;
}

export function toolContentOf(piece: ToolPiece, policy: ContentPolicy): ToolCallContent {
  if (!isContentOn(policy)) {
    return {};
  }
  const { argumentsText } = piece.toolCall;
  const result = piece.result?.text ?? '';
  return {
    ...(argumentsText === '' ? {} : { arguments: redactJsonText(argumentsText, policy.redact) }),
    ...(result === '' ? {} : { result: redactJsonText(result, policy.redact) }),
  };
}

/** A copy of the tool call with these texts and no others. */
export function withToolContent(piece: ToolPiece, content: ToolCallContent): ToolPiece {
  const { description: _, ...rest } = piece;
  return {
    ...rest,
    toolCall: { ...piece.toolCall, argumentsText: content.arguments ?? '' },
    ...(piece.result && { result: { ...piece.result, text: content.result ?? '' } }),
  };
}

export function turnContentOf(piece: TurnPiece, policy: ContentPolicy): TurnContent {
  if (!isContentOn(policy)) {
    return {};
  }
  const { inputMessages, outputMessages } = turnMessages(piece);
  return {
    ...listed('inputMessages', inputMessages, policy),
    ...listed('outputMessages', outputMessages, policy),
  };
}

/** A copy of the turn with these messages and no others. */
export function withTurnContent(piece: TurnPiece, content: TurnContent): TurnPiece {
  const { inputMessages = [], outputMessages = [] } = content;
  return { ...piece, content: { inputMessages, outputMessages } };
}

function listed<K extends string, T>(
  name: K,
  list: readonly T[],
  policy: ContentPolicy,
): { [P in K]?: T[] } {
  return list.length === 0
    ? {}
    : ({ [name]: redactValue(list, policy.redact) } as { [P in K]?: T[] });
}
