/**
 * Hosts of model APIs beyond those that are known: `HOST[:PORT][/PATH]=API[:PROVIDER]`, several with commas between.
 */
import { isGlob } from '../util/glob.ts';
import { type Format, Refusal } from './format.ts';

/** APIs that a path can be said to be, as calls of them are read from their body alone. */
export const PATH_APIS = [
  'openai.chat_completions',
  'openai.responses',
  'openai.completions',
  'openai.embeddings',
  'openai.images',
  'openai.audio',
  'openai.moderations',
  'openai.compactions',
  'anthropic.messages',
  'gemini.interactions',
  'ollama.chat',
  'ollama.generate',
  'ollama.embeddings',
  'cohere.chat',
  'cohere.chat_v1',
  'cohere.generate',
  'cohere.summaries',
  'cohere.classifications',
  'cohere.embeddings',
] as const;

/** Families of APIs: which of them a request speaks, its path says as it does on the maker's own host. */
export const API_FAMILIES = [
  'openai',
  'anthropic',
  'gemini',
  'ollama',
  'cohere',
  'bedrock',
] as const;

export interface LlmHost {
  /** Lower case, an IPv6 address without its brackets; `*` stands for any characters. */
  host: string;
  /** Absent: any. */
  port?: number;
  /** Begins with a slash; `*` stands for any characters but slashes, `**` for any. Absent: any. */
  path?: string;
  /** One of `PATH_APIS` or `API_FAMILIES`. */
  api: string;
  /** gen_ai.provider.name; absent: as without the rule. */
  provider?: string;
}

const HOST = /^(\[[0-9a-f:.*]+\]|[a-z0-9*_.-]+)(?::([0-9]{1,5}))?(\/[^\s?#=]*)?$/i;
const PROVIDER = /^[a-z][a-z0-9_.-]{0,63}$/;

const APIS: ReadonlySet<string> = new Set([...PATH_APIS, ...API_FAMILIES]);

const ALLOWED =
  'a comma-separated list of HOST[:PORT][/PATH]=API[:PROVIDER], such as llm.example.com:8443/ask=openai.chat_completions:example';

export function llmHosts(): Format<readonly LlmHost[]> {
  return {
    allowed: ALLOWED,
    parse(text) {
      const found: LlmHost[] = [];
      for (const part of text.split(',')) {
        const host = part.trim() === '' ? undefined : parseHost(part.trim());
        if (host instanceof Refusal) {
          return host;
        }
        if (host !== undefined) {
          found.push(host);
        }
      }
      return found.length > 0 ? found : new Refusal(`allowed is ${ALLOWED}`);
    },
    show: (hosts) => hosts.map(showHost).join(','),
  };
}

function parseHost(text: string): LlmHost | Refusal {
  const equals = text.lastIndexOf('=');
  if (equals < 0) {
    return new Refusal(`"${text}" says no API: allowed is ${ALLOWED}`);
  }
  const match = HOST.exec(text.slice(0, equals).trim());
  const isPattern = match !== null && isGlob(match[1]!) && isGlob(match[3] ?? '/');
  const port = match?.[2] === undefined ? undefined : Number(match[2]);
  if (match === null || !isPattern || port === 0 || (port ?? 0) > 65_535) {
    return new Refusal(
      `"${text.slice(0, equals)}" is no HOST[:PORT][/PATH]: allowed is ${ALLOWED}`,
    );
  }
  const [api = '', provider, ...more] = text
    .slice(equals + 1)
    .trim()
    .split(':');
  if (!APIS.has(api)) {
    return new Refusal(`"${api}" is no API: there are ${[...APIS].join(', ')}`);
  }
  if (more.length > 0 || (provider !== undefined && !PROVIDER.test(provider))) {
    return new Refusal(
      `"${[provider, ...more].join(':')}" is no name of a provider: lower case letters, digits, and _ . - after a first letter`,
    );
  }
  const host: LlmHost = { host: match[1]!.toLowerCase().replace(/^\[|\]$/g, ''), api };
  if (port !== undefined) {
    host.port = port;
  }
  if (match[3] !== undefined) {
    host.path = match[3];
  }
  if (provider !== undefined) {
    host.provider = provider;
  }
  return host;
}

function showHost({ host, port, path, api, provider }: LlmHost): string {
  const name = host.includes(':') ? `[${host}]` : host;
  const place = `${name}${port === undefined ? '' : `:${port}`}${path ?? ''}`;
  return `${place}=${api}${provider === undefined ? '' : `:${provider}`}`;
}
