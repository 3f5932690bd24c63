/** Google's Node SDK with its interactions. */
import { GoogleGenAI } from '@google/genai';
import { answerResult, emptyAnswer } from './answer.mjs';
import { promptOf, readOptions, runAll } from './options.mjs';

const options = readOptions();
const client = new GoogleGenAI({
  apiKey: options.key,
  httpOptions: { baseUrl: options.url },
});
const tools = [{ type: 'function', name: 'shell', description: 'Runs a command.' }];

function addHead(answer, { id, model, status, usage }) {
  answer.id = id;
  answer.model = model;
  if (status !== 'in_progress') {
    answer.choices[0].finishReason = status;
  }
  if (usage !== undefined) {
    answer.usage = {
      inputTokens: usage.total_input_tokens,
      outputTokens: usage.total_output_tokens + (usage.total_thought_tokens ?? 0),
      cacheReadInputTokens: usage.total_cached_tokens,
      reasoningOutputTokens: usage.total_thought_tokens,
    };
  }
}

function textOf(contents = []) {
  return contents.map(({ text }) => text ?? '').join('');
}

function addWhole(answer, interaction) {
  const [choice] = answer.choices;
  addHead(answer, interaction);
  for (const step of interaction.steps) {
    if (step.type === 'thought') {
      choice.reasoning += textOf(step.summary);
    } else if (step.type === 'model_output') {
      choice.text += textOf(step.content);
    } else if (step.type === 'function_call') {
      const { id, name, arguments: given } = step;
      choice.toolCalls.push({ id, name, argumentsText: JSON.stringify(given) });
    }
  }
}

function addEvent(answer, event) {
  const [choice] = answer.choices;
  switch (event.event_type) {
    case 'interaction.created':
    case 'interaction.completed':
      addHead(answer, event.interaction);
      break;
    case 'step.start':
      if (event.step.type === 'function_call') {
        const { id, name } = event.step;
        choice.toolCalls.push({ id, name, argumentsText: '' });
      }
      break;
    case 'step.delta':
      choice.text += event.delta.type === 'text' ? event.delta.text : '';
      choice.reasoning += event.delta.type === 'thought_summary' ? event.delta.content.text : '';
      if (event.delta.type === 'arguments_delta') {
        choice.toolCalls.at(-1).argumentsText += event.delta.arguments;
      }
      break;
    case 'error':
      answer.error = event.error;
      break;
    default:
  }
}

await runAll(options, async (index) => {
  const answer = emptyAnswer();
  answer.choices.push({ text: '', reasoning: '', toolCalls: [] });
  const request = { model: options.model, input: promptOf(options, index), tools };
  const once = { maxRetries: 0 };
  if (!options.stream) {
    addWhole(answer, await client.interactions.create(request, once));
    return answerResult(answer);
  }
  for await (const event of await client.interactions.create({ ...request, stream: true }, once)) {
    addEvent(answer, event);
  }
  return answerResult(answer);
});
