/** Events of an answer of Claude, whatever frames them. https://docs.anthropic.com/en/docs/build-with-claude/streaming */

export type ClaudeEvent = { type: string; [member: string]: unknown };

/** `head` has id and model. */
export function messageStart(head: object, usage: object): ClaudeEvent {
  return {
    type: 'message_start',
    message: {
      ...head,
      type: 'message',
      role: 'assistant',
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage,
    },
  };
}

export function blockStart(index: number, contentBlock: object): ClaudeEvent {
  return { type: 'content_block_start', index, content_block: contentBlock };
}

export function blockDelta(index: number, delta: object): ClaudeEvent {
  return { type: 'content_block_delta', index, delta };
}

export function blockStop(index: number): ClaudeEvent {
  return { type: 'content_block_stop', index };
}

export function textBlock(index: number, ...pieces: string[]): ClaudeEvent[] {
  return [
    blockStart(index, { type: 'text', text: '' }),
    ...pieces.map((text) => blockDelta(index, { type: 'text_delta', text })),
    blockStop(index),
  ];
}

export function toolBlock(
  index: number,
  id: string,
  name: string,
  ...pieces: string[]
): ClaudeEvent[] {
  return [
    blockStart(index, { type: 'tool_use', id, name, input: {} }),
    ...pieces.map((piece) => blockDelta(index, { type: 'input_json_delta', partial_json: piece })),
    blockStop(index),
  ];
}

export function messageDelta(reason: string | null, usage: object): ClaudeEvent {
  return { type: 'message_delta', delta: { stop_reason: reason, stop_sequence: null }, usage };
}

export const MESSAGE_STOP: ClaudeEvent = { type: 'message_stop' };
export const PING: ClaudeEvent = { type: 'ping' };
