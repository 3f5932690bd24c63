/** The text of docs/configuration.md, made from the schema. */
import type { Setting } from './schema.ts';
import { settings } from './schema.ts';

interface Chapter {
  title: string;
  text: string;
  holds(setting: Setting): boolean;
}

const INTRODUCTION = `# Configuration

<!-- Made from the schema in src/config by "npm run docs". Do not edit. -->

Every setting is an environment variable. An empty variable counts as unset. A value that is not allowed is an error
that names the variable, the value and what is allowed, with exit code 2; nothing is guessed.

\`--config FILE\` reads the same settings from a YAML or JSON file: by the variable's name, or by the file key in the
table, as nested groups. A variable that is set wins over the file. Durations and sizes may have a unit in both.

\`\`\`yaml
OTEL_EXPORTER_OTLP_ENDPOINT: http://127.0.0.1:4317
SIGHTLINE_TURN_TIMEOUT: 20m
# or the same by file keys
otlp:
  headers:
    x-api-key: your-key
limits:
  http:
    maxHeadBytes: 128KiB
\`\`\`

\`sudo\` drops the environment. Name what it shall keep, give variables as its arguments, or use \`--config\`:

\`\`\`sh
sudo --preserve-env=OTEL_EXPORTER_OTLP_ENDPOINT,SIGHTLINE_FILE sightline run
sudo OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 sightline run
\`\`\`

Header values may hold API keys: they appear in no error and no log.

\`OTEL_SERVICE_NAME\` is not read for Sightline itself: every observed workload has its own resource, and its service
name is the one in the environment of the *observed* process. Sightline's own telemetry is the service \`sightline\`.
`;

const PRICES_TEXT = `Without a file, list prices of well-known models at their makers' own APIs are used (as published by 2026-07-24). A file is in place of
them, or with \`"extends": "built-in"\` before them. Prices are US dollars for a million tokens, by \`gen_ai.provider.name\` (\`*\`: any) and model; a
model's name also stands for its dated versions. \`tiers\` are factors by service tier (of Anthropic also by
\`usage.speed\` and \`usage.inference_geo\`), and a tier that is not named has no known price. A provider that is only assumed, as that of
\`localhost\`, has none of the built-in prices: name it with \`SIGHTLINE_LLM_HOSTS\`, or its models in a file.

\`\`\`json
{
  "extends": "built-in",
  "prices": {
    "*": { "our-model": { "input": 0.2, "output": 0.6 } },
    "aws.bedrock": {
      "anthropic.claude-opus-4-1-20250805-v1:0": {
        "input": 15, "output": 75, "cacheRead": 1.5, "cacheWrite": 18.75, "cacheWrite1h": 30,
        "tiers": { "batch": 0.5 },
        "longContext": { "aboveInputTokens": 200000, "input": 30, "output": 112.5 }
      }
    }
  }
}
\`\`\`

A cost is an estimate: no discount, tax, minimum or charge for anything but tokens is in it. A model, a tier or a count that is not known gives none.`;

const LLM_HOSTS_TEXT = `A request is taken for a model call by its path and body, at any host, and its provider is known by the host
([which](model-apis.md)). \`SIGHTLINE_LLM_HOSTS\` says more of your own: which API is spoken at a path that no maker has, and whose server it is.
The first entry that fits counts, before all that is built in.

\`\`\`sh
# The usual paths of OpenAI's APIs at any host of the company: calls of "example" instead of "openai".
SIGHTLINE_LLM_HOSTS='*.llm.example.com=openai:example'
# Every POST to this path of this host and port is a call of chat completions, whatever the path looks like.
SIGHTLINE_LLM_HOSTS='gateway.example.com:8443/teams/*/ask=openai.chat_completions:example,10.0.0.7:8000=openai:vllm'
\`\`\``;

const CHAPTERS: readonly Chapter[] = [
  {
    title: 'Capture',
    text: 'What is observed, and when something unfinished counts as over.',
    holds: ({ path }) => path.startsWith('capture.'),
  },
  {
    title: 'HTTP',
    text: '[HTTP exchanges](http.md) says what an expression may ask, when it is judged, and what the spans have.',
    holds: ({ path }) => path.startsWith('http.'),
  },
  {
    title: 'Conventions',
    text: '',
    holds: ({ path }) => path.startsWith('semantics.'),
  },
  {
    title: 'Model APIs',
    text: LLM_HOSTS_TEXT,
    holds: ({ path }) => path.startsWith('llm.'),
  },
  {
    title: 'Cost',
    text: PRICES_TEXT,
    holds: ({ path }) => path.startsWith('cost.'),
  },
  {
    title: 'Processes',
    text: [
      'Every process of the host is observed, unless these variables say otherwise. With a `SIGHTLINE_TARGET_` variable only processes that match one of them are, and their descendants;',
      'what a `SIGHTLINE_EXCLUDE_` variable matches is left out with its descendants, whether or not it is a target. A process is judged when Sightline begins and whenever it starts a program; a process',
      'made by an observed one is observed from its first instruction. `sightline exec` observes its command, whatever the targets are. In patterns `*` and `?` stand for characters of one name,',
      '`[abc]` and `[!a-z]` for one of a set, `**` for any number of directories. [How it is decided](decisions/0029-targets.md).',
    ].join('\n'),
    holds: ({ path }) => /^(target|exclude)\./.test(path),
  },
  {
    title: 'Content',
    text: 'Off by default. Credentials are never exported, whatever is set here.',
    holds: ({ path }) => path.startsWith('content.'),
  },
  {
    title: 'Plugins',
    text: 'Modules of your own in the way of what is exported: [how to write one](plugins.md). Paths begin at the working directory; in a configuration file, at its directory.',
    holds: ({ path }) => path.startsWith('plugins.'),
  },
  {
    title: 'File',
    text: '',
    holds: ({ path }) => path.startsWith('file.'),
  },
  {
    title: 'OpenTelemetry',
    text: 'As the OpenTelemetry specification defines them.',
    holds: ({ path }) => /^(otel|traces|metrics|logs)\./.test(path),
  },
  {
    title: 'OTLP',
    text: "For all signals; a signal's own variable wins over the common one.",
    holds: ({ path }) => path.startsWith('otlp.'),
  },
  {
    title: 'Log',
    text: "Sightline's own log; `OTEL_LOG_LEVEL` sets its level.",
    holds: ({ path }) => path.startsWith('log.'),
  },
  {
    title: 'Limits',
    text: 'Every buffer and table has one. Reaching it is marked on what it touched (`sightline.damage` is `limit`) or counted (`sightline.limits`); nothing grows beyond it. The defaults suit a host with some hundred agents.',
    holds: ({ path }) => path.startsWith('limits.'),
  },
];

export function configurationPage(): string {
  const all = settings();
  const chapters = CHAPTERS.map((chapter) => chapterText(chapter, all.filter(chapter.holds)));
  return [INTRODUCTION, ...chapters].join('\n');
}

function chapterText(chapter: Chapter, members: readonly Setting[]): string {
  const rows = members.map(
    ({ path, key }) =>
      `| \`${key.env}\` | ${defaultText({ path, key })} | ${cell(key.doc)} Allowed: ${cell(key.format.allowed)}. | \`${path}\` |`,
  );
  const text = chapter.text === '' ? '' : `${chapter.text}\n\n`;
  return [
    `## ${chapter.title}\n`,
    `${text}| variable | default | meaning | file key |`,
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

function defaultText({ key }: Setting): string {
  if (key.default === undefined) {
    return cell(key.unset ?? '');
  }
  const shown = key.format.show(key.default);
  return shown === '' ? 'none' : `\`${shown}\``;
}

function cell(text: string): string {
  return text.replace(/\|/g, '\\|');
}
