/**
 * List prices of well-known models at their makers' own APIs, as published by 2026-07-24; US dollars for a million tokens.
 * https://docs.anthropic.com/en/docs/about-claude/pricing
 * https://platform.openai.com/docs/pricing
 * https://ai.google.dev/gemini-api/docs/pricing
 */
import type { ModelPrice, PricesByModel, PricesByProvider, TokenPrices } from './price-table.ts';

/** Writing to the cache costs a quarter more than input, for an hour twice as much, and reading a tenth. */
function claudeTokens(input: number, output: number): TokenPrices {
  return {
    input,
    output,
    cacheRead: input * 0.1,
    cacheWrite: input * 1.25,
    cacheWrite1h: input * 2,
  };
}

function claude(input: number, output: number): ModelPrice {
  return { ...claudeTokens(input, output), tiers: { batch: 0.5 } };
}

/** Beyond 200,000 input tokens a call costs more. */
function longClaude(
  [input, output]: readonly [number, number],
  [longInput, longOutput]: readonly [number, number],
): ModelPrice {
  return {
    ...claude(input, output),
    longContext: { aboveInputTokens: 200_000, ...claudeTokens(longInput, longOutput) },
  };
}

const ANTHROPIC: PricesByModel = {
  'claude-opus-4-7': claude(5, 25),
  'claude-opus-4-6': claude(5, 25),
  'claude-opus-4-5': claude(5, 25),
  'claude-opus-4-1': claude(15, 75),
  'claude-opus-4': claude(15, 75),
  'claude-sonnet-4-6': claude(3, 15),
  'claude-sonnet-4-5': longClaude([3, 15], [6, 22.5]),
  'claude-sonnet-4': longClaude([3, 15], [6, 22.5]),
  'claude-3-7-sonnet': claude(3, 15),
  'claude-haiku-4-5': claude(1, 5),
  'claude-3-5-haiku': claude(0.8, 4),
};

function priced(
  input: number,
  output: number,
  cacheRead: number,
  tiers: Readonly<Record<string, number>> = {},
): ModelPrice {
  return { input, output, cacheRead, tiers };
}

const HALF = { batch: 0.5, flex: 0.5 };

const OPENAI: PricesByModel = {
  'gpt-5.5': {
    ...priced(5, 30, 0.5, { ...HALF, priority: 2 }),
    longContext: { aboveInputTokens: 272_000, input: 10, output: 45, cacheRead: 1 },
  },
  'gpt-5.4': {
    ...priced(2.5, 15, 0.25, { ...HALF, priority: 2 }),
    longContext: { aboveInputTokens: 272_000, input: 5, output: 22.5, cacheRead: 0.5 },
  },
  'gpt-5.4-mini': priced(0.75, 4.5, 0.075, { ...HALF, priority: 2 }),
  'gpt-5.3-codex': priced(1.75, 14, 0.175, { priority: 2 }),
  'gpt-5.2': priced(1.75, 14, 0.175, { priority: 2 }),
  'gpt-5.2-codex': priced(1.75, 14, 0.175, { priority: 2 }),
  'gpt-5.1': priced(1.25, 10, 0.125, { priority: 2 }),
  'gpt-5.1-codex': priced(1.25, 10, 0.125, { priority: 2 }),
  'gpt-5.1-codex-max': priced(1.25, 10, 0.125),
  'gpt-5.1-codex-mini': priced(0.25, 2, 0.025, { priority: 1.8 }),
  'gpt-5': priced(1.25, 10, 0.125, { flex: 0.5, priority: 2 }),
  'gpt-5-codex': priced(1.25, 10, 0.125),
  'gpt-5-mini': priced(0.25, 2, 0.025, { flex: 0.5, priority: 1.8 }),
  'gpt-5-nano': priced(0.05, 0.4, 0.005, { flex: 0.5 }),
  'gpt-4.1': priced(2, 8, 0.5, { batch: 0.5, priority: 1.75 }),
  'gpt-4.1-mini': priced(0.4, 1.6, 0.1, { batch: 0.5, priority: 1.75 }),
  'gpt-4.1-nano': priced(0.1, 0.4, 0.025, { batch: 0.5, priority: 2 }),
  'gpt-4o': priced(2.5, 10, 1.25, { batch: 0.5, priority: 1.7 }),
  'gpt-4o-mini': priced(0.15, 0.6, 0.075, { batch: 0.5 }),
  o3: priced(2, 8, 0.5, { flex: 0.5, priority: 1.75 }),
  'o3-mini': priced(1.1, 4.4, 0.55),
  'o4-mini': priced(1.1, 4.4, 0.275, { flex: 0.5 }),
  'text-embedding-3-small': priced(0.02, 0, 0.02, { batch: 0.5 }),
  'text-embedding-3-large': priced(0.13, 0, 0.13, { batch: 0.5 }),
};

const GEMINI: PricesByModel = {
  'gemini-3.1-pro-preview': {
    ...priced(2, 12, 0.2),
    longContext: { aboveInputTokens: 200_000, input: 4, output: 18, cacheRead: 0.4 },
  },
  'gemini-3-pro-preview': {
    ...priced(2, 12, 0.2),
    longContext: { aboveInputTokens: 200_000, input: 4, output: 18, cacheRead: 0.4 },
  },
  'gemini-3-flash-preview': priced(0.5, 3, 0.05),
  'gemini-2.5-pro': {
    ...priced(1.25, 10, 0.125),
    longContext: { aboveInputTokens: 200_000, input: 2.5, output: 15, cacheRead: 0.25 },
  },
  'gemini-2.5-flash': priced(0.3, 2.5, 0.03),
  'gemini-2.5-flash-lite': priced(0.1, 0.4, 0.01),
  'gemini-embedding-001': priced(0.15, 0, 0.15),
};

/** By the makers alone: what a cloud or a gateway takes for the same model is its own affair. */
export const BUILT_IN_PRICES: PricesByProvider = {
  anthropic: ANTHROPIC,
  openai: OPENAI,
  'gcp.gemini': GEMINI,
};
