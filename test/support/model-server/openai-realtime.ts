/** The events of a response as the Realtime API sends them: https://platform.openai.com/docs/api-reference/realtime */
import type { StreamEvent } from './answer.ts';
import { isRecord, type Json, records } from './json-value.ts';

/** A second of silence at 8 kHz, as the service sends audio: base64. */
const AUDIO = Buffer.alloc(8000).toString('base64');

/** Made from the events of the responses API; `conversationId` is null for a response apart from it. */
export function realtimeEvents(
  events: readonly StreamEvent[],
  conversationId: string | null,
): StreamEvent[] {
  let responseId = '';
  return events.flatMap((event, index) => {
    const data = isRecord(event.data) ? event.data : {};
    const response = isRecord(data.response) ? data.response : undefined;
    responseId = typeof response?.id === 'string' ? response.id : responseId;
    const own = { ...data, event_id: `event_${index}`, response_id: responseId };
    return convert(own, response, conversationId).map((converted, at, all) => {
      const isLast = at === all.length - 1;
      return isLast && event.effect
        ? { data: converted, effect: event.effect }
        : { data: converted };
    });
  });
}

/** The last of them has the effect. */
function convert(data: Json, response: Json | undefined, conversationId: string | null): Json[] {
  switch (data.type) {
    case 'response.created':
      return [{ ...data, response: realtimeResponse(response ?? {}, conversationId) }];
    case 'response.in_progress':
      return [];
    case 'response.output_text.delta':
      return [
        { ...data, type: 'response.output_audio.delta', delta: AUDIO },
        { ...data, type: 'response.output_audio_transcript.delta' },
      ];
    case 'response.output_text.done':
      return [{ ...data, type: 'response.output_audio_transcript.done' }];
    case 'response.output_item.added':
    case 'response.output_item.done':
      return [{ ...data, item: realtimeItem(isRecord(data.item) ? data.item : {}) }];
    case 'response.completed':
    case 'response.incomplete':
      return [
        {
          ...data,
          type: 'response.done',
          response: realtimeResponse(response ?? {}, conversationId),
        },
      ];
    default:
      return [data];
  }
}

function realtimeItem(item: Json): Json {
  const content = records(item.content).map(({ text }) => ({
    type: 'output_audio',
    transcript: text,
  }));
  return { ...item, object: 'realtime.item', ...(item.type === 'message' ? { content } : {}) };
}

function realtimeResponse(response: Json, conversationId: string | null): Json {
  const { incomplete_details: details, usage, ...rest } = response;
  const reason = isRecord(details) ? details.reason : undefined;
  return {
    ...rest,
    object: 'realtime.response',
    conversation_id: conversationId,
    output: records(response.output).map(realtimeItem),
    status_details: reason === undefined ? null : { type: response.status, reason },
    usage: isRecord(usage) ? realtimeUsage(usage) : null,
  };
}

function realtimeUsage(usage: Json): Json {
  const input = Number(usage.input_tokens);
  const output = Number(usage.output_tokens);
  const cached = isRecord(usage.input_tokens_details) ? usage.input_tokens_details : {};
  const audio = Math.min(input, 13);
  const spoken = Math.min(output, 4);
  return {
    total_tokens: input + output,
    input_tokens: input,
    output_tokens: output,
    input_token_details: { ...cached, text_tokens: input - audio, audio_tokens: audio },
    output_token_details: { text_tokens: output - spoken, audio_tokens: spoken },
  };
}
