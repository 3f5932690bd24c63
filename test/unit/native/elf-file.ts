/** Builds small ELF files, right and wrong in every way a test needs. https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html */

export interface ElfSymbol {
  name: string;
  /** Address; 0 with `isUndefined`. */
  value: bigint;
  binding?: 'local' | 'global' | 'weak';
  type?: 'function' | 'object';
  isUndefined?: boolean;
}

export interface ElfOptions {
  dynamic?: ElfSymbol[];
  static?: ElfSymbol[];
  buildId?: Buffer;
  /** Address minus file offset of the executable segment. */
  slide?: bigint;
}

export const CODE_OFFSET = 4096;
export const CODE_BYTES = 4096;

const MACHINE = process.arch === 'arm64' ? 183 : 62;
const BINDINGS = { local: 0, global: 1, weak: 2 };

function symbolTable(symbols: ElfSymbol[]): { table: Buffer; names: Buffer } {
  const names: Buffer[] = [Buffer.from([0])];
  let nameAt = 1;
  const table = Buffer.alloc(24 * (symbols.length + 1));
  for (const [index, symbol] of symbols.entries()) {
    const at = 24 * (index + 1);
    table.writeUInt32LE(nameAt, at);
    const binding = BINDINGS[symbol.binding ?? 'global'];
    table.writeUInt8(binding * 16 + (symbol.type === 'object' ? 1 : 2), at + 4);
    table.writeUInt16LE(symbol.isUndefined ? 0 : 1, at + 6);
    table.writeBigUInt64LE(symbol.value, at + 8);
    const text = Buffer.from(`${symbol.name}\0`);
    names.push(text);
    nameAt += text.length;
  }
  return { table, names: Buffer.concat(names) };
}

export function buildElf(options: ElfOptions = {}): Buffer {
  const slide = options.slide ?? 0n;
  const note = Buffer.alloc(options.buildId === undefined ? 0 : 16 + options.buildId.length);
  if (options.buildId !== undefined) {
    note.writeUInt32LE(4, 0);
    note.writeUInt32LE(options.buildId.length, 4);
    note.writeUInt32LE(3, 8);
    note.write('GNU\0', 12, 'latin1');
    options.buildId.copy(note, 16);
  }
  const dynamic = symbolTable(options.dynamic ?? []);
  const fixed = symbolTable(options.static ?? []);
  const segments = options.buildId === undefined ? 1 : 2;
  const noteAt = 64 + 56 * segments;
  const afterCode = CODE_OFFSET + CODE_BYTES;
  const parts = [dynamic.table, dynamic.names, fixed.table, fixed.names];
  const starts: number[] = [];
  let end = afterCode;
  for (const part of parts) {
    starts.push(end);
    end = Math.ceil((end + part.length) / 8) * 8;
  }
  const sectionsAt = end;
  const file = Buffer.alloc(sectionsAt + 64 * 5);
  file.write('\x7fELF\x02\x01\x01', 0, 'latin1');
  file.writeUInt16LE(3, 16);
  file.writeUInt16LE(MACHINE, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(64n, 32);
  file.writeBigUInt64LE(BigInt(sectionsAt), 40);
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(segments, 56);
  file.writeUInt16LE(64, 58);
  file.writeUInt16LE(5, 60);
  // PT_LOAD, readable and executable.
  file.writeUInt32LE(1, 64);
  file.writeUInt32LE(5, 68);
  file.writeBigUInt64LE(BigInt(CODE_OFFSET), 72);
  file.writeBigUInt64LE(BigInt(CODE_OFFSET) + slide, 80);
  file.writeBigUInt64LE(BigInt(CODE_BYTES), 96);
  file.writeBigUInt64LE(BigInt(CODE_BYTES), 104);
  if (options.buildId !== undefined) {
    file.writeUInt32LE(4, 120);
    file.writeBigUInt64LE(BigInt(noteAt), 128);
    file.writeBigUInt64LE(BigInt(note.length), 152);
    file.writeBigUInt64LE(4n, 168);
    note.copy(file, noteAt);
  }
  for (const [index, part] of parts.entries()) {
    part.copy(file, starts[index]);
  }
  const section = (index: number, type: number, part: number, link: number, entry: number) => {
    const at = sectionsAt + 64 * index;
    file.writeUInt32LE(type, at + 4);
    file.writeBigUInt64LE(BigInt(starts[part] ?? 0), at + 24);
    file.writeBigUInt64LE(BigInt(parts[part]?.length ?? 0), at + 32);
    file.writeUInt32LE(link, at + 40);
    file.writeBigUInt64LE(BigInt(entry), at + 56);
  };
  section(1, 11, 0, 2, 24);
  section(2, 3, 1, 0, 0);
  section(3, 2, 2, 4, 24);
  section(4, 3, 3, 0, 0);
  return file;
}

/** Where the section headers of a built file begin. */
export function sectionsOffset(file: Buffer): number {
  return Number(file.readBigUInt64LE(40));
}
