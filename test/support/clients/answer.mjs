/** Reads model answers the way a plain client does, and gives every client's result the same shape. */
import { createHash } from 'node:crypto';
import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync } from 'node:zlib';
import { MAX_PRINTED_TEXT_CHARACTERS } from './options.mjs';

export function emptyAnswer() {
  return { choices: [], usage: undefined };
}

function choiceOf(answer, index) {
  while (answer.choices.length <= index) {
    answer.choices.push({ text: '', toolCalls: [] });
  }
  return answer.choices[index];
}

/** The data of each event of an SSE body: https://html.spec.whatwg.org/multipage/server-sent-events.html */
export function sseData(text) {
  const events = [];
  let data = [];
  for (const line of text.replace(/^\ufeff/, '').split(/\r\n|\n|\r/)) {
    if (line === '') {
      if (data.length > 0) {
        events.push(data.join('\n'));
      }
      data = [];
    } else if (line.startsWith('data:')) {
      data.push(line.slice(5).replace(/^ /, ''));
    }
  }
  if (data.length > 0) {
    events.push(data.join('\n'));
  }
  return events;
}

function addOpenAiCalls(choice, calls) {
  for (const call of calls ?? []) {
    let own = call.index === undefined ? undefined : choice.toolCalls[call.index];
    if (own === undefined) {
      own = { ...(call.id === undefined ? {} : { id: call.id }), name: '', argumentsText: '' };
      choice.toolCalls.push(own);
    }
    own.name += call.function?.name ?? '';
    const text = call.function?.arguments ?? '';
    own.argumentsText += typeof text === 'string' ? text : JSON.stringify(text);
  }
}

/** Adds a chat completion, or one chunk of a streamed one. */
export function addOpenAi(answer, chunk) {
  if (chunk.error !== undefined && chunk.error !== null) {
    answer.error = chunk.error;
    return;
  }
  answer.id ||= chunk.id;
  answer.model ||= chunk.model;
  for (const entry of chunk.choices ?? []) {
    const choice = choiceOf(answer, entry.index);
    const part = entry.delta ?? entry.message ?? {};
    choice.text += part.content ?? '';
    addOpenAiCalls(choice, part.tool_calls);
    if (entry.finish_reason) {
      choice.finishReason = entry.finish_reason;
    }
  }
  const usage = chunk.usage ?? chunk.x_groq?.usage;
  if (usage) {
    answer.usage = usage;
  }
}

/** Adds a whole message. */
export function addAnthropicMessage(answer, message) {
  answer.id = message.id;
  answer.model = message.model;
  answer.usage = message.usage;
  const choice = choiceOf(answer, 0);
  if (message.stop_reason) {
    choice.finishReason = message.stop_reason;
  }
  for (const block of message.content) {
    if (block.type === 'text') {
      choice.text += block.text;
    } else if (block.type === 'tool_use') {
      const { id, name, input } = block;
      choice.toolCalls.push({ id, name, argumentsText: JSON.stringify(input) });
    }
  }
}

/** Adds one event of a streamed message. */
export function addAnthropicEvent(answer, event) {
  const choice = choiceOf(answer, 0);
  switch (event.type) {
    case 'message_start':
      answer.id = event.message.id;
      answer.model = event.message.model;
      answer.usage = event.message.usage;
      break;
    case 'content_block_start':
      if (event.content_block.type === 'tool_use') {
        const { id, name } = event.content_block;
        choice.toolCalls.push({ id, name, argumentsText: '' });
      }
      break;
    case 'content_block_delta':
      if (event.delta.type === 'text_delta') {
        choice.text += event.delta.text;
      } else if (event.delta.type === 'input_json_delta') {
        choice.toolCalls[choice.toolCalls.length - 1].argumentsText += event.delta.partial_json;
      }
      break;
    case 'message_delta':
      if (event.delta.stop_reason) {
        choice.finishReason = event.delta.stop_reason;
      }
      if (event.usage) {
        answer.usage = { ...answer.usage, ...event.usage };
      }
      break;
    case 'error':
      answer.error = event.error;
      break;
    default:
  }
}

/** The answer in a decoded body, streamed or not. */
export function parseAnswer(api, contentType, body) {
  const answer = emptyAnswer();
  const text = body.toString('utf8');
  if (!/event-stream/.test(contentType ?? '')) {
    const value = JSON.parse(text);
    if (value.error) {
      answer.error = value.error;
    } else if (api === 'anthropic') {
      addAnthropicMessage(answer, value);
    } else {
      addOpenAi(answer, value);
    }
    return answer;
  }
  for (const data of sseData(text)) {
    if (data === '[DONE]') {
      break;
    }
    let value;
    try {
      value = JSON.parse(data);
    } catch {
      // A stream that broke off in the middle of an event.
      answer.error = { message: 'the stream broke off', type: 'broken_stream' };
      break;
    }
    if (api === 'anthropic') {
      addAnthropicEvent(answer, value);
    } else {
      addOpenAi(answer, value);
    }
  }
  return answer;
}

/** Removes a content encoding, for clients that are handed the bytes as they came. */
export function decodeContent(encoding, body) {
  switch (encoding) {
    case 'gzip':
      return gunzipSync(body);
    case 'deflate':
      // Some servers leave the zlib wrapper out.
      return (body[0] & 0x0f) === 8 ? inflateSync(body) : inflateRawSync(body);
    case 'br':
      return brotliDecompressSync(body);
    default:
      return body;
  }
}

function textResult(text) {
  return {
    textBytes: Buffer.byteLength(text),
    textSha256: createHash('sha256').update(text).digest('hex'),
    ...(text.length <= MAX_PRINTED_TEXT_CHARACTERS ? { text } : {}),
  };
}

/** The printed form of an answer. */
export function answerResult(answer) {
  return {
    ...(answer.id === undefined ? {} : { id: answer.id }),
    ...(answer.model === undefined ? {} : { model: answer.model }),
    choices: answer.choices.map(({ text, ...rest }) => ({ ...rest, ...textResult(text) })),
    ...(answer.usage === undefined ? {} : { usage: answer.usage }),
    ...(answer.error === undefined ? {} : { error: answer.error }),
  };
}

/** The printed form of a response of which the client saw head and decoded body. */
export function responseResult(options, { status, contentType, body }) {
  const result = {
    status,
    bodyBytes: body.length,
    bodySha256: createHash('sha256').update(body).digest('hex'),
  };
  if (options.targets !== undefined) {
    return result;
  }
  return { ...result, ...answerResult(parseAnswer(options.api, contentType, body)) };
}
