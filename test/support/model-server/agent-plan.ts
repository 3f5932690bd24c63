/**
 * Plays a model that uses a shell: it asks for the commands of a plan, round by round, and then answers with what
 * the tools gave back. It keeps no state: how far a conversation is can be read from its messages.
 */
import type { RequestView, ShellTool } from './answer.ts';
import type { AgentScenario, Scenario, ToolCallScenario } from './scenario.ts';

/** Longest part of a tool's result that the final answer quotes. */
const MAX_QUOTED_CHARACTERS = 300;

/** What an agent adds to a prompt on its own, with examples in backquotes. */
const REMINDER = /<system-reminder>.*?<\/system-reminder>/gs;

/** A plan out of a plain prompt: each `command` in backquotes is run in a round of its own. */
export function planFromPrompt(prompt: string): AgentScenario | undefined {
  const asked = prompt.replaceAll(REMINDER, '');
  const commands = [...asked.matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!);
  return commands.length === 0 ? undefined : { rounds: commands.map((command) => [{ command }]) };
}

function finalAnswer(plan: AgentScenario, view: RequestView): string {
  if (plan.final !== undefined) {
    return plan.final;
  }
  const commands = plan.rounds.flat();
  const lines = commands.map(({ command }, index) => {
    const result = view.turnResults[index]?.text.trim() ?? '';
    const quoted = result.slice(0, MAX_QUOTED_CHARACTERS);
    return `- \`${command}\` gave: ${quoted === '' ? '(nothing)' : quoted}`;
  });
  return `I ran ${commands.length} command(s).\n${lines.join('\n')}`;
}

function toolNamed(name: string): ShellTool {
  return { name, argumentsOf: (command) => ({ command }) };
}

/** The scenario of this answer: the next round's tool calls, or the final answer. */
export function applyPlan(plan: AgentScenario, view: RequestView, scenario: Scenario): Scenario {
  const round = plan.rounds[view.roundsDone];
  const tool = plan.tool === undefined ? view.shellTool : toolNamed(plan.tool);
  if (round === undefined || round.length === 0 || tool === undefined) {
    return { ...scenario, text: finalAnswer(plan, view) };
  }
  const toolCalls: ToolCallScenario[] = round.map((entry) => ({
    ...(entry.id === undefined ? {} : { id: entry.id }),
    name: tool.name,
    arguments: tool.argumentsOf(entry.command),
    ...(tool.isCustom === undefined ? {} : { isCustom: tool.isCustom }),
  }));
  return { ...scenario, text: scenario.text ?? 'Let me look.', toolCalls };
}
