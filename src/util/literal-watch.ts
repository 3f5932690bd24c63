/**
 * Watches bytes that come in pieces for any of some literals, in one pass and with no overlap: what a piece ends with is
 * a state. It is there so that costly searches are done only where they can find something.
 *
 * A. Aho, M. Corasick: Efficient string matching, CACM 18 (1975), https://doi.org/10.1145/360825.360855
 */

export interface WatchedLiteral {
  /** ASCII. */
  text: string;
  isAnyCase: boolean;
  /** Bits of the searches that this literal calls for. */
  searches: number;
}

/** One stream of bytes. */
export interface LiteralWatch {
  /**
   * Returns the searches called for by the literals that end in `bytes[from, to)`. It may be some too many, of a literal
   * that began in an earlier piece, but never one too few.
   */
  push(bytes: Uint8Array, from: number, to: number): number;
  /** Behind the last literal of the last push, as an index of its bytes; 0 when there was none. */
  readonly lastEnd: number;
  /** What follows has nothing to do with what was pushed. */
  reset(): void;
}

interface Node {
  next: Map<number, number>;
  literals: WatchedLiteral[];
  /** Where the longest ending of this that begins a literal is. */
  fallback: number;
}

/** Compiles literals; the function that is returned begins to watch a stream. */
export function createLiteralWatcher(literals: readonly WatchedLiteral[]): () => LiteralWatch {
  const nodes = createTrie(literals);
  const { classOf, classBits } = classesOf(literals);
  // States at which literals end come last: one comparison tells them.
  const order = [...nodes.keys()].sort(
    (one, other) => Math.min(1, lengthAt(nodes, one)) - Math.min(1, lengthAt(nodes, other)),
  );
  const stateOf = new Uint16Array(nodes.length);
  order.forEach((node, state) => {
    stateOf[node] = state;
  });
  const firstEnd = order.findIndex((node) => lengthAt(nodes, node) > 0);
  const moves = new Uint16Array(nodes.length << classBits);
  for (const [node, state] of stateOf.entries()) {
    for (let code = 0; code < 256; code += 1) {
      moves[(state << classBits) | (classOf[code] as number)] = stateOf[
        move(nodes, node, fold(code))
      ] as number;
    }
  }
  const endsAt = order.map((node) => nodes[node]?.literals ?? []);
  const root = stateOf[0] as number;

  return () => {
    let state = root;
    let lastEnd = 0;
    return {
      push(bytes, from, to) {
        let searches = 0;
        let current = state;
        lastEnd = 0;
        for (let at = from; at < to; at += 1) {
          current = moves[
            (current << classBits) | (classOf[bytes[at] as number] as number)
          ] as number;
          if (current >= firstEnd) {
            const found = searchesAt(endsAt[current] as WatchedLiteral[], bytes, from, at + 1);
            if (found !== 0) {
              searches |= found;
              lastEnd = at + 1;
            }
          }
        }
        state = current;
        return searches;
      },
      get lastEnd() {
        return lastEnd;
      },
      reset() {
        state = root;
      },
    };
  };
}

function fold(code: number): number {
  return code >= 0x41 && code <= 0x5a ? code | 0x20 : code;
}

/** Node 0 is the root. Letters are folded: whether their case is right is seen when all of a literal is there. */
function createTrie(literals: readonly WatchedLiteral[]): Node[] {
  const nodes: Node[] = [{ next: new Map(), literals: [], fallback: 0 }];
  for (const literal of literals) {
    let node = 0;
    for (const code of Buffer.from(literal.text)) {
      const { next } = nodes[node] as Node;
      let child = next.get(fold(code));
      if (child === undefined) {
        child = nodes.push({ next: new Map(), literals: [], fallback: 0 }) - 1;
        next.set(fold(code), child);
      }
      node = child;
    }
    nodes[node]?.literals.push(literal);
  }
  // By length: what a node falls back to is shorter and done.
  const queue = [...(nodes[0] as Node).next.values()];
  for (const index of queue) {
    const node = nodes[index] as Node;
    node.literals.push(...(nodes[node.fallback] as Node).literals);
    for (const [code, child] of node.next) {
      (nodes[child] as Node).fallback = move(nodes, node.fallback, code);
      queue.push(child);
    }
  }
  return nodes;
}

function lengthAt(nodes: readonly Node[], node: number): number {
  return nodes[node]?.literals.length ?? 0;
}

function move(nodes: readonly Node[], from: number, code: number): number {
  let node = from;
  let next = nodes[node]?.next.get(code);
  while (next === undefined && node !== 0) {
    node = nodes[node]?.fallback ?? 0;
    next = nodes[node]?.next.get(code);
  }
  return next ?? 0;
}

/** Bytes that no literal has are one class, and so are the cases of a letter. */
function classesOf(literals: readonly WatchedLiteral[]): {
  classOf: Uint8Array;
  classBits: number;
} {
  const codes = [...new Set(literals.flatMap(({ text }) => [...Buffer.from(text)].map(fold)))];
  const classOf = new Uint8Array(256);
  for (let code = 0; code < 256; code += 1) {
    classOf[code] = codes.indexOf(fold(code)) + 1;
  }
  return { classOf, classBits: Math.ceil(Math.log2(codes.length + 1)) };
}

/** Of literals that end before `end`. */
function searchesAt(
  literals: readonly WatchedLiteral[],
  bytes: Uint8Array,
  from: number,
  end: number,
): number {
  let searches = 0;
  for (const literal of literals) {
    if ((searches & literal.searches) !== literal.searches && isThere(literal, bytes, from, end)) {
      searches |= literal.searches;
    }
  }
  return searches;
}

function isThere(
  { text, isAnyCase }: WatchedLiteral,
  bytes: Uint8Array,
  from: number,
  end: number,
): boolean {
  const start = end - text.length;
  if (start < from) {
    return true;
  }
  for (let index = 0; !isAnyCase && index < text.length; index += 1) {
    if (bytes[start + index] !== text.charCodeAt(index)) {
      return false;
    }
  }
  return true;
}
