/** Exchanges with Gemini's interactions. */
import type { Usage } from '../../../src/llm/model-call.ts';
import type { Random } from '../model-server/random.ts';
import {
  choiceOf,
  drawReply,
  endTools,
  exchangeOf,
  isOneIn,
  JSON_TYPE,
  type Piece,
  type PlannedExchange,
  pick,
  type Reply,
  sse,
  type ToolTruth,
  tellReply,
} from './traffic-plan.ts';

interface Outcome {
  status: string;
  usage: object;
  counted: Usage;
}

function outcomeOf(reply: Reply): Outcome {
  const hasTools = reply.tools.length > 0;
  return {
    status: reply.isCutByLimit ? 'incomplete' : hasTools ? 'requires_action' : 'completed',
    usage: {
      total_input_tokens: reply.input,
      total_output_tokens: reply.output,
      total_thought_tokens: reply.reasoning,
      total_tool_use_tokens: reply.cacheWrite,
      total_cached_tokens: reply.cacheRead,
      input_tokens_by_modality: [{ modality: 'text', tokens: reply.input }],
    },
    counted: {
      inputTokens: reply.input + reply.cacheWrite,
      outputTokens: reply.output + reply.reasoning,
      cacheReadInputTokens: reply.cacheRead,
      reasoningOutputTokens: reply.reasoning,
      byModality: { text: { inputTokens: reply.input } },
    },
  };
}

/** Any JSON for the arguments, as they are in an object around it. */
function stepsJson(reply: Reply): string {
  const text = { type: 'model_output', content: [{ type: 'text', text: reply.texts.join('') }] };
  const calls = reply.tools.map(
    ({ id, name, pieces }) =>
      `{"type":"function_call","id":"${id}","name":"${name}","arguments":${pieces.join('')}}`,
  );
  return `[${[...(reply.texts.length > 0 ? [JSON.stringify(text)] : []), ...calls].join(',')}]`;
}

function wholeOf(reply: Reply, { status, usage, counted }: Outcome): Piece {
  const head = { id: reply.id, model: reply.model, status, usage };
  const body = `${JSON.stringify(head).slice(0, -1)},"steps":${stepsJson(reply)}}`;
  return {
    bytes: Buffer.from(body),
    tell(truth) {
      Object.assign(truth, { id: reply.id, model: reply.model, usage: counted, isComplete: true });
      tellReply(truth, reply, status);
    },
  };
}

function eventsOf(random: Random, reply: Reply, outcome: Outcome): Piece[] {
  const { status, usage, counted } = outcome;
  const head = { id: reply.id, model: reply.model };
  const isNamed = isOneIn(random, 2);
  const pieces: Piece[] = [];
  const add = (type: string, members: object, tell: Piece['tell'] = () => {}): void => {
    pieces.push(sse({ event_type: type, ...members }, tell, isNamed ? type : undefined));
  };
  add('interaction.created', { interaction: { ...head, status: 'in_progress' } }, (truth) => {
    Object.assign(truth, head);
  });
  add('step.start', { index: 0, step: { type: 'model_output' } });
  for (const text of reply.texts) {
    add('step.delta', { index: 0, delta: { type: 'text', text } }, (truth) => {
      choiceOf(truth, 0).text += text;
    });
  }
  add('step.stop', { index: 0 });
  reply.tools.forEach(({ id, name, pieces: parts }, position) => {
    const index = position + 1;
    const known: ToolTruth = { id, name, argumentsText: '' };
    const step = { type: 'function_call', id, name, arguments: {} };
    add('step.start', { index, step }, (truth) => {
      choiceOf(truth, 0).tools.push(known);
    });
    for (const part of parts) {
      const delta = { type: 'arguments_delta', arguments: part };
      add('step.delta', { index, delta }, () => {
        known.argumentsText += part;
      });
    }
    add('step.stop', { index }, (truth) => endTools(truth, [known]));
  });
  if (isOneIn(random, 8)) {
    const error = { code: 'gateway_timeout', message: 'Too late.' };
    add('error', { error }, (truth) => {
      truth.errorCode = error.code;
    });
    return pieces;
  }
  add('interaction.completed', { interaction: { ...head, status, usage } }, (truth) => {
    truth.usage = counted;
    truth.isComplete = true;
    choiceOf(truth, 0).finishReason = status;
  });
  pieces.push(sse('[DONE]', undefined, 'done'));
  return pieces;
}

export function interaction(random: Random): PlannedExchange {
  const reply = drawReply(random);
  const outcome = outcomeOf(reply);
  const isVertex = isOneIn(random, 3);
  const isStream = isOneIn(random, 2);
  const prefix = isVertex ? '/v1beta1/projects/p/locations/l' : '/v1beta';
  const at = {
    api: 'gemini.interactions',
    host: isVertex ? 'eu-aiplatform.googleapis.com' : 'generativelanguage.googleapis.com',
    provider: isVertex ? 'gcp.vertex_ai' : 'gcp.gemini',
    target: `${prefix}/interactions${isStream ? '?alt=sse' : ''}`,
  } as const;
  const request = {
    model: 'gemini-3-flash-preview',
    input: pick<unknown>(random, random.text(20), [{ type: 'text', text: random.text(9) }]),
    ...(isStream ? { stream: true } : {}),
  };
  if (isStream) {
    return exchangeOf(at, request, eventsOf(random, reply, outcome));
  }
  return exchangeOf(at, request, [wholeOf(reply, outcome)], {
    responseHeaders: [JSON_TYPE],
    isStream: false,
  });
}
