/** The decoder's offsets are those that the compiler gave the ABI header's structures. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadBinding } from '../../src/capture/binding.ts';
import { KERNEL_ABI } from '../../src/capture/kernel-record.ts';

const ADDON = fileURLToPath(new URL('../../build/Release/sightline.node', import.meta.url));

describe('kernel ABI', () => {
  before(function () {
    if (!existsSync(ADDON)) {
      if (process.env.SIGHTLINE_REQUIRE_KERNEL === '1') {
        throw new Error(`${ADDON} is not built: run "npm run setup"`);
      }
      this.skip();
    }
  });

  it('is the same in the addon and in the decoder, name by name', () => {
    assert.deepEqual({ ...loadBinding().abi() }, { ...KERNEL_ABI });
  });
});
