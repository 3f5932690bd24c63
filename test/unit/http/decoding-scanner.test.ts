/** What is kept of a compressed body until it was searched, and when it is too much. */
import assert from 'node:assert/strict';
import type { DecodedPiece } from '../../../src/capture/events.ts';
import { createDecodingScanner } from '../../../src/http/decoding-scanner.ts';

describe('the scanner of what a compressed body decodes to', () => {
  const handedOver: DecodedPiece[] = [];
  const unread: number[] = [];
  /** First position of the content that is not searched; undefined: all is. */
  let pendingPosition: number | undefined;

  function createScanner() {
    handedOver.length = 0;
    unread.length = 0;
    return createDecodingScanner({
      onDecoded: (piece) => handedOver.push(piece),
      onUnread: (position) => unread.push(position),
      createScanner: () => ({
        push() {},
        letGo() {},
        end() {
          pendingPosition = undefined;
        },
        get pendingPosition() {
          return pendingPosition;
        },
      }),
    });
  }

  it('keeps pieces of nothing within its limit too', () => {
    const scanner = createScanner();
    pendingPosition = 0;
    scanner.begin(0, 1);
    scanner.content(Buffer.from('a'));
    scanner.outcome('ok');
    const pieces = 200_000;
    for (let position = 1; position < pieces; position += 1) {
      scanner.begin(position, 1);
      scanner.outcome('ok');
    }
    assert.equal(handedOver.length, 0);
    assert.ok(unread.length > pieces / 2, `${unread.length} of ${pieces} are given up`);
    scanner.end('ok');
    assert.equal(handedOver.length + unread.length, pieces, 'each is one or the other');
    assert.equal(Buffer.from(handedOver[0]?.content ?? []).toString(), 'a');
  });

  it('cuts a piece that decodes to too much, and begins anew with the next message', () => {
    const scanner = createScanner();
    pendingPosition = 0;
    scanner.begin(0, 5);
    for (let part = 0; part < 17; part += 1) {
      scanner.content(Buffer.alloc(1_048_576));
    }
    scanner.outcome('ok');
    scanner.begin(5, 5);
    assert.deepEqual(unread, [5]);
    pendingPosition = undefined;
    scanner.endRecord('ok');
    assert.deepEqual(
      handedOver.map(({ position, outcome }) => [position, outcome]),
      [[0, 'limit']],
    );
    scanner.begin(10, 5);
    scanner.content(Buffer.from('b'));
    scanner.outcome('ok');
    scanner.end('ok');
    assert.equal(Buffer.from(handedOver[1]?.content ?? []).toString(), 'b');
  });
});
