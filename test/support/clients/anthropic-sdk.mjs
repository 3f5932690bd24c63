/** Anthropic's Node SDK. */
import Anthropic from '@anthropic-ai/sdk';
import { addAnthropicEvent, addAnthropicMessage, answerResult, emptyAnswer } from './answer.mjs';
import { bodyOf, readOptions, runAll } from './options.mjs';

const options = readOptions(['--api', 'anthropic', ...process.argv.slice(2)]);
const client = new Anthropic({ baseURL: options.url, apiKey: options.key, maxRetries: 0 });

await runAll(options, async (index) => {
  const answer = emptyAnswer();
  const result = await client.messages.create(bodyOf(options, index));
  if (!options.stream) {
    addAnthropicMessage(answer, result);
    return answerResult(answer);
  }
  for await (const event of result) {
    addAnthropicEvent(answer, event);
  }
  return answerResult(answer);
});
