/**
 * Remembers an agent's calls, to find the one that a new request continues. `docs/how-turns-are-found.md` states
 * the rules.
 *
 * A call is known by hashes over the fingerprints of its messages, so that remembering it costs the same however
 * long the conversation is: one over its request, one over its request and answer.
 */
import { hash } from 'node:crypto';
import type { CallRequest } from '../llm/model-call.ts';
import type { Process } from '../process/process.ts';
import type { ToolState, Turn } from './turn.ts';

/** A call as later requests see it. */
export interface CallNode {
  turn: Turn;
  process: Process;
  /** `failed` includes answers that broke off. */
  state: 'open' | 'answered' | 'failed';
  /** A later request continued it (or tried it again). */
  isContinued: boolean;
  tools: ToolState[];
  requestKey: string;
  /** Over request and answer; one for each choice of the answer. */
  historyKeys: string[];
  /** Over the answer alone, when it is one message. */
  answerKey: string | undefined;
  /** Of its answer, where requests may name it. */
  responseId: string | undefined;
  toolIds: string[];
}

type MatchKind =
  /** It answers tool calls by their ids. */
  | 'tool-result'
  /** A failed request sent again. */
  | 'repetition'
  /** It begins with the earlier request and its answer. */
  | 'continuation'
  /** It holds the earlier answer, but what was before it has been altered or cut. */
  | 'altered-history'
  /** It begins with the earlier request, but the answer has been altered or left out. */
  | 'altered-answer';

export interface CallMatch {
  node: CallNode;
  kind: MatchKind;
  /** The request says nothing after the earlier call's answer: the model is to go on by itself. */
  isExact: boolean;
}

export interface CallIndex {
  /** The call that `request` continues. Of a request that is not whole, the fingerprints are a beginning only. */
  find(request: CallRequest, process: Process, isWhole: boolean): CallMatch | undefined;
  /** Remembers a call whose request is known. */
  add(request: CallRequest, turn: Turn, process: Process, isWhole: boolean): CallNode;
  /**
   * Its answer is known: `fingerprints` are the answer's messages, `isChoices` when they are alternatives.
   * `responseId` is what a later request may name instead of repeating the messages.
   */
  answer(
    node: CallNode,
    fingerprints: readonly string[],
    isChoices: boolean,
    responseId?: string,
  ): void;
  addTool(node: CallNode, tool: ToolState): void;
}

export interface CallIndexOptions {
  maxCalls: number;
  /** Called for every call forgotten because of `maxCalls`. */
  onForget?(): void;
}

/** Key of no message at all. */
const EMPTY = '';

/** Calls kept under one key: so many identical conversations side by side are told apart. */
const MAX_NODES_PER_KEY = 64;

export function createCallIndex(options: CallIndexOptions): CallIndex {
  const nodes = new Set<CallNode>();
  const byRequest = new Map<string, CallNode[]>();
  const byHistory = new Map<string, CallNode[]>();
  const byAnswer = new Map<string, CallNode[]>();
  const byResponseId = new Map<string, CallNode[]>();
  const byToolId = new Map<string, ToolState[]>();

  function find(request: CallRequest, process: Process, isWhole: boolean): CallMatch | undefined {
    const keys = prefixKeys(request);
    const requestKey = keys.at(-1) ?? EMPTY;
    const match =
      (isWhole ? findRepetition(requestKey, process) : undefined) ??
      findByPreviousResponse(request, process) ??
      findByToolResults(request, keys, process) ??
      findByHistory(keys, process) ??
      findByAnswer(request, process) ??
      findByRequest(keys, process);
    if (match !== undefined) {
      // Used again: it goes to the young end of the order in which calls are forgotten.
      nodes.delete(match.node);
      nodes.add(match.node);
      match.node.isContinued = true;
    }
    if (match?.isExact && !isWhole) {
      // What it says beyond the earlier answer may be what is missing.
      return { ...match, isExact: false };
    }
    return match;
  }

  function findRepetition(requestKey: string, process: Process): CallMatch | undefined {
    const failed = nodesAt(byRequest, requestKey).filter(
      (node) => node.state === 'failed' && !node.isContinued,
    );
    const node = preferred(failed, process);
    return node && { node, kind: 'repetition', isExact: true };
  }

  /** The request itself names the answer it goes on with; gateways may have given one name to several. */
  function findByPreviousResponse(request: CallRequest, process: Process): CallMatch | undefined {
    const id = request.previousResponseId;
    const node = id === undefined ? undefined : preferred(nodesAt(byResponseId, id), process);
    return node && { node, kind: 'continuation', isExact: request.fingerprints.length === 0 };
  }

  function findByToolResults(
    request: CallRequest,
    keys: readonly string[],
    process: Process,
  ): CallMatch | undefined {
    for (const result of request.toolResults) {
      const tools = result.id === undefined ? undefined : byToolId.get(result.id);
      if (tools === undefined) {
        continue;
      }
      // Ids are unique with most providers, and counted from zero in each answer with some. There the longest
      // history decides.
      let best: ToolState | undefined;
      let bestRank = -1;
      for (const tool of tools) {
        const history = longestHistory(tool.node, keys);
        const rank =
          (tool.state === 'outstanding' ? 4 : 0) +
          (history > 0 ? 2 + history / (keys.length + 1) : 0) +
          (tool.node.process === process ? 1 : 0);
        if (rank >= bestRank) {
          best = tool;
          bestRank = rank;
        }
      }
      if (best !== undefined) {
        return { node: best.node, kind: 'tool-result', isExact: false };
      }
    }
    return undefined;
  }

  function findByHistory(keys: readonly string[], process: Process): CallMatch | undefined {
    for (let length = keys.length - 1; length > 0; length -= 1) {
      const node = preferred(nodesAt(byHistory, keys[length] ?? EMPTY), process);
      if (node !== undefined) {
        return { node, kind: 'continuation', isExact: length === keys.length - 1 };
      }
    }
    return undefined;
  }

  function findByAnswer(request: CallRequest, process: Process): CallMatch | undefined {
    const at = lastAnswerAt(request);
    const fingerprint = at === undefined ? undefined : request.fingerprints[at];
    if (at === undefined || fingerprint === undefined) {
      return undefined;
    }
    const found = nodesAt(byAnswer, extendKey(EMPTY, fingerprint));
    const node = preferred(found, process);
    const isExact = at === request.fingerprints.length - 1;
    return node && { node, kind: 'altered-history', isExact };
  }

  function findByRequest(keys: readonly string[], process: Process): CallMatch | undefined {
    for (let length = keys.length - 2; length > 0; length -= 1) {
      // A call that is still under way cannot have been answered: what goes on from it is another conversation.
      const over = nodesAt(byRequest, keys[length] ?? EMPTY).filter(
        (candidate) => candidate.state !== 'open',
      );
      const node = preferred(over, process);
      if (node !== undefined) {
        return { node, kind: 'altered-answer', isExact: false };
      }
    }
    return undefined;
  }

  function add(request: CallRequest, turn: Turn, process: Process, isWhole: boolean): CallNode {
    const keys = isWhole ? prefixKeys(request) : [EMPTY];
    const node: CallNode = {
      turn,
      process,
      state: 'open',
      isContinued: false,
      tools: [],
      requestKey: keys.at(-1) ?? EMPTY,
      historyKeys: [],
      answerKey: undefined,
      responseId: undefined,
      toolIds: [],
    };
    nodes.add(node);
    if (node.requestKey !== EMPTY) {
      put(byRequest, node.requestKey, node);
    }
    while (nodes.size > options.maxCalls) {
      const [oldest] = nodes;
      if (oldest === undefined) {
        break;
      }
      forget(oldest);
      options.onForget?.();
    }
    return node;
  }

  function answer(
    node: CallNode,
    fingerprints: readonly string[],
    isChoices: boolean,
    responseId?: string,
  ): void {
    node.state = 'answered';
    if (!nodes.has(node)) {
      return;
    }
    if (responseId !== undefined) {
      node.responseId = responseId;
      put(byResponseId, responseId, node);
    }
    if (fingerprints.length === 0) {
      return;
    }
    const [only] = fingerprints;
    if (fingerprints.length === 1 && only !== undefined) {
      node.answerKey = extendKey(EMPTY, only);
      put(byAnswer, node.answerKey, node);
    }
    if (node.requestKey === EMPTY) {
      return;
    }
    if (isChoices) {
      node.historyKeys = fingerprints.map((each) => extendKey(node.requestKey, each));
    } else {
      node.historyKeys = [fingerprints.reduce(extendKey, node.requestKey)];
    }
    for (const key of node.historyKeys) {
      put(byHistory, key, node);
    }
  }

  function addTool(node: CallNode, tool: ToolState): void {
    node.tools.push(tool);
    const { id } = tool.toolCall;
    if (!id || !nodes.has(node)) {
      return;
    }
    node.toolIds.push(id);
    const tools = byToolId.get(id);
    if (tools === undefined) {
      byToolId.set(id, [tool]);
    } else {
      tools.push(tool);
    }
  }

  function forget(node: CallNode): void {
    nodes.delete(node);
    take(byRequest, node.requestKey, node);
    for (const key of node.historyKeys) {
      take(byHistory, key, node);
    }
    if (node.answerKey !== undefined) {
      take(byAnswer, node.answerKey, node);
    }
    if (node.responseId !== undefined) {
      take(byResponseId, node.responseId, node);
    }
    for (const id of node.toolIds) {
      const kept = byToolId.get(id)?.filter((tool) => tool.node !== node) ?? [];
      if (kept.length === 0) {
        byToolId.delete(id);
      } else {
        byToolId.set(id, kept);
      }
    }
  }

  return { find, add, answer, addTool };
}

/** Of conversations that look the same: one not yet continued (the oldest), of the same process if there is one. */
function preferred(nodes: readonly CallNode[], process: Process): CallNode | undefined {
  const waiting = nodes.filter((node) => !node.isContinued);
  if (waiting.length > 0) {
    return waiting.find((node) => node.process === process) ?? waiting[0];
  }
  return nodes.findLast((node) => node.process === process) ?? nodes.at(-1);
}

/** Messages of the longest history of `node` that the request with these prefixes begins with. */
function longestHistory(node: CallNode, keys: readonly string[]): number {
  let longest = 0;
  for (const key of node.historyKeys) {
    longest = Math.max(longest, keys.lastIndexOf(key));
  }
  return longest;
}

function lastAnswerAt(request: CallRequest): number | undefined {
  if (request.messages.length !== request.fingerprints.length) {
    return undefined;
  }
  const at = request.messages.findLastIndex((message) => message.role === 'assistant');
  return at < 0 ? undefined : at;
}

/** Keys of the first 0, 1, 2, … messages; of a request that names an earlier answer, of those after it. */
function prefixKeys(request: CallRequest): string[] {
  const { previousResponseId } = request;
  let key = previousResponseId === undefined ? EMPTY : extendKey(EMPTY, previousResponseId);
  const keys = [key];
  for (const fingerprint of request.fingerprints) {
    key = extendKey(key, fingerprint);
    keys.push(key);
  }
  return keys;
}

function extendKey(key: string, fingerprint: string): string {
  return hash('sha256', `${key}\n${fingerprint}`, 'base64');
}

function nodesAt(map: Map<string, CallNode[]>, key: string): readonly CallNode[] {
  return map.get(key) ?? [];
}

function put(map: Map<string, CallNode[]>, key: string, node: CallNode): void {
  const nodes = map.get(key);
  if (nodes === undefined) {
    map.set(key, [node]);
    return;
  }
  if (nodes.length >= MAX_NODES_PER_KEY) {
    nodes.shift();
  }
  nodes.push(node);
}

function take(map: Map<string, CallNode[]>, key: string, node: CallNode): void {
  const nodes = map.get(key);
  const at = nodes?.indexOf(node) ?? -1;
  if (nodes === undefined || at < 0) {
    return;
  }
  nodes.splice(at, 1);
  if (nodes.length === 0) {
    map.delete(key);
  }
}
