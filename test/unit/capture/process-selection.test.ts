/** Which processes are observed: each variable, descendants, and what wins. */
import assert from 'node:assert/strict';
import {
  createProcessSelection,
  type Judgement,
  type ProcessPatterns,
  type ProcessSelection,
  type ProcessSubject,
} from '../../../src/capture/process-selection.ts';
import { globPattern } from '../../../src/util/glob.ts';

const NONE: ProcessPatterns = { pids: [], comms: [], executables: [], uids: [], cgroups: [] };

function selectionOf(
  targets: Partial<ProcessPatterns>,
  exclude: Partial<ProcessPatterns> = {},
): ProcessSelection {
  const selection = createProcessSelection({
    targets: { ...NONE, ...targets },
    exclude: { ...NONE, ...exclude },
  });
  assert.ok(selection);
  return selection;
}

function subject(fields: Partial<ProcessSubject> = {}): ProcessSubject {
  return {
    pid: 100,
    comm: 'claude',
    executable: '/opt/agents/claude/bin/claude',
    uid: 1000,
    cgroups: () => ['/system.slice/docker-ab.scope', '/memory/group'],
    ...fields,
  };
}

function kindOf(selection: ProcessSelection, ...from: (Judgement | undefined)[]): string {
  return selection.judge(subject(), from).kind;
}

describe('the selection of processes', () => {
  it('is none when no variable is set', () => {
    assert.equal(createProcessSelection({ targets: NONE, exclude: NONE }), undefined);
    assert.equal(createProcessSelection({ exclude: NONE }), undefined);
  });

  const matching: [string, Partial<ProcessPatterns>][] = [
    ['PID=100', { pids: [7, 100] }],
    ['UID=1000', { uids: [1000] }],
    ['COMM=claude', { comms: ['claude'] }],
    ['COMM=cl*[de]', { comms: ['cl*[de]'] }],
    ['EXE=claude', { executables: ['claude'] }],
    ['EXE=/opt/**/claude', { executables: ['/opt/**/claude'] }],
    ['EXE=bin/cl?ude', { executables: ['bin/cl?ude'] }],
    ['CGROUP=docker-*.scope', { cgroups: ['docker-*.scope'] }],
    ['CGROUP=/memory', { cgroups: ['/memory'] }],
    ['CGROUP=/system.slice', { cgroups: ['/system.slice'] }],
  ];
  for (const [name, patterns] of matching) {
    it(`takes and leaves out by ${name}`, () => {
      const target = selectionOf(patterns).judge(subject(), []);
      assert.deepEqual(target, { kind: 'wanted', reason: `SIGHTLINE_TARGET_${name}` });
      const excluded = selectionOf({}, patterns).judge(subject(), []);
      assert.deepEqual(excluded, { kind: 'excluded', reason: `SIGHTLINE_EXCLUDE_${name}` });
    });
  }

  const others: [string, Partial<ProcessPatterns>][] = [
    ['another pid', { pids: [10] }],
    ['another user', { uids: [0] }],
    ['a part of the name', { comms: ['laude', 'claud'] }],
    ['another case', { comms: ['Claude'] }],
    ['a directory above the executable', { executables: ['/opt/agents'] }],
    ['a star over directories', { executables: ['/opt/*/claude'] }],
    ['a part of a directory', { executables: ['aude', '/claude'] }],
    ['a part of a group', { cgroups: ['/system', 'docker', 'slice'] }],
  ];
  for (const [name, patterns] of others) {
    it(`9. does not match ${name}`, () => {
      const { kind } = selectionOf(patterns).judge(subject(), []);
      assert.equal(kind, 'unwanted');
      assert.equal(selectionOf({}, patterns).judge(subject(), []).kind, 'wanted');
    });
  }

  it('takes descendants of targets, and leaves out those of what is excluded', () => {
    const selection = selectionOf({ comms: ['bash'] }, { comms: ['git'] });
    const bash = selection.judge(subject({ comm: 'bash' }), []);
    const child = selection.judge(subject(), [undefined, bash]);
    assert.equal(child.kind, 'wanted');
    assert.match(child.reason, /^descends from .* SIGHTLINE_TARGET_COMM=bash$/);
    const git = selection.judge(subject({ comm: 'git' }), [child, bash]);
    assert.deepEqual(git, { kind: 'excluded', reason: 'SIGHTLINE_EXCLUDE_COMM=git' });
    const below = selection.judge(subject(), [undefined, git]);
    assert.equal(below.kind, 'excluded');
    assert.equal(kindOf(selection, undefined, below), 'excluded');
  });

  it('lets exclusion win, whichever matched first', () => {
    const both = selectionOf({ comms: ['claude'] }, { uids: [1000] });
    assert.equal(kindOf(both), 'excluded');
    assert.equal(kindOf(both, { kind: 'wanted', reason: '' }), 'excluded');
    const selection = selectionOf({ comms: ['claude'] }, { comms: ['bash'] });
    assert.equal(kindOf(selection, undefined, { kind: 'excluded', reason: '' }), 'excluded');
  });

  it('asks for control groups only when a pattern needs them, and matches none that is not known', () => {
    const unknown = subject({ cgroups: () => undefined });
    assert.equal(selectionOf({ cgroups: ['**'] }).judge(unknown, []).kind, 'unwanted');
    const unasked = subject({
      cgroups: () => {
        throw new Error('asked');
      },
    });
    assert.equal(selectionOf({ comms: ['claude'] }).judge(unasked, []).kind, 'wanted');
  });
});

describe('a pattern', () => {
  it('has no meaning of its own in what is not a wildcard', () => {
    for (const text of ['a.b', 'a+b', '(x)', 'a|b', '[', 'a]', '{1}', '$', '^', '\\', '-', 'é☕']) {
      const pattern = globPattern(text, { of: 'name' });
      assert.ok(pattern.test(text), text);
      assert.equal(pattern.test(`${text}x`), false, text);
    }
    assert.equal(globPattern('a.b', { of: 'name' }).test('axb'), false);
  });

  it('reads sets, their negation and ranges', () => {
    assert.ok(globPattern('py[23]', { of: 'name' }).test('py3'));
    assert.ok(globPattern('py[!23]', { of: 'name' }).test('py4'));
    assert.equal(globPattern('py[!23]', { of: 'name' }).test('py3'), false);
    assert.ok(globPattern('[a-c]*', { of: 'name' }).test('bash'));
    assert.equal(globPattern('a[!x]b', { of: 'path' }).test('a/b'), false);
  });
});
