/** OpenAI's Node SDK, speaking the Realtime API: text, audio that the server answers of itself, function calls. */
import OpenAI from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';
import { answerResult, emptyAnswer } from './answer.mjs';
import { promptOf, readOptions, runOverSockets } from './options.mjs';
import { addResponse } from './response-answer.mjs';

const options = readOptions();
const client = new OpenAI({ baseURL: `${options.url}/v1`, apiKey: options.key, maxRetries: 0 });
/** As many as the server takes for an utterance. */
const AUDIO_MESSAGES = 5;

function open() {
  const realtime = new OpenAIRealtimeWS(
    {
      model: options.model,
      options: { perMessageDeflate: options.encoding === 'deflate' ? { threshold: 0 } : false },
    },
    client,
  );
  let settle;
  const greeted = new Promise((resolve) => realtime.once('session.created', resolve));
  realtime.on('response.done', (event) => settle?.({ response: event.response }));
  realtime.on('error', (error) => settle?.({ error: error.error ?? { message: error.message } }));
  return {
    async request(index) {
      await greeted;
      const over = new Promise((resolve) => {
        settle = resolve;
      });
      const text = promptOf(options, index);
      const content = [{ type: 'input_text', text }];
      realtime.send({
        type: 'conversation.item.create',
        item: { type: 'message', role: 'user', content },
      });
      if (index % 3 === 2) {
        for (let count = 0; count < AUDIO_MESSAGES; count += 1) {
          const audio = Buffer.alloc(4000, count).toString('base64');
          realtime.send({ type: 'input_audio_buffer.append', audio });
        }
      } else {
        realtime.send({ type: 'response.create' });
      }
      const { response, error } = await over;
      const answer = emptyAnswer();
      if (error !== undefined) {
        return { ...answerResult(answer), error };
      }
      addResponse(answer, response);
      return answerResult(answer);
    },
    close: () => realtime.close(),
  };
}

await runOverSockets(options, open);
