/** The tools that a request offers to the model. */
import { type JsonPlan, RawJson, textPrefix } from '../util/json-scanner.ts';
import type { ContentKeeper } from './content-keeper.ts';
import { asName, asObject, type JsonObject } from './json-access.ts';
import { isTooDeep } from './json-digest.ts';
import type { ToolDefinition } from './model-call.ts';
import type { CallContext } from './wire-api.ts';

const ALL: JsonPlan = { keep: 'all' };
const SKIP: JsonPlan = { keep: 'skip' };

/**
 * Plan of one tool. `schemaMember` is what the API calls the parameters' JSON schema. Descriptions and schemas
 * are content; types and names are not.
 */
export function toolDefinitionPlan(schemaMember: string, isContentOn: boolean): JsonPlan {
  const members: [string, JsonPlan][] = [
    ['type', ALL],
    ['name', ALL],
    ['description', isContentOn ? { keep: 'text' } : SKIP],
    [schemaMember, isContentOn ? { keep: 'raw' } : SKIP],
  ];
  const inner: JsonPlan = { keep: 'all', fields: new Map(members) };
  // OpenAI nests the tool in a member named like its type.
  return {
    keep: 'all',
    fields: new Map<string, JsonPlan>([...members, ['function', inner], ['custom', inner]]),
  };
}

export function readToolDefinition(
  type: string,
  tool: JsonObject,
  schemaMember: string,
  content: ContentKeeper,
): ToolDefinition {
  const definition: ToolDefinition = { type, name: textPrefix(tool.name) ?? type };
  if (!content.isOn) {
    return definition;
  }
  const description = tool.description;
  if (textPrefix(description) !== undefined) {
    definition.description = content.keep(description as string);
  }
  const schema = tool[schemaMember];
  if (schema instanceof RawJson) {
    const text = content.keep(schema.text);
    if (text.length === schema.text.length) {
      definition.parameters = parsedSchema(text);
    }
  }
  return definition;
}

/** Adds a tool to the request's, unless there are too many. */
export function addToolDefinition(
  { call, content, limits }: CallContext,
  type: string,
  tool: JsonObject,
  schemaMember: string,
): void {
  const { toolDefinitions } = call.request;
  if (toolDefinitions.length >= limits.maxToolDefinitions) {
    call.damage.add('limit');
    return;
  }
  toolDefinitions.push(readToolDefinition(type, tool, schemaMember, content));
}

/** Adds a tool in OpenAI's shape: the function is in a member that is named like its type. */
export function addNestedToolDefinition(context: CallContext, value: unknown): void {
  const tool = asObject(value);
  if (tool !== undefined) {
    const type = asName(tool.type) ?? 'function';
    addToolDefinition(context, type, asObject(tool[type]) ?? tool, 'parameters');
  }
}

function parsedSchema(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return isTooDeep(value) ? undefined : value;
  } catch {
    return undefined;
  }
}
