/** OpenAI's Node SDK, speaking the responses API. */
import OpenAI from 'openai';
import { answerResult, emptyAnswer } from './answer.mjs';
import { promptOf, readOptions, runAll } from './options.mjs';

const options = readOptions();
const client = new OpenAI({ baseURL: `${options.url}/v1`, apiKey: options.key, maxRetries: 0 });

function textOf(response) {
  const parts = response.output.flatMap((item) => item.content ?? []);
  return parts.map((part) => part.text ?? '').join('');
}

/** What the SDK made of an answer, in the shape of every client. */
function addResponse(answer, response) {
  answer.id = response.id;
  answer.model = response.model;
  answer.usage = response.usage;
  answer.error = response.error ?? undefined;
  const calls = response.output.filter((item) => item.type === 'function_call');
  answer.choices.push({
    text: textOf(response),
    toolCalls: calls.map((call) => ({
      id: call.call_id,
      name: call.name,
      argumentsText: call.arguments,
    })),
    finishReason: response.incomplete_details?.reason ?? response.status,
  });
}

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
