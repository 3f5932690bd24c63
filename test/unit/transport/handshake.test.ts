/** How a handshake came out, from what the library and the program did. */
import assert from 'node:assert/strict';
import type { HandshakeEvent } from '../../../src/capture/events.ts';
import {
  followHandshake,
  type Handshake,
  type HandshakeFollower,
} from '../../../src/transport/handshake.ts';

function event(more: Partial<HandshakeEvent>): HandshakeEvent {
  return {
    type: 'handshake',
    timeNs: 5_000_000n,
    beginNs: 1_000_000n,
    connection: { process: { pid: 1, startNs: 1n }, stack: 'openssl', object: 8, generation: 1n },
    outcome: 'completed',
    side: 'client',
    ...more,
  };
}

const REFUSED = event({ outcome: 'failed', codeKind: 'openssl', code: 134 });
const SELF_SIGNED = event({
  outcome: 'unverified',
  codeKind: 'x509',
  code: 18,
  timeNs: 6_000_000n,
});

function outcomes(act: (follower: HandshakeFollower) => void): (string | undefined)[] {
  const settled: Handshake[] = [];
  const follower = followHandshake((handshake) => settled.push(handshake));
  act(follower);
  assert.equal(follower.isOpen, settled.length === 0);
  return settled.map(({ errorType }) => errorType ?? 'completed');
}

describe('the outcome of a handshake', () => {
  it('is completed when something is read, or the connection ends', () => {
    assert.deepEqual(
      outcomes((follower) => {
        follower.event(event({}));
        follower.data('write');
        follower.data('read');
        follower.end();
      }),
      ['completed'],
    );
    assert.deepEqual(
      outcomes((follower) => {
        follower.event(event({}));
        follower.end();
      }),
      ['completed'],
    );
  });

  it('is a failure at once, but for a certificate, of which more will be said', () => {
    assert.deepEqual(
      outcomes((follower) =>
        follower.event(event({ outcome: 'failed', codeKind: 'openssl', code: 1040 })),
      ),
      ['alert_handshake_failure'],
    );
    assert.deepEqual(
      outcomes((follower) => {
        follower.event(REFUSED);
        follower.event(SELF_SIGNED);
      }),
      ['depth_zero_self_signed_cert'],
    );
    assert.deepEqual(
      outcomes((follower) => {
        follower.event(REFUSED);
        follower.tick(500_000_000n);
        assert.ok(follower.isOpen);
        follower.tick(1_500_000_000n);
      }),
      ['certificate_verify_failed'],
    );
  });

  it('is a failure when a certificate is not good and nothing is read, whatever came first', () => {
    for (const order of [[event({}), SELF_SIGNED], [SELF_SIGNED, event({})], [SELF_SIGNED]]) {
      assert.deepEqual(
        outcomes((follower) => {
          order.forEach(follower.event);
          follower.data('write');
          follower.end();
        }),
        ['depth_zero_self_signed_cert'],
      );
    }
  });

  it('is completed when the program goes on with a certificate that is not good', () => {
    assert.deepEqual(
      outcomes((follower) => {
        follower.event(event({}));
        follower.event(SELF_SIGNED);
        follower.data('write');
        follower.data('read');
      }),
      ['completed'],
    );
  });

  it('keeps numbers that have no name, and says when there is none', () => {
    const failed = (more: Partial<HandshakeEvent>) =>
      outcomes((follower) => follower.event(event({ outcome: 'failed', ...more })))[0];
    assert.equal(failed({ codeKind: 'openssl', code: 999 }), 'ssl_error_999');
    assert.equal(failed({ codeKind: 'alert-sent', code: 42 }), 'sent_alert_bad_certificate');
    assert.equal(failed({ codeKind: 'gnutls', code: 12 }), 'fatal_alert_received');
    assert.equal(failed({ codeKind: 'nss', code: 8179 }), 'unknown_issuer');
    assert.equal(failed({}), '_OTHER');
    assert.equal(failed({ outcome: 'abandoned' }), 'abandoned');
  });
});
