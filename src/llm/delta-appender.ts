/** Appends what the next event of a stream says to where its like went, without parsing it. */
import type { Answer, TextSlot, ToolSlot } from './answer.ts';
import { createDeltaTemplate } from './delta-template.ts';

/** A text that has begun, or a tool's arguments. */
export type DeltaTarget = { slot: TextSlot } | { tool: ToolSlot };

export interface DeltaAppender {
  /** Offers an event that was parsed and did nothing but append to the target: as `DeltaTemplate.learn`. */
  learn(
    data: string,
    member: string,
    place: (value: unknown) => unknown,
    target: DeltaTarget,
  ): boolean;
  /** False: it is none of those that were learned. */
  append(data: string, timeNs: bigint): boolean;
  /** What follows goes elsewhere. */
  forget(): void;
}

/** For streams of one choice. `ignored`: as `createDeltaTemplate` takes it. */
export function createDeltaAppender(answer: Answer, ignored: readonly string[]): DeltaAppender {
  const template = createDeltaTemplate(ignored);
  let learned: DeltaTarget | undefined;

  return {
    learn(data, member, place, target) {
      const isLearned = template.learn(data, member, place);
      if (isLearned) {
        learned = target;
      }
      return isLearned;
    },
    append(data, timeNs) {
      const piece = learned === undefined ? undefined : template.match(data);
      if (piece === undefined || learned === undefined) {
        return false;
      }
      const choice = answer.choice(0);
      if ('tool' in learned) {
        choice?.appendArguments(learned.tool, piece, timeNs, true);
      } else if (piece !== '') {
        choice?.append(learned.slot, piece, timeNs);
      }
      return true;
    },
    forget() {
      learned = undefined;
    },
  };
}
