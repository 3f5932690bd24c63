/** Cohere's Node SDK, version 2 of the API. */
import { CohereClientV2 } from 'cohere-ai';
import { answerResult, emptyAnswer } from './answer.mjs';
import { promptOf, readOptions, runAll } from './options.mjs';

const options = readOptions();
const client = new CohereClientV2({ token: options.key, environment: options.url });
const parameters = { type: 'object', properties: { command: { type: 'string' } } };
const tools = [{ type: 'function', function: { name: 'shell', description: 'd', parameters } }];

function usageOf(usage) {
  return {
    inputTokens: usage?.billedUnits?.inputTokens,
    outputTokens: usage?.billedUnits?.outputTokens,
    // Its cached tokens are no part of the billed ones.
  };
}

function addWhole(answer, response) {
  const { message } = response;
  const textOf = (type) =>
    (message.content ?? [])
      .filter((part) => part.type === type)
      .map((part) => part[type])
      .join('');
  answer.id = response.id;
  answer.usage = usageOf(response.usage);
  answer.choices.push({
    text: textOf('text'),
    reasoning: (message.toolPlan ?? '') + textOf('thinking'),
    toolCalls: (message.toolCalls ?? []).map((call) => ({
      id: call.id,
      name: call.function.name,
      argumentsText: call.function.arguments,
    })),
    finishReason: response.finishReason,
  });
}

function addEvent(answer, event) {
  answer.choices[0] ??= { text: '', reasoning: '', toolCalls: [] };
  const choice = answer.choices[0];
  const message = event.delta?.message;
  switch (event.type) {
    case 'message-start':
      answer.id = event.id;
      break;
    case 'content-delta':
      choice.text += message.content.text ?? '';
      choice.reasoning += message.content.thinking ?? '';
      break;
    case 'tool-plan-delta':
      choice.reasoning += message.toolPlan;
      break;
    case 'tool-call-start': {
      const { id, function: called } = message.toolCalls;
      choice.toolCalls.push({ id, name: called.name, argumentsText: called.arguments ?? '' });
      break;
    }
    case 'tool-call-delta':
      choice.toolCalls[event.index].argumentsText += message.toolCalls.function.arguments;
      break;
    case 'message-end':
      choice.finishReason = event.delta.finishReason;
      answer.usage = usageOf(event.delta.usage);
      if (event.delta.error !== undefined) {
        answer.error = { message: event.delta.error };
      }
      break;
    default:
  }
}

await runAll(options, async (index) => {
  const answer = emptyAnswer();
  const messages = [{ role: 'user', content: promptOf(options, index) }];
  const request = { model: options.model, messages, tools };
  const once = { maxRetries: 0 };
  if (!options.stream) {
    addWhole(answer, await client.chat(request, once));
    return answerResult(answer);
  }
  for await (const event of await client.chatStream(request, once)) {
    addEvent(answer, event);
  }
  return answerResult(answer);
});
