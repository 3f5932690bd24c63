import assert from 'node:assert/strict';
import { adviceLines } from '../../../src/cli/observed-host.ts';
import { createTerminal, holdOutput } from '../../../src/cli/terminal.ts';

describe('output beside a running command', () => {
  it('waits for its end and then passes through', () => {
    const written: string[] = [];
    const output = holdOutput((text) => written.push(text));
    output.hold();
    output.write('a\n');
    output.write('b\n');
    assert.deepEqual(written, []);
    output.release();
    output.write('c\n');
    assert.deepEqual(written, ['a\n', 'b\n', 'c\n']);
  });

  it('is not held unless asked', () => {
    const written: string[] = [];
    holdOutput((text) => written.push(text)).write('a');
    assert.deepEqual(written, ['a']);
  });

  it('is held in bounds, and the loss is told', () => {
    const written: string[] = [];
    const output = holdOutput((text) => written.push(text));
    output.hold();
    const megabyte = `${'x'.repeat(1024 * 1024 - 1)}\n`;
    for (let i = 0; i < 7; i += 1) {
      output.write(megabyte);
    }
    output.release();
    assert.equal(written.length, 5);
    assert.equal(written[4], '(3 more lines were not kept while the command ran)\n');
  });

  it('knows width and colours only of a terminal', () => {
    const write = (): void => {};
    assert.deepEqual(createTerminal(write, { isTTY: false, columns: 80 }), {
      write,
      isColoured: false,
    });
    const stream = { isTTY: true, columns: 80, hasColors: () => true };
    const terminal = createTerminal(write, stream);
    stream.columns = 120;
    assert.equal(terminal.columns?.(), 120);
    assert.equal(terminal.isColoured, true);
  });
});

describe('advice while nothing was seen', () => {
  const summary = { watches: [], found: [], exchanges: 0, calls: 0 };

  it('goes from nothing at all to exchanges, and ends with the first call', () => {
    assert.match(adviceLines(summary)[0] ?? '', /no HTTP exchange yet/);
    assert.match(adviceLines({ ...summary, exchanges: 23 })[0] ?? '', /23 HTTP exchanges but no/);
    assert.deepEqual(adviceLines({ ...summary, exchanges: 23, calls: 1 }), []);
  });
});
