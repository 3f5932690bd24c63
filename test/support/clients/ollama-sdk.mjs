/** Ollama's Node client. */
import { Ollama } from 'ollama';
import { answerResult, emptyAnswer } from './answer.mjs';
import { promptOf, readOptions, runAll } from './options.mjs';

const options = readOptions();
const client = new Ollama({ host: options.url });
const parameters = { type: 'object', properties: { command: { type: 'string' } } };
const tools = [{ type: 'function', function: { name: 'shell', description: 'd', parameters } }];

/** What the client made of an answer, or of one line of it. */
function add(answer, response) {
  answer.model = response.model;
  answer.choices[0] ??= { text: '', reasoning: '', toolCalls: [] };
  const choice = answer.choices[0];
  choice.text += response.message.content;
  choice.reasoning += response.message.thinking ?? '';
  for (const { function: called } of response.message.tool_calls ?? []) {
    choice.toolCalls.push({ name: called.name, argumentsText: JSON.stringify(called.arguments) });
  }
  if (response.done) {
    choice.finishReason = response.done_reason;
    answer.usage = {
      inputTokens: response.prompt_eval_count,
      outputTokens: response.eval_count,
    };
  }
}

await runAll(options, async (index) => {
  const answer = emptyAnswer();
  const messages = [{ role: 'user', content: promptOf(options, index) }];
  const request = { model: options.model, messages, tools };
  if (!options.stream) {
    add(answer, await client.chat({ ...request, stream: false }));
    return answerResult(answer);
  }
  for await (const part of await client.chat({ ...request, stream: true })) {
    add(answer, part);
  }
  return answerResult(answer);
});
