/** One span as one readable line, and its content as a few more. */
import { type AttributeValue, SpanStatusCode } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { Attr, Operations } from './semconv.ts';
import { type Chunk, countText, durationText, printable } from './terminal-text.ts';

/** Longest text of a message, and longest command line, shown in a tree. */
const MAX_CONTENT_CHARS = 500;
const MAX_COMMAND_CHARS = 200;

/** Name, then what matters most for its kind, then damage. */
export function spanLine(span: ReadableSpan): Chunk[] {
  const { attributes } = span;
  const chunks: Chunk[] = [{ text: printable(span.name), colour: 'bold' }];
  const add = (text: string, colour?: Chunk['colour']): void => {
    chunks.push({ text: '  ' }, colour === undefined ? { text } : { text, colour });
  };
  if (attributes[Attr.operationName] === undefined) {
    const command = commandLine(attributes[Attr.processCommandArgs]);
    if (command !== '') {
      add(command, 'dim');
    }
  }
  const address = addressText(attributes);
  if (address !== '') {
    add(address, 'dim');
  }
  add(durationText(durationNs(span)), 'cyan');
  const status = attributes[Attr.httpResponseStatusCode];
  if (status !== undefined && span.status.code !== SpanStatusCode.ERROR) {
    add(String(status), 'green');
  }
  if (attributes[Attr.responseTimeToFirstChunk] !== undefined) {
    const seconds = Number(attributes[Attr.responseTimeToFirstChunk]);
    add(`first chunk ${durationText(BigInt(Math.round(seconds * 1e9)))}`, 'dim');
  }
  const tokens = tokenText(span);
  if (tokens !== '') {
    add(tokens);
  }
  const reasons = attributes[Attr.responseFinishReasons];
  if (Array.isArray(reasons) && attributes[Attr.operationName] !== Operations.invokeAgent) {
    add(printable(reasons.join(', ')), 'dim');
  }
  if (attributes[Attr.processExitCode] !== undefined) {
    const code = attributes[Attr.processExitCode];
    add(`exit ${code}`, code === 0 ? 'green' : 'red');
  }
  if (span.status.code === SpanStatusCode.ERROR && !isToldByExitCode(span)) {
    add(errorText(span), 'red');
  }
  const damage = attributes[Attr.damage];
  if (Array.isArray(damage)) {
    const lost = attributes[Attr.lostBytes];
    const bytes = lost === undefined ? '' : ` (${countText(Number(lost))} bytes lost)`;
    add(`damaged: ${damage.join(', ')}${bytes}`, 'yellow');
  }
  return chunks;
}

/** Where an HTTP exchange went: server, port if it is none of the usual ones, and path. */
function addressText(attributes: ReadableSpan['attributes']): string {
  if (attributes[Attr.httpRequestMethod] === undefined) {
    return '';
  }
  const url = attributes[Attr.urlFull];
  const text = url === undefined ? attributes[Attr.serverAddress] : String(url);
  const shown = printable(String(text ?? '').replace(/^https?:\/\/|\?.*$/g, ''));
  return shown.length > MAX_COMMAND_CHARS ? `${shown.slice(0, MAX_COMMAND_CHARS)}…` : shown;
}

function durationNs(span: ReadableSpan): bigint {
  const [startSeconds, startNanos] = span.startTime;
  const [endSeconds, endNanos] = span.endTime;
  return BigInt(endSeconds - startSeconds) * 1_000_000_000n + BigInt(endNanos - startNanos);
}

function tokenText(span: ReadableSpan): string {
  const { attributes } = span;
  const input = attributes[Attr.usageInputTokens];
  const output = attributes[Attr.usageOutputTokens];
  const cached = attributes[Attr.usageCacheReadInputTokens];
  const parts: string[] = [];
  if (input !== undefined) {
    const ofCache =
      cached === undefined || cached === 0 ? '' : ` (${countText(Number(cached))} cached)`;
    parts.push(`${countText(Number(input))} in${ofCache}`);
  }
  if (output !== undefined) {
    parts.push(`${countText(Number(output))} out`);
  }
  return parts.join(', ');
}

/** `exit 3  error 3` would say it twice. */
function isToldByExitCode({ attributes, status }: ReadableSpan): boolean {
  const code = attributes[Attr.processExitCode];
  return (
    code !== undefined &&
    status.message === undefined &&
    String(attributes[Attr.errorType]) === String(code)
  );
}

function errorText(span: ReadableSpan): string {
  const type = span.attributes[Attr.errorType];
  const message = span.status.message === undefined ? '' : `: ${span.status.message}`;
  return printable(`error ${type ?? ''}${message}`.trim()).slice(0, MAX_CONTENT_CHARS);
}

function commandLine(args: AttributeValue | undefined): string {
  if (!Array.isArray(args)) {
    return '';
  }
  // The name stands there already.
  const rest = args.slice(1).map((argument) => quoted(String(argument)));
  const line = printable(rest.join(' '));
  return line.length > MAX_COMMAND_CHARS ? `${line.slice(0, MAX_COMMAND_CHARS)}…` : line;
}

function quoted(argument: string): string {
  return /^[\w@%+=:,./*-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}

/** Prompt and answer, when content is on: what was said last, and what came back. */
export function contentLines(span: ReadableSpan): Chunk[][] {
  const { attributes } = span;
  if (attributes[Attr.operationName] === Operations.invokeAgent) {
    return [];
  }
  const lines: Chunk[][] = [];
  const add = (mark: string, text: string): void => {
    const shown = printable(text).trim();
    if (shown !== '') {
      lines.push([
        { text: `${mark} `, colour: 'dim' },
        { text: shown.slice(0, MAX_CONTENT_CHARS) },
      ]);
    }
  };
  add('>', messageText(attributes[Attr.inputMessages]));
  add('<', messageText(attributes[Attr.outputMessages]));
  add('>', String(attributes[Attr.toolCallArguments] ?? ''));
  add('<', String(attributes[Attr.toolCallResult] ?? ''));
  return lines;
}

/** The last message's texts; nothing when a length limit cut the JSON. */
function messageText(value: AttributeValue | undefined): string {
  if (typeof value !== 'string') {
    return '';
  }
  try {
    const messages = JSON.parse(value) as { parts?: Record<string, unknown>[] }[];
    const parts = messages.at(-1)?.parts ?? [];
    return parts.map(partText).filter(Boolean).join(' ');
  } catch {
    return '';
  }
}

function partText(part: Record<string, unknown>): string {
  if (typeof part.content === 'string' && part.type !== 'blob') {
    return part.content;
  }
  if (part.type === 'tool_call') {
    return `${part.name}(${JSON.stringify(part.arguments ?? {})})`;
  }
  if (part.type === 'tool_call_response') {
    return typeof part.response === 'string' ? part.response : JSON.stringify(part.response);
  }
  return '';
}
