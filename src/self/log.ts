/** Sightline's own log: one line each to stderr, by pino, with repeated warnings held back. */
import { pino } from 'pino';
import type { Config } from '../config/schema.ts';

/** What a line is about; values are printed as name=value. Never put captured content or credentials here. */
type LogFields = Readonly<Record<string, string | number | bigint | boolean | undefined>>;

export interface Log {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  /**
   * A warning that may come by the thousand: one of each `topic` a minute is written, with the number of those
   * held back since. `topic` is a constant of the code, not made of data.
   */
  warnSometimes(topic: string, message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** What comes by the thousand and is of use to those alone who change Sightline. */
  verbose(message: string): void;
  /** An error with its stack, at debug level only: people get `message` lines instead. */
  trouble(message: string, error: unknown): void;
}

export interface LogOptions {
  level: Config['otel']['logLevel'];
  format: Config['log']['format'];
  /** Takes one line with its line feed. */
  write(line: string): void;
  /** Milliseconds since the epoch; for tests. */
  now?: () => number;
  /** How long a topic stays quiet after a warning. */
  quietMs?: number;
}

const DEFAULT_QUIET_MS = 60_000;
/** Topics are constants of the code, so this is never reached unless one was made of data by mistake. */
const MAX_TOPICS = 256;

/** The names of OTEL_LOG_LEVEL and what pino calls them. */
const PINO_LEVELS = {
  none: 'silent',
  error: 'error',
  warn: 'warn',
  info: 'info',
  debug: 'debug',
  verbose: 'trace',
  all: 'trace',
} as const satisfies Record<Config['otel']['logLevel'], string>;

const LEVEL_NAMES: Readonly<Record<number, string>> = {
  10: 'verbose',
  20: 'debug',
  30: 'info',
  40: 'warning',
  50: 'error',
};

export function createLog(options: LogOptions): Log {
  const { write, now = Date.now, quietMs = DEFAULT_QUIET_MS } = options;
  const logger = pino(
    {
      level: PINO_LEVELS[options.level],
      base: null,
      timestamp: () => `,"time":"${new Date(now()).toISOString()}"`,
    },
    { write: options.format === 'json' ? write : (line) => write(readable(line)) },
  );
  const topics = new Map<string, { untilMs: number; held: number }>();

  function warnSometimes(topic: string, message: string, fields?: LogFields): void {
    const atMs = now();
    const last = topics.get(topic);
    if (last !== undefined && atMs < last.untilMs) {
      last.held += 1;
      return;
    }
    if (last === undefined && topics.size >= MAX_TOPICS) {
      return;
    }
    topics.set(topic, { untilMs: atMs + quietMs, held: 0 });
    const held = last?.held ?? 0;
    logger.warn(plain(held > 0 ? { ...fields, heldBack: held } : fields), message);
  }

  return {
    error: (message, fields) => logger.error(plain(fields), message),
    warn: (message, fields) => logger.warn(plain(fields), message),
    warnSometimes,
    info: (message, fields) => logger.info(plain(fields), message),
    debug: (message, fields) => logger.debug(plain(fields), message),
    verbose: (message) => logger.trace(message),
    trouble: (message, error) => {
      const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
      logger.debug({ stack }, message);
    },
  };
}

/** A log that writes nothing. */
export function createSilentLog(): Log {
  return createLog({ level: 'none', format: 'text', write: () => {} });
}

/** JSON has no bigint. */
function plain(fields: LogFields = {}): Record<string, string | number | boolean | undefined> {
  const converted: Record<string, string | number | boolean | undefined> = {};
  for (const [name, value] of Object.entries(fields)) {
    converted[name] = typeof value === 'bigint' ? value.toString() : value;
  }
  return converted;
}

function readable(json: string): string {
  const { level, time, msg, stack, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const words = [`${time} ${LEVEL_NAMES[Number(level)] ?? level}: ${oneLine(String(msg))}`];
  for (const [name, value] of Object.entries(fields)) {
    const text = oneLine(String(value));
    words.push(`${name}=${/[\s"=]/.test(text) ? JSON.stringify(text) : text}`);
  }
  const line = `${words.join(' ')}\n`;
  return typeof stack === 'string' ? `${line}${indent(stack)}\n` : line;
}

/** Control characters could move a terminal's cursor or fake a second line. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim();
}

function indent(text: string): string {
  const lines = text.split('\n');
  return lines.map((line) => `    ${line.trim()}`).join('\n');
}
