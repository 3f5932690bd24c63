/** Addresses of sockets as text, against the serializer of the URL standard, which follows RFC 5952. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ipAddressText } from '../../../src/capture/ip-address.ts';

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
}

describe('addresses of sockets', () => {
  it('of version 4 are dotted', () => {
    assert.equal(ipAddressText(bytesOf('7f 00 00 01 ff ff'), 4), '127.0.0.1');
  });

  it('of version 6 that stand for one of version 4 are that one', () => {
    assert.equal(ipAddressText(bytesOf('00000000000000000000ffff c0a80107'), 6), '192.168.1.7');
  });

  it('of version 6 are as short as RFC 5952 has them', () => {
    const cases: [string, string][] = [
      ['00000000000000000000000000000000', '::'],
      ['00000000000000000000000000000001', '::1'],
      ['20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
      ['20010db8000100020003000400050006', '2001:db8:1:2:3:4:5:6'],
      ['20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
      ['fe800000000000000000000000000000', 'fe80::'],
    ];
    for (const [hex, text] of cases) {
      assert.equal(ipAddressText(bytesOf(hex), 6), text);
    }
  });

  it('are those of the URL standard, whatever the bytes', () => {
    const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        fc.pre(groups.slice(0, 5).some((value) => value !== 0));
        const bytes = Uint8Array.from(groups.flatMap((value) => [value >> 8, value & 0xff]));
        const long = groups.map((value) => value.toString(16)).join(':');
        assert.equal(`[${ipAddressText(bytes, 6)}]`, new URL(`http://[${long}]/`).hostname);
      }),
    );
  });
});
