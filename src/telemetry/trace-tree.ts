/** Gathers finished spans into trees, each rendered when its root is there. Children finish before their root. */
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { Attr } from './semconv.ts';
import { contentLines, spanLine } from './span-line.ts';
import { type Chunk, printable, renderLine } from './terminal-text.ts';

export interface TraceTreeStats {
  /** Trees handed over. */
  trees: number;
  /** Trees whose root was not awaited any longer, to make room. */
  evictedTraces: number;
  /** Spans left out of a tree that had too many. */
  omittedSpans: number;
}

export interface TraceTrees {
  add(span: ReadableSpan): void;
  /** Hands over, marked so, what waited for its root since before `wallSeconds` (seconds since 1970). */
  expire(wallSeconds: number): void;
  /** The same for all that waits. */
  flush(): void;
  stats(): TraceTreeStats;
}

export interface TraceTreeOptions {
  /** Text of a finished tree, with its final newline. */
  finished: (text: string) => void;
  columns: () => number | undefined;
  isColoured: boolean;
  maxTraces: number;
  maxSpans: number;
}

interface PendingTrace {
  spans: ReadableSpan[];
  omitted: number;
}

/** Why a tree has no root. */
const UNKNOWN_REST = '(the rest of this trace is not known)';
const SHOWN_BEFORE = '(later in a trace shown before)';

export function createTraceTrees(options: TraceTreeOptions): TraceTrees {
  /** In the order of their last span, the stalest first. */
  const pending = new Map<string, PendingTrace>();
  /** Traces whose root was handed over: what still comes of them need not wait. */
  const rooted = new Set<string>();
  const stats: TraceTreeStats = { trees: 0, evictedTraces: 0, omittedSpans: 0 };

  function add(span: ReadableSpan): void {
    const { traceId } = span.spanContext();
    if (isLocalRoot(span)) {
      remember(traceId);
      const trace = pending.get(traceId);
      if (trace === undefined) {
        hand([span], span, 0);
        return;
      }
      // In an application's own trace several calls are roots here: each takes its own descendants along.
      const own = descendants(span, trace.spans);
      hand([span, ...own], span, trace.omitted);
      const rest = trace.spans.filter((other) => !own.includes(other));
      if (rest.length > 0) {
        pending.set(traceId, { spans: rest, omitted: 0 });
      } else {
        pending.delete(traceId);
      }
      return;
    }
    if (rooted.has(traceId) && !pending.has(traceId)) {
      hand([span], undefined, 0, SHOWN_BEFORE);
      return;
    }
    keep(traceId, span);
  }

  function remember(traceId: string): void {
    rooted.delete(traceId);
    rooted.add(traceId);
    if (rooted.size > options.maxTraces) {
      const [oldest] = rooted;
      rooted.delete(oldest ?? '');
    }
  }

  function keep(traceId: string, span: ReadableSpan): void {
    const trace = pending.get(traceId) ?? { spans: [], omitted: 0 };
    pending.delete(traceId);
    pending.set(traceId, trace);
    if (trace.spans.length >= options.maxSpans) {
      trace.omitted += 1;
      stats.omittedSpans += 1;
      return;
    }
    trace.spans.push(span);
    if (pending.size > options.maxTraces) {
      const [oldest] = pending;
      if (oldest !== undefined) {
        pending.delete(oldest[0]);
        stats.evictedTraces += 1;
        hand(oldest[1].spans, undefined, oldest[1].omitted);
      }
    }
  }

  function hand(
    spans: readonly ReadableSpan[],
    root: ReadableSpan | undefined,
    omitted: number,
    note = UNKNOWN_REST,
  ): void {
    stats.trees += 1;
    const lines = renderTree(spans, root, note);
    if (omitted > 0) {
      lines.push([{ text: `   (${omitted} more spans not shown)`, colour: 'dim' }]);
    }
    const columns = options.columns();
    options.finished(
      lines.map((line) => `${renderLine(line, columns, options.isColoured)}\n`).join(''),
    );
  }

  return {
    add,
    expire(wallSeconds) {
      for (const [traceId, trace] of pending) {
        const lastSeconds = trace.spans.at(-1)?.endTime[0] ?? 0;
        if (lastSeconds >= wallSeconds) {
          return;
        }
        pending.delete(traceId);
        hand(trace.spans, undefined, trace.omitted);
      }
    },
    flush() {
      for (const trace of pending.values()) {
        hand(trace.spans, undefined, trace.omitted);
      }
      pending.clear();
    },
    stats: () => ({ ...stats }),
  };
}

function isLocalRoot(span: ReadableSpan): boolean {
  return span.parentSpanContext === undefined || span.parentSpanContext.isRemote === true;
}

function parentId(span: ReadableSpan): string | undefined {
  return isLocalRoot(span) ? undefined : span.parentSpanContext?.spanId;
}

function descendants(root: ReadableSpan, spans: readonly ReadableSpan[]): ReadableSpan[] {
  const children = childrenById(spans);
  const found: ReadableSpan[] = [];
  const open = [root];
  for (let span = open.pop(); span !== undefined; span = open.pop()) {
    for (const child of children.get(span.spanContext().spanId) ?? []) {
      found.push(child);
      open.push(child);
    }
  }
  return found;
}

function childrenById(spans: readonly ReadableSpan[]): Map<string, ReadableSpan[]> {
  const children = new Map<string, ReadableSpan[]>();
  for (const span of spans) {
    const parent = parentId(span);
    if (parent === undefined) {
      continue;
    }
    const siblings = children.get(parent);
    if (siblings === undefined) {
      children.set(parent, [span]);
    } else {
      siblings.push(span);
    }
  }
  for (const siblings of children.values()) {
    siblings.sort(byStart);
  }
  return children;
}

function byStart(left: ReadableSpan, right: ReadableSpan): number {
  return (
    left.startTime[0] - right.startTime[0] ||
    left.startTime[1] - right.startTime[1] ||
    (left.spanContext().spanId < right.spanContext().spanId ? -1 : 1)
  );
}

/** Without a root, the spans whose parents are not among them stand side by side under a line that says so. */
function renderTree(
  spans: readonly ReadableSpan[],
  root: ReadableSpan | undefined,
  note: string,
): Chunk[][] {
  const children = childrenById(spans);
  const lines: Chunk[][] = [];
  const shown = new Set<ReadableSpan>();

  function branch(span: ReadableSpan, before: string, isLast: boolean): void {
    if (shown.has(span)) {
      return;
    }
    shown.add(span);
    lines.push([{ text: `${before}${isLast ? '└─ ' : '├─ '}`, colour: 'dim' }, ...spanLine(span)]);
    below(span, `${before}${isLast ? '   ' : '│  '}`);
  }

  function below(span: ReadableSpan, before: string): void {
    const own = children.get(span.spanContext().spanId) ?? [];
    for (const content of contentLines(span)) {
      lines.push([
        { text: `${before}${own.length > 0 ? '│  ' : '   '}`, colour: 'dim' },
        ...content,
      ]);
    }
    own.forEach((child, index) => {
      branch(child, before, index === own.length - 1);
    });
  }

  if (root !== undefined) {
    shown.add(root);
    const service = printable(String(root.resource.attributes[Attr.serviceName] ?? ''));
    const name = service === '' ? [] : [{ text: `${service}  `, colour: 'dim' } as const];
    lines.push([...name, ...spanLine(root)]);
    below(root, '');
    return lines;
  }
  const ids = new Set(spans.map((span) => span.spanContext().spanId));
  const tops = spans.filter((span) => !ids.has(parentId(span) ?? '')).sort(byStart);
  const service = printable(String(spans[0]?.resource.attributes[Attr.serviceName] ?? ''));
  lines.push([{ text: `${service}  ${note}`.trim(), colour: 'dim' }]);
  tops.forEach((span, index) => {
    branch(span, '', index === tops.length - 1);
  });
  return lines;
}
