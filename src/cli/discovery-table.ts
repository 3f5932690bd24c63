/** `discover` for people: one row for processes that are alike, within the terminal's width. */
import { posix } from 'node:path';
import type { DiscoveredProcess } from '../targets/discovery.ts';
import { showsHandshakes } from '../targets/handshake-functions.ts';

const HEADINGS = ['PID', 'KIND', 'WORKLOAD', 'EXECUTABLE', 'TLS', 'LOCATED BY', 'PROBES', 'STATE'];
const WORKLOAD = 2;
const EXECUTABLE = 3;

/** Widest that a column gets; what is longer is cut. */
const MAX_WIDTHS = [16, 7, 28, 48, 24, 16, 14, 10];
/** The two that give way when the terminal is narrow get no narrower than this. */
const MIN_WIDTH = 10;
const GAP = '  ';
const MIN_COLUMNS = 80;
const MAX_COLUMNS = 120;

/** Pids of a group that are named. */
const MAX_PIDS = 2;

interface Group {
  first: DiscoveredProcess;
  pids: number[];
  lines: string[][];
}

export function discoveryTable(processes: readonly DiscoveredProcess[], columns: number): string[] {
  const width = Math.min(Math.max(columns, MIN_COLUMNS), MAX_COLUMNS);
  const plain = processes.filter(isPlain);
  const groups = groupsOf(processes.filter((process) => !isPlain(process)));
  const rows = groups.flatMap((group) => rowsOf(group));
  const widths = widthsOf([HEADINGS, ...rows.map(({ cells }) => cells)], width);
  const lines = rows.flatMap(({ cells, note }) => [
    lineOf(cells, widths),
    ...(note === '' ? [] : wrap(note, width, '    ')),
  ]);
  const table = groups.length > 0 ? [lineOf(HEADINGS, widths), ...lines] : [];
  return [...table, ...restLines(plain, width), summaryLine(processes)];
}

/** Nothing to say of it but that it has no TLS. */
function isPlain({ state, agent, files }: DiscoveredProcess): boolean {
  return state === 'no-tls' && agent === undefined && files.length === 0;
}

/** Agents first, then by what they are called. */
function groupsOf(processes: readonly DiscoveredProcess[]): Group[] {
  const groups = new Map<string, Group>();
  for (const process of processes) {
    const lines = tlsLines(process);
    const { workload, executable, state } = process;
    const note = noteOf(process);
    const key = JSON.stringify([workload, process.agent, executable, state, note, lines]);
    const group = groups.get(key);
    if (group) {
      group.pids.push(process.pid);
    } else {
      groups.set(key, { first: process, pids: [process.pid], lines });
    }
  }
  const rank = ({ first }: Group): string =>
    `${first.agent === undefined ? 1 : 0} ${first.state === 'attachable' ? 0 : 1} ${first.workload}`;
  return [...groups.values()].sort((left, right) => (rank(left) < rank(right) ? -1 : 1));
}

/** TLS, located by, probes: a line for each stack. */
function tlsLines({ files }: DiscoveredProcess): string[][] {
  const lines: string[][] = [];
  for (const { located } of files) {
    for (const { stack, version, locatedBy, functions } of located ?? []) {
      const emulated = functions.filter(({ isEmulated }) => isEmulated).length;
      const name = version === undefined ? stack : `${stack} ${version}`;
      lines.push([name, locatedBy, `${emulated}/${functions.length} emulated`]);
    }
  }
  return lines.length > 0 ? lines : [['-', '-', '-']];
}

/** Why it is not attachable, or what is not seen of it. */
function noteOf({ state, reason, files }: DiscoveredProcess): string {
  if (state !== 'attachable' && state !== 'attached') {
    return reason;
  }
  const silent = files.flatMap(({ located }) =>
    (located ?? []).filter((found) => !showsHandshakes(found)).map(({ stack }) => stack),
  );
  const names = [...new Set(silent)].join(', ');
  return names === '' ? '' : `its TLS handshakes are not seen (${names})`;
}

function rowsOf({ first, pids, lines }: Group): { cells: string[]; note: string }[] {
  const more = pids.length - MAX_PIDS;
  const named = pids.slice(0, MAX_PIDS).join(',');
  const who = [
    more > 0 ? `${named} +${more}` : named,
    first.agent === undefined ? 'program' : 'agent',
    first.workload,
    first.executable || '?',
  ];
  return lines.map((tls, index) => ({
    cells: index === 0 ? [...who, ...tls, first.state] : ['', '', '', '', ...tls, ''],
    note: index === lines.length - 1 ? noteOf(first) : '',
  }));
}

function widthsOf(rows: readonly (readonly string[])[], width: number): number[] {
  const widths = HEADINGS.map((_, column) =>
    Math.min(
      MAX_WIDTHS[column] ?? MIN_WIDTH,
      Math.max(...rows.map((cells) => cells[column]?.length ?? 0)),
    ),
  );
  const total = (): number =>
    widths.reduce((sum, one) => sum + one, 0) + GAP.length * (widths.length - 1);
  for (const column of [EXECUTABLE, WORKLOAD]) {
    const excess = Math.max(total() - width, 0);
    widths[column] = Math.max((widths[column] ?? 0) - excess, MIN_WIDTH);
  }
  return widths;
}

function lineOf(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, column) => {
      const width = widths[column] ?? 0;
      return (column === EXECUTABLE ? cutFront(cell, width) : cutEnd(cell, width)).padEnd(width);
    })
    .join(GAP)
    .trimEnd();
}

function cutEnd(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}

/** Of a path the end tells more. */
function cutFront(text: string, width: number): string {
  return text.length > width ? `…${text.slice(text.length - width + 1)}` : text;
}

function restLines(processes: readonly DiscoveredProcess[], width: number): string[] {
  if (processes.length === 0) {
    return [];
  }
  const counts = new Map<string, number>();
  for (const { executable, comm } of processes) {
    const name = posix.basename(executable) || comm;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const names = [...counts].map(([name, count]) => (count > 1 ? `${name} ×${count}` : name));
  const title = `No TLS in ${processes.length} other processes (unencrypted HTTP is seen all the same): `;
  return ['', ...wrap(`${title}${names.join(', ')}`, width, '')];
}

function summaryLine(processes: readonly DiscoveredProcess[]): string {
  const ready = processes.filter(({ state }) => state === 'attachable').length;
  return `${ready} of ${processes.length} processes have TLS that can be observed. Which instruction is probed, and why: --json`;
}

function wrap(text: string, width: number, indent: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent.length + line.length + 1 + word.length > width) {
      lines.push(`${indent}${line}`);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, `${indent}${line}`];
}
