/**
 * Batches spans or log records and sends them one batch at a time; what the endpoint did not take stays queued.
 * The settings and their meaning are those of the batch processors:
 * https://opentelemetry.io/docs/specs/otel/trace/sdk/#batching-processor
 */
import type { EndpointHealth } from './endpoint-health.ts';
import type { BatchSettings, Notice } from './options.ts';
import type { Sender } from './otlp-sender.ts';
import type { SendOutcome } from './send-outcome.ts';

export interface DeliveryStats {
  /** Waiting now. */
  queued: number;
  exported: number;
  /** Given up: the endpoint refused them for good. */
  failed: number;
  /** Never tried, because the queue was full, or left over at the end. */
  dropped: number;
}

export interface Delivery<T> {
  add(item: T): void;
  /** Sends what is queued; ends early when the endpoint does not take it. Never rejects. */
  flush(): Promise<void>;
  /** Flushes; what is left then is counted as dropped. */
  close(): Promise<void>;
  stats(): DeliveryStats;
}

export interface DeliveryOptions<T> {
  /** In messages: `spans`, `log records`. */
  what: string;
  sender: Sender<T[]>;
  health: EndpointHealth;
  batch: BatchSettings;
  maxQueueBytes: number;
  maxBatchBytes: number;
  /** Estimate of an item's bytes in an export. */
  sizeOf: (item: T) => number;
  notice: Notice;
  /** Nobody set this endpoint: that it takes nothing is no news. */
  isDefault: boolean;
  /** A batch arrived and nothing is queued any more. */
  drained?: () => void;
}

interface Queued<T> {
  item: T;
  bytes: number;
}

/** A batch that fails this often, though the endpoint answers probes, is given up. */
const MAX_ATTEMPTS = 5;

export function createDelivery<T>(options: DeliveryOptions<T>): Delivery<T> {
  const { sender, health, batch } = options;
  const queue: Queued<T>[] = [];
  let queuedBytes = 0;
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<boolean> | undefined;
  let attempts = 0;
  /** Shrinks while the head of the queue is too large for the endpoint. */
  let batchItems = batch.maxExportBatchSize;
  let isRefusalTold = false;
  const stats = { exported: 0, failed: 0, dropped: 0 };

  function add(item: T): void {
    const bytes = options.sizeOf(item);
    if (queue.length >= batch.maxQueueSize || queuedBytes + bytes > options.maxQueueBytes) {
      stats.dropped += 1;
      return;
    }
    queue.push({ item, bytes });
    queuedBytes += bytes;
    schedule();
  }

  function schedule(): void {
    if (queue.length === 0 || sending !== undefined || health.state === 'down') {
      return;
    }
    if (queue.length >= batch.maxExportBatchSize || queuedBytes >= options.maxBatchBytes) {
      void sendHead();
    } else if (timer === undefined) {
      timer = setTimeout(() => {
        timer = undefined;
        void sendAll();
      }, batch.scheduleDelayMs);
      timer.unref();
    }
  }

  /** The items of the next batch: as many as both limits allow, at least one. */
  function headCount(): number {
    let count = 0;
    let bytes = 0;
    for (const queued of queue) {
      bytes += queued.bytes;
      if (count > 0 && (count >= batchItems || bytes > options.maxBatchBytes)) {
        break;
      }
      count += 1;
    }
    return count;
  }

  function removeHead(count: number): void {
    for (const { bytes } of queue.splice(0, count)) {
      queuedBytes -= bytes;
    }
    attempts = 0;
    batchItems = batch.maxExportBatchSize;
  }

  function settle(outcome: SendOutcome, count: number): boolean {
    if (outcome.kind === 'sent') {
      stats.exported += count;
      removeHead(count);
      health.succeeded();
      if (queue.length === 0) {
        options.drained?.();
      }
      return true;
    }
    if (outcome.kind === 'refused' && outcome.isTooLarge && count > 1) {
      batchItems = Math.ceil(count / 2);
      return true;
    }
    attempts += 1;
    if (outcome.kind === 'refused' || attempts >= MAX_ATTEMPTS) {
      giveUp(outcome.reason, count);
      return outcome.kind === 'refused';
    }
    health.failed(outcome.reason);
    return false;
  }

  function giveUp(reason: string, count: number): void {
    stats.failed += count;
    removeHead(count);
    if (!isRefusalTold) {
      isRefusalTold = true;
      options.notice(
        'warning',
        `the OTLP endpoint refused ${count} ${options.what} for good: ${reason}. Further ones are counted without a word.`,
      );
    }
  }

  /** True when the next batch may follow. */
  function sendHead(): Promise<boolean> {
    sending ??= (async () => {
      const count = headCount();
      const outcome = await sender.send(queue.slice(0, count).map(({ item }) => item));
      return settle(outcome, count);
    })().finally(() => {
      sending = undefined;
      schedule();
    });
    return sending;
  }

  async function sendAll(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    while (queue.length > 0 && health.state !== 'down') {
      if (!(await sendHead())) {
        return;
      }
    }
  }

  async function flush(): Promise<void> {
    if (sending !== undefined) {
      await sending;
    }
    if (queue.length === 0) {
      return;
    }
    // A probe answers at once where an export would first try for as long as its timeout allows.
    if (health.state !== 'up' && !(await health.probe())) {
      return;
    }
    await sendAll();
  }

  health.whenChanged((state) => {
    if (state === 'up') {
      void sendAll();
    }
  });

  return {
    add,
    flush,
    async close() {
      await flush();
      clearTimeout(timer);
      timer = undefined;
      stats.dropped += queue.length;
      // With nobody's endpoint set, the tree in the terminal is where they went.
      if (queue.length > 0 && !options.isDefault) {
        options.notice(
          'warning',
          `${queue.length} ${options.what} were not exported: the OTLP endpoint did not take them`,
        );
      }
      queue.length = 0;
      queuedBytes = 0;
      await sender.close();
    },
    stats: () => ({ queued: queue.length, ...stats }),
  };
}
