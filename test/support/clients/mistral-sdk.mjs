/** Mistral's Node SDK, which speaks chat completions and checks what it is answered against its own schemas. */
import { Mistral } from '@mistralai/mistralai';
import { answerResult, emptyAnswer } from './answer.mjs';
import { promptOf, readOptions, runAll } from './options.mjs';

const options = readOptions();
const client = new Mistral({
  apiKey: options.key,
  serverURL: options.url,
  retryConfig: { strategy: 'none' },
});
const parameters = { type: 'object', properties: { command: { type: 'string' } } };
const tools = [{ type: 'function', function: { name: 'shell', description: 'd', parameters } }];

/** The SDK drops the counts that its schemas do not have: null. */
function usageOf({ promptTokens, completionTokens }) {
  return {
    inputTokens: promptTokens,
    outputTokens: completionTokens,
    cacheReadInputTokens: null,
    reasoningOutputTokens: null,
  };
}

/** Calls come whole, and their numbers say nothing. */
function addCalls(choice, calls) {
  for (const { id, function: called } of calls ?? []) {
    const given = called.arguments;
    const argumentsText = typeof given === 'string' ? given : JSON.stringify(given);
    choice.toolCalls.push({ id, name: called.name, argumentsText });
  }
}

/** A whole answer, or one chunk of a stream. */
function add(answer, response) {
  answer.id ??= response.id;
  answer.model ??= response.model;
  for (const entry of response.choices) {
    answer.choices[entry.index] ??= { text: '', toolCalls: [] };
    const choice = answer.choices[entry.index];
    const part = entry.delta ?? entry.message;
    choice.text += part.content ?? '';
    addCalls(choice, part.toolCalls);
    choice.finishReason = entry.finishReason ?? choice.finishReason;
  }
  if (response.usage !== undefined) {
    answer.usage = usageOf(response.usage);
  }
}

await runAll(options, async (index) => {
  const answer = emptyAnswer();
  const messages = [{ role: 'user', content: promptOf(options, index) }];
  const request = { model: options.model, messages, tools };
  if (!options.stream) {
    add(answer, await client.chat.complete(request));
    return answerResult(answer);
  }
  for await (const event of await client.chat.stream(request)) {
    add(answer, event.data);
  }
  return answerResult(answer);
});
