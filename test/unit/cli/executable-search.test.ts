import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireExecutable } from '../../../src/cli/executable-search.ts';
import { SightlineError } from '../../../src/util/errors.ts';

describe('the search for an executable', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sightline-search-'));
    mkdirSync(join(folder, 'a'));
    mkdirSync(join(folder, 'a', 'tool'));
    mkdirSync(join(folder, 'b'));
    for (const [name, mode] of [
      ['b/tool', 0o755],
      ['b/data', 0o644],
    ] as const) {
      writeFileSync(join(folder, name), '#!/bin/sh\n');
      chmodSync(join(folder, name), mode);
    }
  });
  after(() => rmSync(folder, { recursive: true }));

  function exitCodeOf(command: string, path?: string): number {
    try {
      requireExecutable(command, path === undefined ? {} : { PATH: path });
      return 0;
    } catch (error) {
      assert.ok(error instanceof SightlineError);
      assert.ok(error.message.startsWith(command));
      return error.exitCode;
    }
  }

  it('goes through PATH past what cannot be executed', () => {
    assert.equal(exitCodeOf('tool', `${folder}/a:${folder}/b`), 0);
    assert.equal(exitCodeOf('tool', `${folder}/a`), 126);
    assert.equal(exitCodeOf('data', `${folder}/b`), 126);
    assert.equal(exitCodeOf('tool', `${folder}/none`), 127);
    assert.equal(exitCodeOf('sh'), 0);
  });

  it('does not go through PATH for a path', () => {
    assert.equal(exitCodeOf(join(folder, 'b/tool'), '/none'), 0);
    assert.equal(exitCodeOf(join(folder, 'b/data'), '/none'), 126);
    assert.equal(exitCodeOf(folder, '/none'), 126);
    assert.equal(exitCodeOf(join(folder, 'b/missing'), folder), 127);
    assert.equal(exitCodeOf(join(folder, 'b/tool/x'), folder), 127);
  });
});
