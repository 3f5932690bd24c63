import assert from 'node:assert/strict';
import {
  knownAgent,
  type WorkloadSubject,
  workloadName,
} from '../../../src/targets/workload-name.ts';

function subject(
  executable: string,
  line: string,
  more: Partial<WorkloadSubject> = {},
): WorkloadSubject {
  return { executable, argv: line.split(' '), ...more };
}

describe('a workload is called', () => {
  const cases: [string, WorkloadSubject, string][] = [
    [
      'what it calls itself, before all else',
      subject('/usr/bin/claude', 'claude', { serviceName: 'my-bot', packageName: 'x' }),
      'my-bot',
    ],
    [
      'the known agent, by its executable',
      subject('/usr/local/bin/claude', 'claude -p hi'),
      'claude-code',
    ],
    [
      'the known agent, by its installer',
      subject('/home/u/.local/share/claude/versions/2.1.197', 'claude'),
      'claude-code',
    ],
    [
      'the known agent, by its platform package',
      subject('/x/node_modules/@anthropic-ai/claude-code-linux-x64/claude', 'claude'),
      'claude-code',
    ],
    [
      'the known agent, by its package',
      subject('/usr/bin/node', 'node /opt/bin/thing', { packageName: '@openai/codex' }),
      'codex',
    ],
    [
      'the known agent, by its script',
      subject('/usr/bin/node', 'node /usr/bin/gemini'),
      'gemini-cli',
    ],
    ['the known agent, by its module', subject('/usr/bin/python3.11', 'python3 -m aider'), 'aider'],
    [
      'the package of its script',
      subject('/usr/bin/node', 'node dist/cli.js', { packageName: '@x/y' }),
      '@x/y',
    ],
    ['its script', subject('/usr/bin/node', 'node --import=tsx /srv/agent.mts'), 'agent'],
    ['its module', subject('/usr/bin/python3', 'python3 -m uvicorn.main app'), 'uvicorn'],
    ['its shell script', subject('/bin/bash', 'bash /srv/nightly.sh'), 'nightly'],
    [
      'its interpreter, where there is no script',
      subject('/usr/bin/python3.11', 'python3'),
      'python3.11',
    ],
    ['its executable', subject('/usr/bin/curl', 'curl https://x'), 'curl'],
    [
      'its command name, where nothing else is known',
      { executable: '', argv: [], comm: 'x y' },
      'x y',
    ],
    ['unknown, where nothing is', { executable: '', argv: [] }, 'unknown'],
  ];
  for (const [name, given, wanted] of cases) {
    it(name, () => {
      assert.equal(workloadName(given), wanted);
    });
  }

  it('no agent for a program that only has its folder', () => {
    const node = '/x/node_modules/@openai/codex/vendor/node';
    assert.equal(knownAgent(subject(node, 'node other.js')), undefined);
    assert.equal(knownAgent(subject('/usr/bin/vim', 'vim /usr/bin/claude')), undefined);
  });
});
