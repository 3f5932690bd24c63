/** What Sightline's thread and a plugin's say to each other. */
import type { MessagePort } from 'node:worker_threads';
import type { HookName } from './plugin.ts';

/** What the plugin's thread is started with. */
export interface PluginThreadData {
  /** As SIGHTLINE_PLUGINS names it. */
  from: string;
  /** The module's file. */
  path: string;
  /** What the plugin is called unless it says so itself. */
  fileName: string;
  /** Questions come and answers (`Asked`) go through it. */
  port: MessagePort;
  /** Shared, `ANSWERS` and `ENDED` of it. */
  state: Int32Array;
}

/** How many answers were sent; who waits for one waits for this to change. */
export const ANSWERS = 0;
/** 1 when the thread has ended: there will be no answer. */
export const ENDED = 1;
export const STATE_LENGTH = 2;

export interface Question {
  hook: HookName;
  view: object;
}

/** What the plugin's thread says first. */
export type LoadReport =
  | { kind: 'loaded'; name: string; guardsContent: boolean; hookNames: readonly HookName[] }
  | { kind: 'refused'; message: string };
