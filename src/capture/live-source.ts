/** Captures from the kernel of this host: processes, and the plaintext of their TLS connections. */
import { statSync } from 'node:fs';
import { maskArguments } from '../util/argument-secrets.ts';
import { ExitCode, SightlineError } from '../util/errors.ts';
import type { NativeBinding, NativeCapture, NativeCounters, NativeFeatures } from './binding.ts';
import { type CgroupPaths, createCgroupPaths } from './cgroup-paths.ts';
import type {
  CaptureEvent,
  ConnectionRef,
  DataEvent,
  Direction,
  ExecEvent,
  ExitEvent,
  ProcessRef,
  SnapshotEvent,
} from './events.ts';
import { createHostClock } from './host-clock.ts';
import { readHost } from './host-facts.ts';
import {
  createRecordDecoder,
  type MalformedRecord,
  type MappedFile,
  type RenamedProcess,
} from './kernel-record.ts';
import { listProcesses, readProcess, readStat } from './proc-process.ts';
import type { ProcStat } from './proc-stat.ts';
import { createProcessDetails } from './process-details.ts';
import { createProcessIdentities } from './process-identity.ts';
import type { Judgement, ProcessSelection } from './process-selection.ts';
import {
  byStart,
  createSelectedProcesses,
  judgeRunning,
  refOf,
  type SelectedProcesses,
} from './selected-processes.ts';
import { isSightlineInstance } from './sightline-instance.ts';
import type { CaptureSink, CaptureSource } from './source.ts';
import type { AttachPort, TargetFile, TargetTracker, WakeReason } from './target-tracker.ts';
import { createTrafficWatch, type RestLevel } from './traffic-watch.ts';
import type { VerdictSink } from './verdict.ts';

/** Interval of `tick` events. */
const TICK_INTERVAL_MS = 1000;

/**
 * A tick tells the time this long ago. What the kernel captured before has been delivered by then (the ring is
 * read at least every 50 ms), so that no timeout is judged before the events that would have prevented it.
 */
const TICK_LAG_NS = 250_000_000n;

/**
 * How often a program just started is looked at again for being another Sightline, and how many times: it takes its
 * name only when its runtime is up, and exports soon after that.
 */
const SUSPECT_INTERVAL_MS = 100;
const SUSPECT_LOOKS = 100;

/** Programs under such suspicion at once; only those run by the runtime that runs this one. */
const MAX_SUSPECTS = 1024;

/** The user database is looked at again after this many ticks. */
const REFRESH_TICKS = 30;

/** How long `start` waits for the search of what it found, at most. */
const MAX_SETTLE_MS = 10_000;

/** How deep a chain of descendants is followed when a running process is watched. */
const MAX_WATCH_ROUNDS = 16;

/** Probes that were taken away may still run for so long. */
const ENDING_NS = 150_000_000n;

/** The decoder's named limits; see `createRecordDecoder` for their defaults. */
export interface CaptureLimits {
  /** Connections whose names the decoder keeps at hand. */
  maxCachedConnections: number;
  /** Command lines of which not every part has arrived. */
  maxPendingArgvBytes: number;
}

export interface Wake {
  reason: WakeReason;
  lateNs: bigint;
}

export interface LiveSourceOptions {
  binding: NativeBinding;
  targets: TargetTracker;
  /** True: the whole host. False: only processes given to `watch`, and their descendants. */
  watchAll: boolean;
  ringBytes: number;
  /** Which processes are wanted of those; absent: all. */
  selection?: ProcessSelection | undefined;
  /** A record of a process that is not wanted came before the kernel knew that: nobody gets it. */
  onLeftOut?(kind: Judgement['kind'], bytes: number): void;
  limits?: Partial<CaptureLimits>;
  /** Masks credentials in the arguments of a program; absent: what the built-in rules find. */
  maskArguments?(argv: readonly string[]): string[];
  /** True: unencrypted HTTP is captured as well. */
  plain?: boolean;
  /** True: the kernel programs of every TLS stack are there before the first program that needs them. */
  loadAhead?: boolean;
  /**
   * Probes are taken away from files in which there is nothing to see. Needs `setVerdict` and `setWanted` to be told
   * what is. Default: false.
   */
  letsProbesRest?: boolean;
  /** Probes of a file were taken away, or (`level` undefined) put back `lateNs` after what called for them. */
  onRest?(file: TargetFile, level: RestLevel | undefined, wake: Wake | undefined): void;
  /** Told when something that was asked for cannot be done on this kernel, and why. */
  onMissing?(reason: string): void;
  /** A line of libbpf's log. */
  onLog?(level: number, line: string): void;
  /** A record from the kernel that cannot be understood: a defect, counted by the caller. */
  onMalformed?(record: MalformedRecord): void;
  /** Decoding, a look-up or the sink failed on one event: a defect; the capture goes on. */
  onDefect?(error: unknown): void;
}

export interface LiveSource extends CaptureSource {
  /**
   * Observes a process that runs, and all its descendants. Before `start` it is remembered; after it, everything
   * is in place when this returns. Changes nothing when the whole host is observed.
   */
  watch(pid: number): void;
  /** Tells the kernel what nobody wants of a connection. Without effect unless the source runs. */
  setVerdict: VerdictSink;
  /** Somebody looks at the bodies of an exchange on this connection. */
  setWanted(connection: ConnectionRef): void;
  /** Which TLS stacks were found where, and whether they are covered. */
  discoveries(): TargetFile[];
  /** The kernel side's counters; after `stop` the last ones. */
  counters(): NativeCounters | undefined;
}

/** Nothing is opened before `start`, which throws what the binding throws when capture is impossible. */
export function createLiveSource(options: LiveSourceOptions): LiveSource {
  const { binding, targets, watchAll } = options;
  const mask = options.maskArguments ?? maskArguments;
  const clock = createHostClock();
  const identities = createProcessIdentities();
  const cgroups: CgroupPaths = createCgroupPaths();
  const details = createProcessDetails(cgroups);
  const selected = options.selection && createSelectedProcesses(options.selection, cgroups);
  const hasTargets = options.selection?.hasTargets === true;
  const ownPid = process.pid;
  /** Roots of observation that were given before there was anything to observe with. */
  const roots = new Set<number>();
  /** Other instances on this host. Exclusion in the kernel begins when they are recognised; this covers the rest. */
  const muted = new Set<number>();
  const suspects = new Map<number, number>();
  /** Processes whose probes were taken away, and since when nothing but news comes of them. */
  const restedNs = new Map<number, bigint>();
  /** Processes whose probes were put back, and since when they are in place. */
  const backNs = new Map<number, bigint>();
  const exited: ProcessRef[] = [];
  let state: 'new' | 'running' | 'stopped' = 'new';
  let capture: NativeCapture | undefined;
  let deliver: CaptureSink | undefined;
  let timer: NodeJS.Timeout | undefined;
  /** Runs while there are suspects. */
  let suspectTimer: NodeJS.Timeout | undefined;
  let lastNs = 0n;
  let lastTickNs = 0n;
  let tickCount = 0;
  let counters: NativeCounters | undefined;
  const traffic = createTrafficWatch({
    onUnwanted: (pid, level) => targets.rest?.begin(pid, level),
  });
  const decoder = createRecordDecoder({
    ...options.limits,
    onWake: (pid, timeNs) => wake(pid, 'connect', timeNs),
    onEvent: onKernelEvent,
    onProgram,
    onMalformed: (record) => options.onMalformed?.(record),
    onMapping,
    onRename,
  });

  function onMapping({ timeNs, pid, inode, key }: MappedFile): void {
    if (pid === ownPid) {
      return;
    }
    try {
      if (targets.rest?.mapped(pid, inode, timeNs)) {
        return;
      }
      targets.mapped(pid, inode, timeNs, () => {
        capture?.setFileKnown(key, true);
        targets.rest?.fileKnown(inode, key);
      });
    } catch (error) {
      options.onDefect?.(error);
    }
  }

  function emit(event: CaptureEvent): void {
    if (event.timeNs > lastNs) {
      lastNs = event.timeNs;
    }
    try {
      deliver?.(event);
    } catch (error) {
      options.onDefect?.(error);
    }
  }

  function onSlab(slab: Buffer): void {
    try {
      decoder.push(slab);
    } catch (error) {
      options.onDefect?.(error);
    }
  }

  /** A defect in the handling of one event must not lose the others of its slab. */
  function onKernelEvent(event: CaptureEvent): void {
    try {
      handle(event);
    } catch (error) {
      options.onDefect?.(error);
    }
  }

  function handle(event: CaptureEvent): void {
    switch (event.type) {
      case 'data':
      case 'loss':
      case 'skip':
      case 'close':
      case 'peer':
      case 'handshake':
      case 'server-name': {
        const { pid } = event.connection.process;
        if (pid === ownPid || (muted.size > 0 && muted.has(pid)) || isLeftOut(event)) {
          return;
        }
        watchTraffic(event);
        event.connection = identities.resolveConnection(event.connection);
        emit(event);
        if (isBeforeReturn(event)) {
          emitRested(event.connection, 'read');
        }
        return;
      }
      case 'fork':
        onFork(event);
        return;
      case 'exit':
        if (event.process.pid !== ownPid) {
          endRest(event);
          if (selected && selected.of(event.process).kind !== 'wanted') {
            leaveOut(selected.of(event.process));
            selected.forget(event.process);
            return;
          }
          event.process = identities.resolve(event.process);
          muted.delete(event.process.pid);
          suspects.delete(event.process.pid);
          // Forgotten at the next tick: records of its other threads may still follow.
          exited.push(event.process);
          emit(event);
        }
        return;
      default:
        emit(event);
    }
  }

  // ---- probes that rest --------------------------------------------------------------------------------------

  function watchTraffic(event: Extract<CaptureEvent, { connection: ConnectionRef }>): void {
    if (!options.letsProbesRest) {
      return;
    }
    traffic.push(event);
    const { pid } = event.connection.process;
    const sinceNs = restedNs.get(pid);
    if (sinceNs === undefined || event.timeNs <= sinceNs) {
      return;
    }
    if (event.type === 'data') {
      // Until all its probes are gone, a server may be seen to get requests.
      const isOver = event.timeNs > sinceNs + ENDING_NS;
      if (isOver || traffic.isAsking(event.connection)) {
        wake(pid, 'traffic', event.timeNs);
      }
    }
  }

  /** The process has asked before its probes were back: of the answer some may be missing, or all. */
  function isBeforeReturn(event: CaptureEvent): event is DataEvent {
    return (
      backNs.size > 0 &&
      event.type === 'data' &&
      event.direction === 'write' &&
      event.timeNs < (backNs.get(event.connection.process.pid) ?? 0n)
    );
  }

  function endRest(event: ExitEvent): void {
    const { pid } = event.process;
    traffic.push(event);
    targets.rest?.exited(pid, event.timeNs);
    restedNs.delete(pid);
    backNs.delete(pid);
  }

  function wake(pid: number, reason: WakeReason, timeNs: bigint): void {
    try {
      targets.rest?.wake(pid, reason, timeNs);
    } catch (error) {
      options.onDefect?.(error);
    }
  }

  /** A program that runs from a file whose probes were taken away, or takes the place of one that did. */
  function wakeForProgram(pid: number, timeNs: bigint): void {
    const { rest } = targets;
    if (rest === undefined || rest.count === 0) {
      return;
    }
    wake(pid, 'user', timeNs);
    const inode = statSync(`/proc/${pid}/exe`, { bigint: true, throwIfNoEntry: false })?.ino;
    if (inode !== undefined) {
      rest.mapped(pid, inode, timeNs);
    }
  }

  function onRest(file: TargetFile, level: RestLevel, pids: readonly number[]): void {
    const nowNs = clock.bootNs();
    for (const pid of pids) {
      restedNs.set(pid, nowNs);
    }
    options.onRest?.(file, level, undefined);
  }

  /**
   * What has passed meanwhile is in no position of the kernel's. Where only reads were not seen, what was asked was
   * followed, so its connection goes on behind a gap; others begin anew.
   */
  function beforeWake(pids: readonly number[], level: RestLevel): void {
    for (const pid of pids) {
      const sinceNs = restedNs.get(pid) ?? 0n;
      for (const ref of traffic.connectionsOf(pid)) {
        if (ref.generation > sinceNs && traffic.isAsking(ref)) {
          // It calls for the probes, and is seen from its beginning on.
          continue;
        }
        emitRested(ref, 'read');
        if (level === 'everything') {
          emitRested(ref, 'write');
          capture?.forgetConnection(pid, ref.object);
          traffic.forget(ref);
        }
      }
    }
  }

  function onWoken(
    file: TargetFile,
    reason: WakeReason,
    pids: readonly number[],
    lateNs: bigint,
  ): void {
    const nowNs = clock.bootNs();
    for (const pid of pids) {
      restedNs.delete(pid);
      backNs.set(pid, nowNs);
    }
    options.onRest?.(file, undefined, { reason, lateNs });
  }

  /** How much was missed is not known; perhaps nothing. */
  function emitRested(ref: ConnectionRef, direction: Direction): void {
    emit({
      type: 'loss',
      timeNs: clock.bootNs(),
      connection: identities.resolveConnection(ref),
      direction,
      position: 0,
      lostBytes: 0,
      reason: 'rested',
    });
  }

  function leaveOut({ kind }: Judgement, bytes = 0): void {
    options.onLeftOut?.(kind, bytes);
  }

  /** The kernel sees a program until it was judged, and what it has seen by then may be nobody's business. */
  function isLeftOut(event: Extract<CaptureEvent, { connection: ConnectionRef }>): boolean {
    const judgement = selected?.of(event.connection.process);
    if (judgement === undefined || judgement.kind === 'wanted') {
      return false;
    }
    leaveOut(judgement, event.type === 'data' ? event.bytes.length : 0);
    return true;
  }

  /** Tells the kernel what was judged; returns whether the process is observed. */
  function apply(process: ProcessRef, { kind }: Judgement): boolean {
    const { pid } = process;
    if (kind === 'excluded') {
      capture?.setProcess(pid, 'tree-excluded');
    } else if (kind === 'wanted' && hasTargets) {
      capture?.setProcess(pid, 'watched');
    } else if (kind === 'unwanted') {
      const execId = selected?.execIdOf(process);
      if (execId !== undefined) {
        capture?.setProcess(pid, 'unwanted', execId);
      }
    }
    return kind === 'wanted';
  }

  function onFork(event: Extract<CaptureEvent, { type: 'fork' }>): void {
    const judgement = selected?.forked(event.process, event.parent);
    if (judgement && judgement.kind !== 'wanted') {
      apply(event.process, judgement);
      leaveOut(judgement);
      return;
    }
    if (identities.isFromProc(event.process)) {
      // It began between the attaching and the reading of /proc: its snapshot said so already.
      identities.resolve(event.process);
      return;
    }
    identities.fromKernel(event.process);
    event.parent = identities.resolve(event.parent);
    emit(event);
  }

  function onProgram(event: ExecEvent, execId: bigint): void {
    try {
      if (event.process.pid !== ownPid && isWantedProgram(event, execId)) {
        onExec(event);
      }
    } catch (error) {
      options.onDefect?.(error);
    }
  }

  function isWantedProgram(event: ExecEvent, execId: bigint): boolean {
    if (!selected) {
      return true;
    }
    const judgement = selected.started(event, execId);
    if (apply(event.process, judgement)) {
      return true;
    }
    leaveOut(judgement);
    return false;
  }

  function onExec(event: ExecEvent): void {
    const { pid } = event.process;
    // First of all, because the program is running: its next instructions may be a TLS handshake.
    targets.executed(pid, event.timeNs);
    traffic.push(event);
    wakeForProgram(pid, event.timeNs);
    identities.fromKernel(event.process);
    event.process = identities.resolve(event.process);
    event.parent = identities.resolve(event.parent);
    suspect(pid, event.executable);
    emitProgram(event, event.cgroupId);
  }

  /**
   * From here on nobody sees credentials in arguments, so that a recording has what a live run has. Only the look-up
   * of the program's files needs the arguments as they are; it runs last: the event must not wait for the disk.
   */
  function emitProgram(event: ExecEvent | SnapshotEvent, cgroupId?: bigint): void {
    const { argv } = event;
    event.argv = mask(argv);
    emit(event);
    describe(event, argv, cgroupId);
  }

  function describe(
    event: ExecEvent | SnapshotEvent,
    argv: readonly string[],
    cgroupId: bigint | undefined,
  ): void {
    const { process: ref, executable, uid, timeNs } = event;
    const subject = { process: ref, executable, argv, uid };
    const found = details.describe(
      cgroupId === undefined ? subject : { ...subject, cgroupId },
      timeNs,
    );
    if (found) {
      emit(found);
    }
  }

  /** Sightline runs on Node: only programs of the same runtime can turn out to be another instance. */
  function suspect(pid: number, executable: string): void {
    const isCandidate = /(?:^|\/)(?:node[^/]*|sightline)$/.test(executable);
    if (isCandidate && !excludeInstance(pid) && suspects.size < MAX_SUSPECTS) {
      addSuspect(pid);
    }
  }

  function addSuspect(pid: number): void {
    suspects.set(pid, SUSPECT_LOOKS);
    suspectTimer ??= setInterval(lookAtSuspects, SUSPECT_INTERVAL_MS);
  }

  function lookAtSuspects(): void {
    for (const [pid, looksLeft] of suspects) {
      if (excludeInstance(pid) || looksLeft <= 1) {
        suspects.delete(pid);
      } else {
        suspects.set(pid, looksLeft - 1);
      }
    }
    if (suspects.size === 0) {
      clearInterval(suspectTimer);
      suspectTimer = undefined;
    }
  }

  /** True when the process is another instance; it is left out from now on. */
  function excludeInstance(pid: number): boolean {
    if (!isSightlineInstance(pid)) {
      return false;
    }
    capture?.setProcess(pid, 'excluded');
    muted.add(pid);
    return true;
  }

  function snapshot(stat: ProcStat): void {
    const found = readProcess(stat.pid);
    if (!found) {
      return;
    }
    const ref = identities.fromProc(stat.pid, stat.startTicks);
    const parentStat = stat.parentPid > 0 ? readStat(stat.parentPid) : undefined;
    const parent = parentStat
      ? identities.fromProc(parentStat.pid, parentStat.startTicks)
      : { pid: stat.parentPid, startNs: 0n };
    const event: SnapshotEvent = {
      type: 'snapshot',
      timeNs: clock.bootNs(),
      process: ref,
      parent,
      comm: stat.comm,
      ...found,
    };
    emitProgram(event);
  }

  function snapshotHost(): void {
    if (selected) {
      judgeRunning(selected, observeJudged);
      return;
    }
    for (const stat of listProcesses().sort(byStart)) {
      observeRunning(stat);
    }
  }

  function observeRunning(stat: ProcStat): void {
    if (stat.pid !== ownPid && !excludeInstance(stat.pid)) {
      suspectRunning(stat);
      snapshot(stat);
      targets.examine(stat.pid);
      wakeForProgram(stat.pid, clock.bootNs());
    }
  }

  function observeJudged(stat: ProcStat, judgement: Judgement): void {
    const process = { pid: stat.pid, startNs: 0n };
    if (stat.pid !== ownPid && apply(process, judgement)) {
      observeRunning(stat);
    }
  }

  /** By its name a process may become a target or be left out, and what it has started with it. */
  function onRename(renamed: RenamedProcess): void {
    if (!selected || renamed.process.pid === ownPid) {
      return;
    }
    try {
      const judged = selected.renamed(renamed);
      if (judged === undefined) {
        return;
      }
      const isObserved = apply(renamed.process, judged.after);
      if (judged.before?.kind !== judged.after.kind) {
        if (isObserved) {
          observeRunning(judged.stat);
        }
        judgeAnew(selected);
      }
    } catch (error) {
      options.onDefect?.(error);
    }
  }

  /** Descendants have what the one above them has become. */
  function judgeAnew(processes: SelectedProcesses): void {
    const before = new Map<number, Judgement>();
    function running(stat: ProcStat): Judgement {
      before.set(stat.pid, processes.of(refOf(stat)));
      return processes.running(stat);
    }
    judgeRunning({ running }, (stat, judgement) => {
      if (before.get(stat.pid)?.kind !== judgement.kind) {
        observeJudged(stat, judgement);
      }
    });
  }

  /** An instance that is just starting has not taken its name yet. */
  function suspectRunning(stat: ProcStat): void {
    if (stat.comm.startsWith('node') && suspects.size < MAX_SUSPECTS) {
      addSuspect(stat.pid);
    }
  }

  /**
   * From the first setProcess on the kernel passes the watch on at fork; children from before are found in /proc,
   * in rounds, because one may fork between the reading of /proc and its being watched.
   */
  function watchTree(root: number): void {
    const watched = new Set<number>([root]);
    const rootStat = readStat(root);
    capture?.setProcess(root, 'watched');
    if (rootStat) {
      observeWatched(rootStat);
    }
    for (let round = 0; round < MAX_WATCH_ROUNDS; round += 1) {
      const before = watched.size;
      for (const stat of listProcesses().sort(byStart)) {
        if (watched.has(stat.parentPid) && !watched.has(stat.pid) && stat.pid !== ownPid) {
          watched.add(stat.pid);
          capture?.setProcess(stat.pid, 'watched');
          observeWatched(stat);
        }
      }
      if (watched.size === before) {
        return;
      }
    }
  }

  /** Of a watched tree, too, some may be left out. */
  function observeWatched(stat: ProcStat): void {
    const judgement = selected?.running(stat);
    if (judgement?.kind === 'excluded') {
      capture?.setProcess(stat.pid, 'tree-excluded');
      return;
    }
    snapshot(stat);
    targets.examine(stat.pid);
    wakeForProgram(stat.pid, clock.bootNs());
  }

  function onTimer(): void {
    clock.resync();
    tickCount += 1;
    for (const ref of exited.splice(0)) {
      identities.forget(ref);
      // Records of its other threads may have followed.
      traffic.forgetProcess(ref.pid);
      selected?.forget(ref);
    }
    for (const pid of muted) {
      if (!isSightlineInstance(pid)) {
        // It has exited (excluded processes report nothing); its pid may be another's later.
        muted.delete(pid);
        capture?.setProcess(pid, 'default');
      }
    }
    if (tickCount % REFRESH_TICKS === 0) {
      details.refresh();
      selected?.sweep();
    }
    reportDrops();
    const timeNs = clock.bootNs() - TICK_LAG_NS;
    if (timeNs > lastTickNs) {
      lastTickNs = timeNs;
      emit({ type: 'tick', timeNs });
    }
  }

  function reportDrops(): void {
    if (!capture) {
      return;
    }
    const now = capture.counters();
    const records: Record<string, number> = {};
    let hasGrown = false;
    for (const [reason, count] of Object.entries(now.drops)) {
      const grownBy = count - (counters?.drops[reason] ?? 0);
      if (grownBy > 0) {
        records[reason] = grownBy;
        hasGrown = true;
      }
    }
    const bytes = Math.max(now.droppedBytes - (counters?.droppedBytes ?? 0), 0);
    counters = now;
    if (records.control !== undefined) {
      // What found no room may have called for probes that rest.
      targets.rest?.wakeAll('lost', clock.bootNs());
    }
    if (hasGrown || bytes > 0) {
      emit({ type: 'drops', timeNs: clock.bootNs(), records, bytes });
    }
  }

  /** Whatever the kernel refuses here means that nothing can be captured. */
  function openCapture(): NativeCapture {
    try {
      return binding.open({
        ringBytes: options.ringBytes,
        watchAll: watchAll && !hasTargets,
        judgesPrograms: watchAll && hasTargets,
        judgesNames: options.selection?.hasNames === true,
        mappings: true,
        plain: options.plain ?? false,
        loadAhead: options.loadAhead ?? false,
        onSlab,
        onLog: (level, line) => options.onLog?.(level, line),
      });
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
      if (!code.startsWith('SL_') || !(cause instanceof Error)) {
        throw cause;
      }
      throw new SightlineError(code, `${cause.message}; "sightline check" says what is missing`, {
        exitCode: ExitCode.captureImpossible,
        cause,
      });
    }
  }

  function reportMissing({ plain, missing }: NativeFeatures): void {
    if (options.plain && !plain) {
      options.onMissing?.(missing);
    }
  }

  async function start(sink: CaptureSink): Promise<void> {
    if (state !== 'new') {
      throw new SightlineError('SL_SOURCE_USED', 'this source ran already: create another one');
    }
    // All of this in one turn of the event loop: slabs are delivered in later ones, behind the snapshots.
    capture = openCapture();
    state = 'running';
    deliver = sink;
    try {
      capture.setProcess(ownPid, 'excluded');
      emit(readHost(clock));
      reportMissing(capture.features());
      targets.begin(portOf(capture, binding));
      if (options.letsProbesRest) {
        targets.rest?.follow({ ...traffic, onRest, beforeWake, onWake: onWoken });
      }
      if (watchAll) {
        snapshotHost();
      }
      roots.forEach(watchTree);
    } catch (error) {
      await stop();
      throw error;
    }
    timer = setInterval(onTimer, TICK_INTERVAL_MS);
    // Meanwhile events are delivered; on a host where large programs start all the time this has no other end.
    await Promise.race([targets.settled(), passed(MAX_SETTLE_MS)]);
  }

  async function stop(): Promise<void> {
    if (state !== 'running' || !capture) {
      return;
    }
    state = 'stopped';
    clearInterval(timer);
    clearInterval(suspectTimer);
    targets.stop();
    reportDrops();
    const closing = capture;
    closing.close();
    capture = undefined;
    const nowNs = clock.bootNs();
    emit({ type: 'end', timeNs: nowNs > lastNs ? nowNs : lastNs });
    deliver = undefined;
  }

  return {
    start,
    stop,
    watch(pid) {
      if (watchAll) {
        return;
      }
      if (state === 'running') {
        watchTree(pid);
      } else {
        roots.add(pid);
      }
    },
    setVerdict(connection, verdict) {
      try {
        capture?.setVerdict(connection, verdict);
      } catch (error) {
        // Then the bytes are copied, which harms nobody.
        options.onDefect?.(error);
      }
      traffic.judged(connection, verdict);
    },
    setWanted: traffic.wanted,
    discoveries: () => targets.discoveries(),
    counters() {
      return capture ? capture.counters() : counters;
    },
  };
}

function passed(timeMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, timeMs).unref();
  });
}

function portOf(capture: NativeCapture, binding: NativeBinding): AttachPort {
  return {
    findUsers: (inodes) => binding.findUsers(inodes),
    reportsMappings: capture.features().mappings,
    attach: (request) => capture.attach(request),
    detach: (id) => capture.detach(id),
    canRest: capture.features().resting,
    setRest: (id, rest) => capture.setRest(id, rest),
    setResting: (pid, isResting) => capture.setResting(pid, isResting),
    setFileKnown: (file, isKnown) => capture.setFileKnown(file, isKnown),
  };
}
