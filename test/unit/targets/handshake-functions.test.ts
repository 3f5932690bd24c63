import assert from 'node:assert/strict';
import type { LocatedFunction, LocatedStack } from '../../../src/capture/binding.ts';
import { loadBinding } from '../../../src/capture/binding.ts';
import { showsHandshakes } from '../../../src/targets/handshake-functions.ts';

function located(...names: string[]): LocatedStack {
  return { functions: names.map((name) => ({ name }) as LocatedFunction) } as LocatedStack;
}

describe('handshakes of a stack', () => {
  it('are seen by the functions of every stack that has some', () => {
    for (const [stack, names] of Object.entries(loadBinding().probedFunctions())) {
      assert.equal(showsHandshakes(located(...names)), stack !== 'rustls', stack);
    }
  });

  it('are not seen by what reads and writes, or by what verifies alone', () => {
    assert.ok(!showsHandshakes(located('SSL_read', 'SSL_write', 'SSL_get_verify_result')));
    assert.ok(!showsHandshakes(located('crypto/tls.(*Conn).Read', 'crypto/tls.(*Conn).sendAlert')));
    assert.ok(showsHandshakes(located('crypto/tls.(*Conn).clientHandshake')));
  });
});
