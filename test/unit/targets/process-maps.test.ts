import assert from 'node:assert/strict';
import {
  librariesBeside,
  runtimesOnPath,
  systemLibraries,
} from '../../../src/targets/known-files.ts';
import {
  parseExecutableMappings,
  readExecutableMappings,
} from '../../../src/targets/process-maps.ts';

describe('the mappings of a process', () => {
  it('are the executable ones of files, each once', () => {
    const maps = [
      '55d0c0000000-55d0c0001000 r--p 00000000 fe:00 12 /usr/bin/a b (c)',
      '55d0c0001000-55d0c0002000 r-xp 00001000 fe:00 12 /usr/bin/a b (c)',
      '55d0c0002000-55d0c0003000 r-xp 00002000 fe:00 12 /usr/bin/a b (c)',
      '00400000-00401000 r-xp 00000000 fe:00 13                      /opt/x.so (deleted)',
      '7f0000000000-7f0000001000 r-xp 00000000 00:00 0 ',
      '7f0000001000-7f0000002000 r-xp 00000000 00:01 99 /memfd:jit (deleted)',
      '7ffc00000000-7ffc00001000 r-xp 00000000 00:00 0                          [vdso]',
      '7f0000003000-7f0000004000 rwxs 00000000 fe:00 14 /tmp/n\\012l.so',
      '',
    ].join('\n');
    assert.deepEqual(parseExecutableMappings(maps), [
      {
        path: '/usr/bin/a b (c)',
        inode: 12n,
        isDeleted: false,
        range: '55d0c0001000-55d0c0002000',
      },
      { path: '/opt/x.so', inode: 13n, isDeleted: true, range: '400000-401000' },
      { path: '/memfd:jit', inode: 99n, isDeleted: true, range: '7f0000001000-7f0000002000' },
      { path: '/tmp/n\nl.so', inode: 14n, isDeleted: false, range: '7f0000003000-7f0000004000' },
    ]);
  });

  it('have the executable of this process', () => {
    const paths = readExecutableMappings(process.pid).map(({ path }) => path);
    assert.ok(paths.includes(process.execPath), paths.join());
    assert.deepEqual(readExecutableMappings(0x7fff_fff0), []);
  });
});

describe('the known files', () => {
  it('have each TLS library once, by its real path', () => {
    const paths = systemLibraries();
    assert.equal(new Set(paths).size, paths.length);
    for (const path of paths) {
      assert.match(path, /\/lib(?:ssl|gnutls|nspr4)[^/]*\.so/);
    }
  });

  it('have the runtimes on the PATH', () => {
    const folder = process.execPath.slice(0, process.execPath.lastIndexOf('/'));
    assert.ok(runtimesOnPath(`relative::/nowhere:${folder}`).includes(process.execPath));
    assert.deepEqual(librariesBeside('/nowhere/bin/x'), []);
  });
});
