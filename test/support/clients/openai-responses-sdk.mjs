/** OpenAI's Node SDK, speaking the responses API. */
import OpenAI from 'openai';
import { answerResult, emptyAnswer } from './answer.mjs';
import { promptOf, readOptions, runAll } from './options.mjs';
import { addResponse } from './response-answer.mjs';

const options = readOptions();
const client = new OpenAI({ baseURL: `${options.url}/v1`, apiKey: options.key, maxRetries: 0 });

/** The answer that ends a stream; the SDK's own helper takes one that reached its limit for a failure. */
async function lastOf(stream) {
  let response;
  for await (const event of stream) {
    response = event.response ?? response;
  }
  return response;
}

await runAll(options, async (index) => {
  const answer = emptyAnswer();
  const request = { model: options.model, input: promptOf(options, index) };
  const response = options.stream
    ? await lastOf(await client.responses.create({ ...request, stream: true }))
    : await client.responses.create(request);
  addResponse(answer, response);
  return answerResult(answer);
});
