/** Mistral's Node SDK with its conversations. */
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

function setUsage(answer, { promptTokens, completionTokens }) {
  answer.usage = {
    inputTokens: promptTokens,
    outputTokens: completionTokens,
    // They have no name here.
    cacheReadInputTokens: null,
    reasoningOutputTokens: null,
  };
}

function addContent(choice, content) {
  for (const part of Array.isArray(content) ? content : [content]) {
    choice.text += typeof part === 'string' ? part : (part.text ?? '');
    choice.reasoning += (part.thinking ?? []).map(({ text }) => text).join('');
  }
}

function addWhole(answer, response) {
  const [choice] = answer.choices;
  for (const output of response.outputs) {
    answer.model = output.model;
    if (output.type === 'message.output') {
      addContent(choice, output.content);
    } else {
      const { toolCallId: id, name, arguments: given } = output;
      const argumentsText = typeof given === 'string' ? given : JSON.stringify(given);
      choice.toolCalls.push({ id, name, argumentsText });
    }
  }
  setUsage(answer, response.usage);
}

function addEvent(answer, data) {
  const [choice] = answer.choices;
  switch (data.type) {
    case 'message.output.delta':
      answer.model = data.model;
      addContent(choice, data.content);
      break;
    case 'function.call.delta': {
      const { toolCallId: id, name } = data;
      if (choice.toolCalls.at(-1)?.id !== id) {
        choice.toolCalls.push({ id, name, argumentsText: '' });
      }
      answer.model = data.model;
      choice.toolCalls.at(-1).argumentsText += data.arguments;
      break;
    }
    case 'conversation.response.done':
      setUsage(answer, data.usage);
      break;
    case 'conversation.response.error':
      answer.error = { code: data.code, message: data.message };
      break;
    default:
  }
}

await runAll(options, async (index) => {
  const answer = emptyAnswer();
  answer.choices.push({ text: '', reasoning: '', toolCalls: [] });
  const request = { model: options.model, inputs: promptOf(options, index), tools };
  const { conversations } = client.beta;
  if (!options.stream) {
    addWhole(answer, await conversations.start(request));
    return answerResult(answer);
  }
  for await (const { data } of await conversations.startStream(request)) {
    addEvent(answer, data);
  }
  return answerResult(answer);
});
