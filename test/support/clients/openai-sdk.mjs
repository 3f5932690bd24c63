/** OpenAI's Node SDK. */
import OpenAI from 'openai';
import { addOpenAi, answerResult, emptyAnswer } from './answer.mjs';
import { bodyOf, readOptions, runAll } from './options.mjs';

const options = readOptions();
const client = new OpenAI({ baseURL: `${options.url}/v1`, apiKey: options.key, maxRetries: 0 });

await runAll(options, async (index) => {
  const answer = emptyAnswer();
  const result = await client.chat.completions.create(bodyOf(options, index));
  if (!options.stream) {
    addOpenAi(answer, result);
    return answerResult(answer);
  }
  for await (const chunk of result) {
    addOpenAi(answer, chunk);
  }
  return answerResult(answer);
});
