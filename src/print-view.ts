/**
 * What `--print` shows of each stage. Captured bytes are shown as their number: credentials are still in them.
 * What a model call carries is shown only when message content is on.
 */
import type { CaptureEvent, ConnectionRef } from './capture/events.ts';
import type { PrintOptions, PrintStage } from './cli/agent-surface.ts';
import { type CollectedBody, collectBodies } from './http/body-collector.ts';
import { maskBody } from './http/body-secret-scanner.ts';
import type { ModelCall, ToolCall } from './llm/model-call.ts';
import type { PipelineOutput } from './pipeline.ts';
import type { StoryPiece } from './session/story.ts';
import { type ContentPolicy, redactValue } from './telemetry/content.ts';
import { describePiece } from './telemetry/piece-span.ts';
import type { Conventions } from './telemetry/semconv.ts';
import type { ConnectionParserFactory } from './transport/connection.ts';

export interface Printer {
  event(event: CaptureEvent): void;
  piece(piece: StoryPiece): void;
  /** To be given to the pipeline. */
  taps: Pick<PipelineOutput, 'exchange' | 'wrapParser' | 'wrapHandler'>;
}

/** Prints one stage, and lets the others pass at no cost. */
export function createPrinter(
  print: PrintOptions,
  content: ContentPolicy,
  conventions: Conventions,
  maxBodyBytes: number,
): Printer {
  const isContentOn = content.isOnSpans || content.isOnEvents;

  function show(stage: PrintStage, value: unknown): void {
    print.sink(stage, value);
  }

  const isStage = (stage: PrintStage): boolean => print.stage === stage;

  function exchangeTaps(): Printer['taps'] {
    if (!isContentOn) {
      return { exchange: (exchange) => show('exchanges', exchange) };
    }
    return {
      wrapHandler: (next) =>
        collectBodies({
          next,
          maxBytes: maxBodyBytes,
          onEnd: (exchange, { request, response }) =>
            show('exchanges', {
              ...exchange,
              requestBody: bodyView(request, content.redact),
              responseBody: bodyView(response, content.redact),
            }),
        }),
    };
  }

  return {
    event(event) {
      if (isStage('events')) {
        show('events', event);
      }
    },
    piece(piece) {
      if (isStage('calls') && piece.kind === 'call') {
        show('calls', callView(piece.call, isContentOn, content.redact));
      }
      if (isStage('turns') && piece.kind === 'turn') {
        show('turns', turnView(piece, isContentOn, content.redact));
      }
      if (isStage('spans')) {
        show('spans', describePiece(piece, content, conventions));
      }
    },
    taps: {
      ...(isStage('exchanges') ? exchangeTaps() : {}),
      ...(isStage('streams')
        ? { wrapParser: (factory: ConnectionParserFactory) => printStreams(factory, show) }
        : {}),
    },
  };
}

/** Text with credentials masked; a body that is no UTF-8 is shown as its number of bytes. */
function bodyView(body: CollectedBody | undefined, redact: (text: string) => string): unknown {
  if (body === undefined) {
    return undefined;
  }
  const { bytes, ...rest } = body;
  try {
    // What was cut in the middle of a character is not an error of the body's.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(maskBody(bytes), {
      stream: true,
    });
    return { text: redact(text), ...rest };
  } catch {
    return { byteCount: bytes.length, ...rest };
  }
}

function printStreams(
  factory: ConnectionParserFactory,
  show: (stage: PrintStage, value: unknown) => void,
): ConnectionParserFactory {
  return (connection: ConnectionRef) => {
    const parser = factory(connection);
    return {
      data(direction, bytes, at, position) {
        const length = bytes.length;
        show('streams', { kind: 'data', connection, direction, position, length, ...at });
        parser.data(direction, bytes, at, position);
      },
      gap(direction, size, at) {
        show('streams', { kind: 'gap', connection, direction, lostBytes: size, ...at });
        parser.gap(direction, size, at);
      },
      skip(direction, size, at, frames) {
        show('streams', { kind: 'skip', connection, direction, skippedBytes: size, ...at });
        if (parser.skip) {
          parser.skip(direction, size, at, frames);
        } else {
          parser.gap(direction, size, at);
        }
      },
      end(reason, timeNs) {
        show('streams', { kind: 'end', connection, reason, timeNs });
        parser.end(reason, timeNs);
      },
    };
  };
}

function turnView(
  turn: StoryPiece & { kind: 'turn' },
  isContentOn: boolean,
  redact: (text: string) => string,
): unknown {
  return { ...turn, calls: turn.calls.map((call) => callView(call, isContentOn, redact)) };
}

function callView(
  call: ModelCall,
  isContentOn: boolean,
  redact: (text: string) => string,
): unknown {
  if (isContentOn) {
    return redactValue(call, redact);
  }
  const { messages, systemInstructions, toolResults, toolDefinitions, ...request } = call.request;
  return {
    ...call,
    // A service may quote in it what it was sent, a key included.
    ...(call.error === undefined ? {} : { error: redactValue(call.error, redact) }),
    request: {
      ...request,
      messages: messages.length,
      systemInstructions: systemInstructions.length,
      toolResults: toolResults.map(({ id, isError }) => ({ id, isError })),
      toolDefinitions: toolDefinitions.map(({ type, name }) => ({ type, name })),
    },
    ...(call.response === undefined ? {} : { response: responseView(call.response) }),
  };
}

function responseView(response: NonNullable<ModelCall['response']>): unknown {
  const { messages, toolCalls, ...rest } = response;
  return { ...rest, messages: messages.length, toolCalls: toolCalls.map(toolCallView) };
}

function toolCallView({ argumentsText, ...rest }: ToolCall): unknown {
  return { ...rest, argumentsChars: argumentsText.length };
}
