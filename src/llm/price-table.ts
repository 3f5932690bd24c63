/** What models cost: US dollars for a million tokens, by provider and model; the built-in table or a user's file. */
import { SightlineError } from '../util/errors.ts';
import { BUILT_IN_PRICES } from './built-in-prices.ts';

/** US dollars for a million tokens of each kind. */
export interface TokenPrices {
  input: number;
  output: number;
  /** Input read from the provider's cache; absent: as other input. */
  cacheRead?: number;
  /** Input written to the provider's cache; absent: as other input. */
  cacheWrite?: number;
  /** Input written to the cache for an hour; absent: as `cacheWrite`. */
  cacheWrite1h?: number;
}

export interface ModelPrice extends TokenPrices {
  /** What a service tier costs, as a factor on every price: `{"batch": 0.5}`. A tier that is not here has no known price. */
  tiers?: Readonly<Record<string, number>>;
  /** Prices of a call with more input tokens than that. */
  longContext?: TokenPrices & { aboveInputTokens: number };
}

export type PricesByModel = Readonly<Record<string, ModelPrice>>;

/** By `gen_ai.provider.name`; `*` is any provider. */
export type PricesByProvider = Readonly<Record<string, PricesByModel>>;

export interface PriceTable {
  /**
   * The price of a model at a provider; undefined when it is not known. Of a provider that is only assumed
   * (`isAssumed`) no built-in price is known: whoever writes a table knows what runs at the own hosts.
   */
  find(provider: string, model: string, isAssumed?: boolean): ModelPrice | undefined;
}

const ANY_PROVIDER = '*';

/** The day of a model's version, or `latest`, at the end of its name: they cost what the model does. */
const VERSION = /(?:[-@](?:\d{8}|\d{4}-\d{2}-\d{2})|-latest)$/;

/** What Google puts before its models' names. */
const PREFIX = 'models/';

function createPriceTable(...tables: readonly PricesByProvider[]): PriceTable {
  const ownTables = tables.filter((table) => table !== BUILT_IN_PRICES);

  function findExactly(
    searched: readonly PricesByProvider[],
    provider: string,
    model: string,
  ): ModelPrice | undefined {
    for (const table of searched) {
      const price = ownValue(ownValue(table, provider), model);
      if (price !== undefined) {
        return price;
      }
    }
    return undefined;
  }

  return {
    find(provider, name, isAssumed = false) {
      const searched = isAssumed ? ownTables : tables;
      const model = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name;
      for (const candidate of [model, model.replace(VERSION, '')]) {
        const price =
          findExactly(searched, provider, candidate) ??
          findExactly(searched, ANY_PROVIDER, candidate);
        if (price !== undefined) {
          return price;
        }
      }
      return undefined;
    },
  };
}

/** A model's name comes from the wire and could be that of an object's inherited member. */
function ownValue<Value>(
  record: Readonly<Record<string, Value>> | undefined,
  key: string,
): Value | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
}

export function builtInPriceTable(): PriceTable {
  return createPriceTable(BUILT_IN_PRICES);
}

/**
 * Reads a price file: `{"prices": {PROVIDER: {MODEL: {"input": 3, "output": 15, …}}}}`, with `"extends": "built-in"` where
 * its entries come before the built-in ones rather than in their place. Throws a SightlineError that names the entry.
 */
export function readPriceTable(text: string, file: string): PriceTable {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw priceError(file, 'it is no JSON', cause);
  }
  const root = objectAt(content, file, 'it');
  refuseOthers(root, ['extends', 'prices', 'asOf'], file, 'it');
  if (root.extends !== undefined && root.extends !== 'built-in') {
    throw priceError(file, '"extends" can only be "built-in"');
  }
  const prices = readProviders(root.prices, file);
  return root.extends === undefined
    ? createPriceTable(prices)
    : createPriceTable(prices, BUILT_IN_PRICES);
}

function readProviders(value: unknown, file: string): PricesByProvider {
  const providers = objectAt(value, file, '"prices"');
  return mapValues(providers, (models, provider) =>
    mapValues(objectAt(models, file, provider), (price, model) =>
      readModelPrice(price, file, `${provider} ${model}`),
    ),
  );
}

const TOKEN_FIELDS = ['input', 'output', 'cacheRead', 'cacheWrite', 'cacheWrite1h'] as const;

function readModelPrice(value: unknown, file: string, place: string): ModelPrice {
  const entry = objectAt(value, file, place);
  refuseOthers(entry, [...TOKEN_FIELDS, 'tiers', 'longContext'], file, place);
  const price: ModelPrice = readTokenPrices(entry, file, place);
  if (entry.tiers !== undefined) {
    const tiers = objectAt(entry.tiers, file, `${place} tiers`);
    price.tiers = mapValues(tiers, (factor, tier) => amount(factor, file, `${place} tier ${tier}`));
  }
  if (entry.longContext !== undefined) {
    price.longContext = readLongContext(entry.longContext, file, `${place} longContext`);
  }
  return price;
}

function readLongContext(
  value: unknown,
  file: string,
  place: string,
): NonNullable<ModelPrice['longContext']> {
  const long = objectAt(value, file, place);
  refuseOthers(long, [...TOKEN_FIELDS, 'aboveInputTokens'], file, place);
  return {
    ...readTokenPrices(long, file, place),
    aboveInputTokens: amount(long.aboveInputTokens, file, `${place} aboveInputTokens`),
  };
}

function readTokenPrices(
  entry: Readonly<Record<string, unknown>>,
  file: string,
  place: string,
): TokenPrices {
  const prices: TokenPrices = {
    input: amount(entry.input, file, `${place} input`),
    output: amount(entry.output, file, `${place} output`),
  };
  for (const field of TOKEN_FIELDS) {
    if (entry[field] !== undefined) {
      prices[field] = amount(entry[field], file, `${place} ${field}`);
    }
  }
  return prices;
}

function amount(value: unknown, file: string, place: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw priceError(file, `${place} must be a number of at least 0`);
  }
  return value;
}

function objectAt(value: unknown, file: string, place: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw priceError(file, `${place} must be an object`);
  }
  return value as Record<string, unknown>;
}

function refuseOthers(
  record: Readonly<Record<string, unknown>>,
  known: readonly string[],
  file: string,
  place: string,
): void {
  const other = Object.keys(record).find((key) => !known.includes(key));
  if (other !== undefined) {
    throw priceError(
      file,
      `${place} has "${other}", which is not known: use ${known.map((key) => `"${key}"`).join(', ')}`,
    );
  }
}

function mapValues<Value, Result>(
  record: Readonly<Record<string, Value>>,
  map: (value: Value, key: string) => Result,
): Record<string, Result> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value, key)]));
}

function priceError(file: string, why: string, cause?: unknown): SightlineError {
  const message = `SIGHTLINE_PRICES: ${file} is no table of prices: ${why}`;
  return new SightlineError('SL_PRICES', message, { exitCode: 2, cause });
}
