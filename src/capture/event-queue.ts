/** A first-in first-out queue whose removal at the front does not move the rest. */

/** Below this many dead entries the array is not worth compacting. */
const COMPACT_AFTER = 1024;

export interface EventQueue<Item> {
  readonly size: number;
  push(item: Item): void;
  /** The oldest item, left in place. */
  first(): Item | undefined;
  shift(): Item | undefined;
  /** The item `index` places behind the oldest. */
  at(index: number): Item | undefined;
}

export function createEventQueue<Item>(): EventQueue<Item> {
  let items: (Item | undefined)[] = [];
  let head = 0;

  return {
    get size() {
      return items.length - head;
    },
    push(item) {
      items.push(item);
    },
    first() {
      return items[head];
    },
    at(index) {
      return items[head + index];
    },
    shift() {
      if (head === items.length) {
        return undefined;
      }
      const item = items[head];
      items[head] = undefined;
      head += 1;
      if (head === items.length) {
        items = [];
        head = 0;
      } else if (head > COMPACT_AFTER && head * 2 > items.length) {
        items = items.slice(head);
        head = 0;
      }
      return item;
    },
  };
}
