/** Estimates what a call cost, from the counts of its wire and a table of prices. */
import type { CallResponse, ModelCall, Usage } from './model-call.ts';
import type { ModelPrice, PriceTable, TokenPrices } from './price-table.ts';

const TOKENS_PER_PRICE = 1_000_000;

/** Tiers that cost what the table says, whatever a provider calls them. */
const ORDINARY_TIERS: ReadonlySet<string> = new Set(['default', 'standard', 'on_demand']);

/**
 * US dollars; undefined for what has no known price: a model or a service tier that the table does not have, a model of
 * its own table at a provider that is only assumed, a call whose counts the wire did not give, or not of all that ran,
 * and tokens of sound, which cost otherwise than those of text.
 */
export function estimateCostUsd(call: ModelCall, prices: PriceTable): number | undefined {
  const { response } = call;
  const price = response && priceOf(call, response, prices);
  if (response === undefined || price === undefined || response.hasUncountedRuns === true) {
    return undefined;
  }
  let usd = tokenCost(response.usage, price, call.operation === 'embeddings');
  for (const tier of [response.serviceTier, ...(response.priceTiers ?? [])]) {
    const factor = tierFactor(price, tier);
    usd = factor === undefined || usd === undefined ? undefined : factor * usd;
  }
  return usd;
}

function priceOf(
  call: ModelCall,
  response: CallResponse,
  prices: PriceTable,
): ModelPrice | undefined {
  for (const model of [response.model, call.request.model]) {
    const price =
      model === undefined ? undefined : prices.find(call.provider, model, call.isProviderAssumed);
    if (price !== undefined) {
      return price;
    }
  }
  return undefined;
}

function tierFactor(price: ModelPrice, tier: string | undefined): number | undefined {
  if (tier === undefined || ORDINARY_TIERS.has(tier)) {
    return 1;
  }
  const { tiers } = price;
  return tiers !== undefined && Object.hasOwn(tiers, tier) ? tiers[tier] : undefined;
}

function tokenCost(usage: Usage, model: ModelPrice, hasNoOutput: boolean): number | undefined {
  const { inputTokens } = usage;
  const outputTokens = usage.outputTokens ?? (hasNoOutput ? 0 : undefined);
  if (inputTokens === undefined || outputTokens === undefined || hasSound(usage)) {
    return undefined;
  }
  const { longContext } = model;
  const isLong = longContext !== undefined && inputTokens > longContext.aboveInputTokens;
  const price: TokenPrices = isLong ? longContext : model;
  const cacheRead = usage.cacheReadInputTokens ?? 0;
  const cacheWrite = usage.cacheCreationInputTokens ?? 0;
  const cacheWrite1h = Math.min(usage.hourCacheCreationInputTokens ?? 0, cacheWrite);
  // A gateway's counts need not fit together.
  const plainInput = Math.max(inputTokens - cacheRead - cacheWrite, 0);
  const cacheWritePrice = price.cacheWrite ?? price.input;
  const cost =
    plainInput * price.input +
    cacheRead * (price.cacheRead ?? price.input) +
    (cacheWrite - cacheWrite1h) * cacheWritePrice +
    cacheWrite1h * (price.cacheWrite1h ?? cacheWritePrice) +
    outputTokens * price.output;
  return cost / TOKENS_PER_PRICE;
}

function hasSound(usage: Usage): boolean {
  const audio = usage.byModality?.audio;
  return (audio?.inputTokens ?? 0) > 0 || (audio?.outputTokens ?? 0) > 0;
}
