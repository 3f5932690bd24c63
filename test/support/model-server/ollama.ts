/** Ollama's own chat as the server side speaks it: https://github.com/ollama/ollama/blob/main/docs/api.md */
import type { Answer } from './answer.ts';
import { type AnswerTruth, choiceOf } from './exchange-truth.ts';
import { type Json, records } from './json-value.ts';
import type { BodyPiece } from './response-plan.ts';
import type { Scenario } from './scenario.ts';
import {
  linePiece,
  noteEnd,
  reasonOf,
  setUsage,
  textPieces,
  type VendorApi,
  viewOf,
} from './vendor-api.ts';

const WORDS = { stop: 'stop', tools: 'stop' };

function line(answer: Answer, message: Json, rest: Json = { done: false }): Json {
  const createdAt = new Date(answer.createdSeconds * 1000).toISOString();
  return {
    model: answer.model,
    created_at: createdAt,
    message: { role: 'assistant', content: '', ...message },
    ...rest,
  };
}

/** Calls have arguments that are objects, and no ids. */
function callsOf(answer: Answer): Json[] {
  return answer.choices[0]!.toolCalls.map(({ name, argumentsText }) => ({
    function: { name, arguments: JSON.parse(argumentsText) as unknown },
  }));
}

function noteCalls(truth: AnswerTruth, answer: Answer): void {
  for (const { name, argumentsText } of answer.choices[0]!.toolCalls) {
    choiceOf(truth, 0).toolCalls.push({ name, argumentsText });
  }
}

/** What the last line says; a cached prompt (`cacheRead`) is not counted. */
function endOf(
  answer: Answer,
  scenario: Scenario,
  truth: AnswerTruth,
): { rest: Json; note: () => void } {
  const reason = reasonOf(answer, scenario, WORDS);
  const { input, output, cacheRead } = answer.tokens;
  const counted = cacheRead ? undefined : input;
  return {
    rest: {
      done: true,
      ...(reason === undefined ? {} : { done_reason: reason }),
      total_duration: 1_000_000,
      ...(counted === undefined ? {} : { prompt_eval_count: counted }),
      eval_count: output,
    },
    note() {
      truth.model = answer.model;
      setUsage(truth, {
        inputTokens: counted,
        outputTokens: output,
      });
      noteEnd(truth, reason);
    },
  };
}

export const ollama: VendorApi = {
  api: 'ollama.chat',
  matches: (path) => path.endsWith('/api/chat'),
  view(body) {
    const said = records(body.messages).map((message) => ({
      role:
        message.role === 'assistant'
          ? ('assistant' as const)
          : message.role === 'user'
            ? ('user' as const)
            : ('other' as const),
      text: String(message.content ?? ''),
      hasToolCalls: records(message.tool_calls).length > 0,
      results: message.role === 'tool' ? [{ text: String(message.content) }] : [],
    }));
    const model = typeof body.model === 'string' ? body.model : undefined;
    return viewOf('ollama.chat', model, body.stream !== false, said);
  },
  whole(answer, scenario, truth) {
    const choice = answer.choices[0]!;
    const calls = callsOf(answer);
    const end = endOf(answer, scenario, truth);
    const message = {
      content: choice.text,
      ...(choice.reasoning === '' ? {} : { thinking: choice.reasoning }),
      ...(calls.length === 0 ? {} : { tool_calls: calls }),
    };
    return {
      body: line(answer, message, end.rest),
      effect() {
        const seen = choiceOf(truth, 0);
        seen.text = choice.text;
        seen.reasoning = choice.reasoning;
        noteCalls(truth, answer);
        end.note();
      },
    };
  },
  stream(answer, scenario, truth) {
    const choice = answer.choices[0]!;
    const pieces: BodyPiece[] = [];
    const push = (message: Json, effect: () => void): void => {
      const note = (): void => {
        truth.model = answer.model;
        effect();
      };
      pieces.push(linePiece(line(answer, message), scenario, note));
    };
    for (const thinking of textPieces(choice.reasoning, answer, scenario)) {
      push({ thinking }, () => {
        choiceOf(truth, 0).reasoning += thinking;
      });
    }
    for (const content of textPieces(choice.text, answer, scenario)) {
      push({ content }, () => {
        choiceOf(truth, 0).text += content;
      });
    }
    if (choice.toolCalls.length > 0) {
      push({ tool_calls: callsOf(answer) }, () => noteCalls(truth, answer));
    }
    const end = endOf(answer, scenario, truth);
    const note = (): void => {
      choiceOf(truth, 0);
      end.note();
    };
    pieces.push(linePiece(line(answer, {}, end.rest), scenario, note));
    return { contentType: 'application/x-ndjson', pieces };
  },
  error(status, scenario) {
    const message = scenario.error?.message ?? 'The request failed.';
    return { error: { type: String(status), message }, body: { error: message } };
  },
  streamError(scenario, truth) {
    const message = scenario.error?.message ?? 'an error was encountered while running the model';
    return linePiece({ error: message }, scenario, () => {
      truth.error = { type: '_OTHER', message };
    });
  },
};
