/** Reads the configuration: defaults, then a file, then the environment, each value checked by its format. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import convict from 'convict';
import { parse as parseYaml } from 'yaml';
import { deepFreeze } from '../util/deep-freeze.ts';
import { ExitCode, SightlineError } from '../util/errors.ts';
import { checkTogether, fitBatchToQueue } from './consistency.ts';
import { Refusal } from './format.ts';
import type { Config, Setting } from './schema.ts';
import { schema, settings } from './schema.ts';

/** A value that its format refused, until it is reported. */
class Refused {
  readonly text: string;
  readonly reason: string;

  constructor(text: string, reason: string) {
    this.text = text;
    this.reason = reason;
  }
}

interface FileValue {
  setting: Setting;
  /** How the file names the key. */
  name: string;
  text: string;
}

export interface LoadOptions {
  /** YAML or JSON; its keys are the variables' names, or the schema's names in nested groups. */
  configFile?: string;
}

const ALL_SETTINGS = settings();

registerFormats();

/**
 * The configuration of this process. The environment wins over the file; an empty variable counts as unset, as
 * the OpenTelemetry specification has it. Throws a SightlineError (SL_CONFIG_…, exit code 2) that names each
 * wrong variable, its value and what is allowed.
 */
export function loadConfig(
  env: Readonly<Record<string, string | undefined>>,
  options: LoadOptions = {},
): Config {
  const given = givenVariables(env);
  const instance = convict<Record<string, unknown>>(convictSchema(schema) as never, {
    env: given,
    args: [],
  });
  const sources = new Map<string, string>();
  for (const { path, key } of ALL_SETTINGS) {
    if (given[key.env] !== undefined) {
      sources.set(path, key.env);
    }
  }
  if (options.configFile !== undefined) {
    for (const { setting, name, text } of readConfigFile(options.configFile)) {
      if (given[setting.key.env] === undefined) {
        const directory = dirname(resolve(options.configFile));
        instance.set(setting.path, setting.key.format.placed?.(text, directory) ?? text);
        sources.set(setting.path, `${name} in ${options.configFile}`);
      }
    }
  }
  refuseWrongValues(instance, sources);
  instance.validate({ allowed: 'strict' });
  const values = instance.getProperties() as unknown as Config;
  const config = deepFreeze(fitBatchToQueue(values, (path) => sources.has(path)));
  checkTogether(config);
  return config;
}

/**
 * One line for each variable of ours in the environment that this version does not know: a misspelt one would
 * otherwise be passed over in silence.
 */
export function unknownVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = new Set(ALL_SETTINGS.map(({ key }) => key.env));
  const lines: string[] = [];
  for (const name of Object.keys(env).sort()) {
    if (name.startsWith('SIGHTLINE_') && !known.has(name) && !isOfTests(name)) {
      lines.push(`${name} is set, but this version has no such setting: it has no effect`);
    }
  }
  return lines;
}

/** Variables that tests and set-up scripts read. */
function isOfTests(name: string): boolean {
  return name === 'SIGHTLINE_REQUIRE_KERNEL' || name.startsWith('SIGHTLINE_TEST_');
}

/**
 * convict keeps formats in one registry by name, so each setting's is registered under its variable's name. A
 * refused value becomes a `Refused`, which no validation passes.
 */
function registerFormats(): void {
  for (const { key } of ALL_SETTINGS) {
    convict.addFormat({
      name: key.env,
      coerce: (text: string): unknown => {
        const value = key.format.parse(text.trim());
        return value instanceof Refusal ? new Refused(text, value.reason) : value;
      },
      validate: (value: unknown): void => {
        if (value instanceof Refused) {
          throw new Error(value.reason);
        }
      },
    });
  }
}

function convictSchema(group: object): Record<string, unknown> {
  const converted: Record<string, unknown> = {};
  for (const [name, node] of Object.entries(group) as [string, object][]) {
    if ('env' in node && 'format' in node && 'default' in node && 'doc' in node) {
      const { env, doc } = node;
      const sensitive = 'sensitive' in node && node.sensitive === true;
      converted[name] = { env, doc, sensitive, format: env, default: node.default };
    } else {
      converted[name] = convictSchema(node);
    }
  }
  return converted;
}

function givenVariables(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const given: Record<string, string> = {};
  for (const { key } of ALL_SETTINGS) {
    const text = env[key.env];
    if (text !== undefined && text.trim() !== '') {
      given[key.env] = text;
    }
  }
  return given;
}

function readConfigFile(file: string): FileValue[] {
  const content = readYaml(file);
  const values: FileValue[] = [];
  if (content !== null && content !== undefined) {
    collectFileValues(file, content, '', values);
  }
  const seen = new Map<string, string>();
  for (const { setting, name } of values) {
    const earlier = seen.get(setting.path);
    if (earlier !== undefined) {
      throw fileError(file, `it sets the same thing twice, as ${earlier} and as ${name}`);
    }
    seen.set(setting.path, name);
  }
  return values;
}

function readYaml(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable';
    throw fileError(file, `it cannot be read (${code}); check the path given to --config`, cause);
  }
  try {
    // YAML 1.2 is a superset of JSON.
    return parseYaml(text, { logLevel: 'error', maxAliasCount: 0 });
  } catch (cause) {
    const why = cause instanceof Error ? (cause.message.split('\n', 1)[0] ?? '') : '';
    throw fileError(file, `it is no YAML or JSON: ${why.replace(/:$/, '')}`, cause);
  }
}

function collectFileValues(
  file: string,
  content: unknown,
  prefix: string,
  values: FileValue[],
): void {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    const place = prefix === '' ? 'it' : prefix.slice(0, -1);
    throw fileError(file, `${place} must hold settings as key: value lines`);
  }
  for (const [name, value] of Object.entries(content)) {
    const path = `${prefix}${name}`;
    const setting = findSetting(path, prefix === '');
    if (setting !== undefined && !(isPlainObject(value) && isGroup(path))) {
      const text = textOf(file, path, setting, value);
      if (text !== undefined) {
        values.push({ setting, name: path, text });
      }
    } else if (isGroup(path)) {
      collectFileValues(file, value, `${path}.`, values);
    } else {
      throw fileError(
        file,
        `it has the key ${path}, which this version does not know; the keys are listed in docs/configuration.md`,
      );
    }
  }
}

function findSetting(path: string, atTop: boolean): Setting | undefined {
  return ALL_SETTINGS.find(
    (setting) => setting.path === path || (atTop && setting.key.env === path),
  );
}

function isGroup(path: string): boolean {
  return ALL_SETTINGS.some((setting) => setting.path.startsWith(`${path}.`));
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value of the file as the variable's text, so that both go through one format. Undefined: left empty. */
function textOf(file: string, name: string, setting: Setting, value: unknown): string | undefined {
  if (value === null) {
    return undefined;
  }
  if (Array.isArray(value) && value.every(isScalar)) {
    return value.map(String).join(',');
  }
  if (isPlainObject(value) && Object.values(value).every(isScalar)) {
    const pairs = Object.entries(value);
    return pairs.map(([key, item]) => `${key}=${encodeURIComponent(String(item))}`).join(',');
  }
  if (isScalar(value)) {
    const text = String(value);
    return text.trim() === '' ? undefined : text;
  }
  throw fileError(
    file,
    `the value of ${name} is too deep; allowed is ${setting.key.format.allowed}`,
  );
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function refuseWrongValues(
  instance: convict.Config<Record<string, unknown>>,
  sources: ReadonlyMap<string, string>,
): void {
  const wrong: string[] = [];
  for (const { path, key } of ALL_SETTINGS) {
    const value: unknown = instance.get(path as never);
    if (value instanceof Refused) {
      const shown = key.sensitive === true ? 'set (not shown)' : `"${showText(value.text)}"`;
      wrong.push(`${sources.get(path) ?? key.env} is ${shown}, but ${value.reason}`);
    }
  }
  if (wrong.length > 0) {
    throw new SightlineError('SL_CONFIG_VALUE', wrong.join('; '), { exitCode: ExitCode.usage });
  }
}

/** On one line, of bearable length, and without what may be a secret in a URL: user information and the query. */
function showText(text: string): string {
  const masked = text
    .replace(/\/\/[^/]*@/, '//***@')
    .replace(/(\/\/[^?#]*)[?#].*$/s, '$1?***')
    // Where the scheme was forgotten.
    .replace(/[?#][^=]*=.*$/s, '?***');
  const cut = masked.length > 100 ? `${masked.slice(0, 100)}…` : masked;
  return JSON.stringify(cut).slice(1, -1);
}

function fileError(file: string, what: string, cause?: unknown): SightlineError {
  return new SightlineError('SL_CONFIG_FILE', `configuration file ${file}: ${what}`, {
    exitCode: ExitCode.usage,
    cause,
  });
}
