/**
 * Real agent CLIs, offline in a network namespace of their own with nothing but `lo`, observed from outside of it:
 * every exchange equal to the model server's log, and the turn with its tools' processes.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chatSpans, compareSpansWithTruth } from '../support/compare.ts';
import { requireKernel } from '../support/kernel-guard.ts';
import type { ExchangeTruth } from '../support/model-server/exchange-truth.ts';
import { type FlatSpan, readOtlpFile } from '../support/otlp-file.ts';
import { startSightline } from '../support/sightline.ts';

const SUBJECTS = process.env.SIGHTLINE_TEST_SUBJECTS ?? '';
const SESSION = fileURLToPath(new URL('../support/agents/cli-session.ts', import.meta.url));
const PROMPT = 'Run `echo seen-by-the-kernel` and `exit 3`, please.';

interface Cli {
  program: string;
  service: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  /** The model's own tool that runs a command. */
  tool: RegExp;
}

function claude(version: string): Cli {
  return {
    program: `claude-${version}`,
    service: 'claude-code',
    args: ['-p', PROMPT, '--allowedTools', 'Bash'],
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

function codex(version: string): Cli {
  const provider =
    'model_providers.local={name="local",base_url="{URL}/v1",env_key="OPENAI_API_KEY",wire_api="responses"}';
  return {
    program: `codex-${version}`,
    service: 'codex',
    args: [
      'exec',
      '--skip-git-repo-check',
      '--dangerously-bypass-approvals-and-sandbox',
      '-c',
      'model_provider=local',
      '-c',
      provider,
      PROMPT,
    ],
    env: {
      OPENAI_API_KEY: 'sk-test-0123456789abcdef',
      SSL_CERT_FILE: '{CA}',
      CODEX_CA_CERTIFICATE: '{CA}',
    },
    tool: /shell|exec/,
  };
}

const CLIS: readonly Cli[] = [
  claude('2.1.197'),
  claude('2.1.266'),
  claude('2.1.330'),
  codex('0.163.0'),
  codex('0.169.0'),
];

interface Run {
  spans: FlatSpan[];
  truth: ExchangeTruth[];
  output: string;
}

async function observeCli(cli: Cli): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'sightline-cli-'));
  const home = join(folder, 'home');
  mkdirSync(home);
  const truthPath = join(folder, 'truth.json');
  const sightline = await startSightline();
  try {
    const script = 'ip link set lo up && exec "$@"';
    const command = [process.execPath, '--import=tsx', SESSION, truthPath, home];
    const child = spawn(
      'unshare',
      ['--net', 'sh', '-c', script, 'sh', ...command, join(SUBJECTS, cli.program), ...cli.args],
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
    sightline.child.kill('SIGKILL');
    sightline.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('real agent CLIs, captured in the kernel', function () {
  this.timeout(180_000);

  before(function () {
    requireKernel(this);
    assert.notEqual(
      SUBJECTS,
      '',
      'SIGHTLINE_TEST_SUBJECTS names no folder: use "npm run test:real"',
    );
  });

  for (const cli of CLIS) {
    it(`${cli.program}: every exchange equals the server's log, and the turn holds its tools`, async function () {
      if (!existsSync(join(SUBJECTS, cli.program))) {
        this.skip();
      }
      const { spans, truth, output } = await observeCli(cli);
      const calls = truth.filter((exchange) => exchange.answer !== undefined);
      assert.ok(calls.length >= 2, `the CLI made ${calls.length} calls: ${output}`);
      assert.deepEqual(compareSpansWithTruth(spans, truth, { lenientWhenClosedEarly: true }), []);
      assert.equal(chatSpans(spans).length, calls.length);
      for (const span of spans) {
        assert.equal(span.resource['service.name'], cli.service);
      }
      const tools = spans.filter(
        (span) => span.attributes['gen_ai.operation.name'] === 'execute_tool',
      );
      const ran = tools.filter((span) =>
        cli.tool.test(String(span.attributes['gen_ai.tool.name'])),
      );
      assert.ok(ran.length >= 2, 'both commands are tool calls');
      const exits = ran.map((tool) =>
        spans
          .filter((span) => span.parentSpanId === tool.spanId)
          .map((span) => span.attributes['process.exit.code']),
      );
      assert.ok(
        exits.some((codes) => codes.includes(3)),
        `no tool call holds the process that exited 3: ${JSON.stringify(exits)}`,
      );
    });
  }
});
