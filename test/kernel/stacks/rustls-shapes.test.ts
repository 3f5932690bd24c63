/** What a real program on rustls cannot be made to do: layouts, losses and addresses that come again. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadBinding } from '../../../src/capture/binding.ts';
import { requireKernel } from '../../support/kernel-guard.ts';
import { closeSession, dataOf, lossesOf, openSession, type Session } from '../native/harness.ts';
import { runProgram } from './stack-run.ts';

const NAMES: Record<string, string> = {
  'CommonState::send_appdata_encrypt': 'rustls_send',
  'MessageEncrypter::encrypt': 'rustls_encrypt',
  'MessageDecrypter::decrypt#1': 'rustls_decrypt',
};

describe('rustls by its shapes', function () {
  this.timeout(60_000);
  let folder: string;
  let program: string;

  before(function () {
    requireKernel(this);
    folder = mkdtempSync(join(tmpdir(), 'sightline-shapes-'));
    program = join(folder, 'rustls-shapes');
    const source = fileURLToPath(new URL('./rustls-shapes.c', import.meta.url));
    execFileSync('gcc', ['-O1', '-Wall', '-Werror', '-o', program, source]);
  });
  after(() => {
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  async function run(what: string): Promise<Session> {
    const session = openSession();
    try {
      const { offsets } = loadBinding().locateSymbols(program, Object.values(NAMES));
      session.capture.attach({
        stack: 'rustls',
        path: program,
        offsets: Object.fromEntries(
          Object.entries(NAMES).map(([name, symbol]) => [name, offsets[symbol] ?? 0]),
        ),
      });
      await runProgram(session, program, [what]);
    } finally {
      closeSession(session);
    }
    return session;
  }

  /** Direction, position and text of each part, and a letter for each connection in order of appearance. */
  function partsOf(session: Session): string[] {
    const seen: string[] = [];
    return dataOf(session).map(({ connection, direction, position, bytes }) => {
      const key = `${connection.object} ${connection.generation}`;
      if (!seen.includes(key)) {
        seen.push(key);
      }
      const letter = String.fromCharCode(65 + seen.indexOf(key));
      return `${letter} ${direction} ${position} ${Buffer.from(bytes).toString('latin1')}`;
    });
  }

  function dropsOf(session: Session): Record<string, number> {
    const drops = Object.entries(session.capture.counters().drops);
    return Object.fromEntries(drops.filter(([, records]) => records > 0));
  }

  it('puts a record of several pieces together', async () => {
    const session = await run('pieces');
    assert.deepEqual(partsOf(session), [
      'A write 0 rst',
      'A write 3 second',
      'A write 9 thi',
      'A read 0 answer',
    ]);
    assert.ok(
      dataOf(session)
        .slice(0, 3)
        .every(({ callBytes, callOffset, position }) => {
          return callBytes === 12 && callOffset === position;
        }),
    );
    assert.deepEqual(dropsOf(session), {});
  });

  it('counts what is not laid out as expected, and takes nothing of it', async () => {
    const session = await run('layout');
    assert.deepEqual(partsOf(session), []);
    assert.deepEqual(dropsOf(session), { layout: 4 });
  });

  it('begins anew where records were missed', async () => {
    const session = await run('missed');
    assert.deepEqual(partsOf(session), [
      'A write 0 one',
      'A read 0 two',
      'B write 0 three',
      'C read 0 four',
    ]);
    assert.deepEqual(dropsOf(session), { sequence: 2 });
    assert.equal(session.events.filter(({ type }) => type === 'close').length, 2);
  });

  it('takes no failed decryption for the record before it, and ends at a close', async () => {
    const session = await run('failure');
    assert.deepEqual(partsOf(session), ['A write 0 one', 'A read 0 two']);
    assert.deepEqual(dropsOf(session), {});
    assert.equal(session.events.filter(({ type }) => type === 'close').length, 1);
  });

  it('tells connections at one address apart', async () => {
    const session = await run('reused');
    assert.deepEqual(partsOf(session), [
      'A write 0 one',
      'A read 0 two',
      'B write 0 three',
      'B read 0 four',
      'C write 0 five',
      'C read 0 six',
    ]);
    assert.deepEqual(lossesOf(session), []);
  });

  it('keeps directions apart that it cannot put together', async () => {
    const session = await run('alone');
    assert.deepEqual(partsOf(session), ['A read 0 one', 'B write 0 two']);
    assert.deepEqual(dropsOf(session), {});
  });
});
