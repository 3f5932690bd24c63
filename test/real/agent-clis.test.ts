/**
 * Real agent CLIs, offline in a network namespace of their own with nothing but `lo`, observed from outside of it:
 * every exchange equal to the model server's log, and the turn with its tools' processes.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadBinding } from '../../src/capture/binding.ts';
import { chatSpans, compareSpansWithTruth } from '../support/compare.ts';
import { requireKernel } from '../support/kernel-guard.ts';
import type { ExchangeTruth } from '../support/model-server/exchange-truth.ts';
import { type FlatSpan, readOtlpFile } from '../support/otlp-file.ts';
import { startSightline } from '../support/sightline.ts';
import { addStackRow, placementOf } from '../support/stack-rows.ts';
import {
  BORINGSSL_SUBJECTS,
  fetchCompanions,
  fetchSubject,
  type NpmSubject,
  RUSTLS_SUBJECTS,
} from './npm-subjects.ts';

const SESSION = fileURLToPath(new URL('../support/agents/cli-session.ts', import.meta.url));
/** The model server asks for whatever stands in backquotes. */
const PROMPT = 'Run `echo seen-by-the-kernel` and `exit 3`, please.';
const COMMANDS = [
  { command: 'echo seen-by-the-kernel', exitCode: 0 },
  { command: 'exit 3', exitCode: 3 },
];

interface Cli {
  subject: NpmSubject;
  /** What tells this case from others of the same program. */
  way?: string;
  service: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  /** Its tool that runs a command, where the model server knows how to ask for it. */
  tool?: RegExp;
  /** It makes its calls over a WebSocket. */
  isSocket?: boolean;
}

function claudeCode(subject: NpmSubject): Cli {
  return {
    subject,
    service: 'claude-code',
    // Newer ones otherwise have a model judge each command.
    args: ['-p', PROMPT, '--permission-mode', 'default', '--allowedTools', 'Bash'],
    env: {
      ANTHROPIC_API_KEY: 'sk-ant-test-0123456789abcdef',
      ANTHROPIC_BASE_URL: '{URL}',
      NODE_EXTRA_CA_CERTS: '{CA}',
      DISABLE_TELEMETRY: '1',
      DISABLE_AUTOUPDATER: '1',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    },
    tool: /^Bash$/,
  };
}

/** `model`: newer ones get a tool that runs JavaScript, others one that runs a command. */
function codex(subject: NpmSubject, model?: string, isSocket = false): Cli {
  const provider =
    '{name="local",base_url="{URL}/v1",env_key="OPENAI_API_KEY",wire_api="responses"' +
    `,supports_websockets=${isSocket}}`;
  return {
    subject,
    way: `${model === undefined ? 'with its own model' : `with ${model}`}${isSocket ? ', over a WebSocket' : ''}`,
    isSocket,
    service: 'codex',
    args: [
      'exec',
      '--skip-git-repo-check',
      '--dangerously-bypass-approvals-and-sandbox',
      '-c',
      'model_provider=local',
      '-c',
      `model_providers.local=${provider}`,
      ...(model === undefined ? [] : ['-m', model]),
      PROMPT,
    ],
    env: {
      OPENAI_API_KEY: 'sk-test-0123456789abcdef',
      SSL_CERT_FILE: '{CA}',
      CODEX_CA_CERTIFICATE: '{CA}',
    },
    tool: /^exec(?:_command)?$/,
  };
}

const CLIS = [
  ...BORINGSSL_SUBJECTS.filter(({ program }) => program === 'claude').map(claudeCode),
  ...RUSTLS_SUBJECTS.filter(({ program }) => program === 'codex').flatMap((subject) => [
    codex(subject),
    codex(subject, 'gpt-5'),
    codex(subject, 'gpt-5', true),
  ]),
];

interface Run {
  spans: FlatSpan[];
  truth: ExchangeTruth[];
  output: string;
}

async function observeCli(cli: Cli, path: string): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'sightline-cli-'));
  const home = join(folder, 'home');
  mkdirSync(home);
  const truthPath = join(folder, 'truth.json');
  // By the name it is installed under, which is part of how it is recognised.
  const program = join(folder, cli.subject.program);
  copyFileSync(path, program);
  for (const companion of fetchCompanions(cli.subject)) {
    copyFileSync(companion.path, join(folder, companion.name));
  }
  const sightline = await startSightline();
  try {
    const script = 'ip link set lo up && exec "$@"';
    const command = [process.execPath, '--import=tsx', SESSION, truthPath, home];
    const child = spawn(
      'unshare',
      ['--net', 'sh', '-c', script, 'sh', ...command, program, ...cli.args],
      {
        env: { ...process.env, NODE_OPTIONS: undefined, ...cli.env },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    let output = '';
    child.stdout.on('data', (bytes: Buffer) => {
      output += bytes.toString();
    });
    child.stderr.on('data', (bytes: Buffer) => {
      output += bytes.toString();
    });
    await new Promise((resolve) => child.once('close', resolve));
    await sightline.stop();
    const { port, truth } = JSON.parse(readFileSync(truthPath, 'utf8')) as {
      port: number;
      truth: ExchangeTruth[];
    };
    const { spans } = readOtlpFile(sightline.file);
    const traces = new Set(
      chatSpans(spans)
        .filter((span) => span.attributes['server.port'] === port)
        .map((span) => span.traceId),
    );
    return { spans: spans.filter((span) => traces.has(span.traceId)), truth, output };
  } finally {
    sightline.discard();
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('real agent CLIs, captured in the kernel', function () {
  this.timeout(180_000);

  before(function () {
    requireKernel(this);
  });

  for (const cli of CLIS) {
    it(`${cli.subject.program} ${cli.subject.version}${cli.way ? ` ${cli.way}` : ''}: every exchange equals the server's log${cli.tool ? ', and the turn holds its tools' : ''}`, async function () {
      const path = fetchSubject(cli.subject);
      if (path === undefined) {
        this.skip();
      }
      const { spans, truth, output } = await observeCli(cli, path);
      const calls = truth.filter((exchange) => exchange.answer !== undefined);
      assert.ok(
        calls.length >= (cli.tool ? 2 : 1),
        `the CLI made ${calls.length} calls: ${output}`,
      );
      assert.ok(!cli.isSocket || calls.every(({ socketApi }) => socketApi === 'openai.responses'));
      assert.deepEqual(compareSpansWithTruth(spans, truth, { lenientWhenClosedEarly: true }), []);
      assert.equal(chatSpans(spans).length, calls.length);
      const used = loadBinding()
        .locateSync(path)
        .stacks.find(({ stack }) => stack === 'boringssl' || stack === 'rustls');
      assert.ok(used);
      addStackRow({
        stack: [used.stack, used.version].filter(Boolean).join(' '),
        program: cli.service,
        version: cli.subject.version,
        locatedBy: used.locatedBy,
        placement: placementOf(
          [used],
          used.functions.map(({ name }) => name),
        ),
        exact: `${calls.length} model calls${cli.isSocket ? ' over a WebSocket' : ''}, each field equal to the server's log`,
        notes: '',
      });
      for (const span of spans) {
        assert.equal(span.resource['service.name'], cli.service);
      }
      const { tool: shell } = cli;
      if (shell === undefined) {
        return;
      }
      const tools = spans.filter(
        (span) => span.attributes['gen_ai.operation.name'] === 'execute_tool',
      );
      const ran = tools.filter((span) => shell.test(String(span.attributes['gen_ai.tool.name'])));
      assert.ok(ran.length > 0, 'a command is a tool call');
      const processes = ran.flatMap((tool) =>
        spans.filter((span) => span.parentSpanId === tool.spanId),
      );
      assert.ok(processes.length > 0, 'a tool call holds the process that it started');
      for (const process of processes) {
        assert.match(String(process.attributes['sightline.evidence']), /process/);
      }
      for (const { command, exitCode } of COMMANDS) {
        const shells = processes.filter(({ attributes }) =>
          String(attributes['process.command_args']).includes(command),
        );
        assert.equal(shells.length, 1, `"${command}" ran once`);
        assert.equal(shells[0]?.attributes['process.exit.code'], exitCode);
      }
    });
  }
});
