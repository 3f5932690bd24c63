/**
 * Decodes Huffman-coded strings, four bits a step.
 * RFC 7541 §5.2, https://www.rfc-editor.org/rfc/rfc7541#section-5.2
 */
import { END_OF_STRING, HUFFMAN_CODES, HUFFMAN_LENGTHS } from './huffman-code.ts';

/**
 * A step goes from a node of the code tree, with four bits, to the next node (low 8 bits), and gives at most one
 * symbol (bits 8–15): the shortest code has five bits.
 */
const SYMBOL_SHIFT = 8;
const GIVES_SYMBOL = 1 << 16;
/** The string may end here: what is left over is under 8 bits, all ones. */
const MAY_END = 1 << 17;
const FAILS = 1 << 18;
/** Padding is at most this long (§5.2). */
const MAX_PADDING_BITS = 7;

interface Node {
  readonly index: number;
  readonly depth: number;
  /** All bits that led here are ones. */
  readonly isOnes: boolean;
  readonly children: (Node | number | undefined)[];
}

const STEPS: Uint32Array = buildSteps();

function buildTree(): Node[] {
  const nodes: Node[] = [];
  function add(depth: number, isOnes: boolean): Node {
    const node: Node = { index: nodes.length, depth, isOnes, children: [undefined, undefined] };
    nodes.push(node);
    return node;
  }
  function childOf(node: Node, bit: number): Node {
    const child = node.children[bit];
    if (typeof child === 'object') {
      return child;
    }
    const added = add(node.depth + 1, node.isOnes && bit === 1);
    node.children[bit] = added;
    return added;
  }
  const root = add(0, true);
  for (let symbol = 0; symbol <= END_OF_STRING; symbol += 1) {
    const code = HUFFMAN_CODES[symbol] as number;
    let node = root;
    for (let bit = (HUFFMAN_LENGTHS[symbol] as number) - 1; bit > 0; bit -= 1) {
      node = childOf(node, (code >>> bit) & 1);
    }
    node.children[code & 1] = symbol;
  }
  return nodes;
}

function buildSteps(): Uint32Array {
  const nodes = buildTree();
  const steps = new Uint32Array(nodes.length * 16);
  for (const node of nodes) {
    for (let bits = 0; bits < 16; bits += 1) {
      steps[node.index * 16 + bits] = stepOf(nodes, node, bits);
    }
  }
  return steps;
}

function stepOf(nodes: readonly Node[], from: Node, bits: number): number {
  let node = from;
  let given = 0;
  for (let bit = 3; bit >= 0; bit -= 1) {
    const next = node.children[(bits >>> bit) & 1];
    if (typeof next === 'object') {
      node = next;
    } else if (next === undefined || next === END_OF_STRING) {
      return FAILS;
    } else {
      given = GIVES_SYMBOL | (next << SYMBOL_SHIFT);
      node = nodes[0] as Node;
    }
  }
  const mayEnd = node.isOnes && node.depth <= MAX_PADDING_BITS ? MAY_END : 0;
  return given | mayEnd | node.index;
}

/** Reused: 8 characters at most come from 5 bytes. */
let output = Buffer.alloc(4096);

/** The text (latin1) of `bytes[start, end)`; undefined when that is no Huffman code, or not padded as it must be. */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number): string | undefined {
  const mostBytes = Math.ceil((end - start) * 1.6);
  const text = output.length >= mostBytes ? output : Buffer.allocUnsafe(mostBytes);
  if (mostBytes <= 65_536) {
    output = text;
  }
  let length = 0;
  let step = MAY_END;
  for (let index = start; index < end; index += 1) {
    const byte = bytes[index] as number;
    step = STEPS[((step & 0xff) << 4) | (byte >>> 4)] as number;
    if ((step & GIVES_SYMBOL) !== 0) {
      text[length] = step >>> SYMBOL_SHIFT;
      length += 1;
    }
    if ((step & FAILS) !== 0) {
      return undefined;
    }
    step = STEPS[((step & 0xff) << 4) | (byte & 0x0f)] as number;
    if ((step & GIVES_SYMBOL) !== 0) {
      text[length] = step >>> SYMBOL_SHIFT;
      length += 1;
    }
    if ((step & FAILS) !== 0) {
      return undefined;
    }
  }
  return (step & MAY_END) === 0 ? undefined : text.toString('latin1', 0, length);
}
