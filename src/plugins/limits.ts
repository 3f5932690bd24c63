/** The named limits of plugins. An answer beyond them switches its plugin off. */
export const PLUGIN_LIMITS = {
  /** Attributes of one answer. */
  maxAttributes: 64,
  /** UTF-16 units of an attribute's name. */
  maxNameChars: 256,
  /** UTF-16 units of an attribute's text, and elements of its list. */
  maxValueChars: 65_536,
  maxElements: 1024,
  /** UTF-16 units of all texts and keys of an answer's content, its values, and how deep they lie. */
  maxContentChars: 64 * 1024 * 1024,
  maxContentValues: 1_000_000,
  maxContentDepth: 64,
} as const;

/** One call may take so many times the average's budget: a pause of the machine is no slow plugin. */
export const SINGLE_CALL_FACTOR = 250;

/**
 * A hook that has not answered after so many times the average's budget is ended with its thread. That is time in which
 * nothing else is analysed, and the kernel's ring buffer has to last.
 */
export const DEADLINE_FACTOR = 1000;
/** However large the budget is. */
export const MAX_DEADLINE_MS = 30_000;

/** Heap of a plugin's thread; one that needs more is ended. */
export const PLUGIN_HEAP_MIB = 512;

/** Until a plugin's module is loaded, with what it awaits. */
export const LOAD_TIMEOUT_MS = 10_000;
