/** OpenAI's Node SDK, speaking the responses API over WebSockets. */
import OpenAI from 'openai';
import { ResponsesWS } from 'openai/resources/responses/ws';
import { answerResult, emptyAnswer } from './answer.mjs';
import { promptOf, readOptions, runOverSockets } from './options.mjs';
import { addResponse } from './response-answer.mjs';

const options = readOptions();
const client = new OpenAI({ baseURL: `${options.url}/v1`, apiKey: options.key, maxRetries: 0 });

function open() {
  const socket = new ResponsesWS(client, {
    perMessageDeflate: options.encoding === 'deflate' ? { threshold: 0 } : false,
  });
  let settle;
  socket.on('event', (event) => {
    if (event.type === 'error') {
      settle?.({ error: event.error ?? event });
    } else if (event.response !== undefined && event.type !== 'response.created') {
      if (event.response.status !== 'in_progress') {
        settle?.({ response: event.response });
      }
    }
  });
  socket.on('error', (error) => settle?.({ error: { message: error.message } }));
  return {
    async request(index) {
      const over = new Promise((resolve) => {
        settle = resolve;
      });
      const input = [{ type: 'message', role: 'user', content: promptOf(options, index) }];
      socket.send({ type: 'response.create', model: options.model, input });
      const { response, error } = await over;
      const answer = emptyAnswer();
      if (error !== undefined) {
        return { ...answerResult(answer), error };
      }
      addResponse(answer, response);
      return answerResult(answer);
    },
    close: () => socket.close(),
  };
}

await runOverSockets(options, open);
