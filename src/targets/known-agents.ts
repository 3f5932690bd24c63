/** The AI agents that are recognised by what they run. */

export interface KnownAgent {
  /** The `service.name` it gets. */
  name: string;
  /** What its installation puts on the PATH, where that starts a program with TLS of its own. */
  commands?: readonly string[];
  /** npm or Python packages whose scripts are the agent. */
  packages?: readonly string[];
  /** Patterns of the executable's path. */
  executables?: readonly RegExp[];
  /** Patterns of the script's path or module name, for installations without a package that can be found. */
  scripts?: readonly RegExp[];
}

/**
 * A name alone is a pattern here only where no other program of note has it. The first match counts.
 */
export const KNOWN_AGENTS: readonly KnownAgent[] = [
  {
    name: 'claude-code',
    commands: ['claude'],
    // The native build is a package per platform; its installer keeps versions as files named by number.
    packages: ['@anthropic-ai/claude-code'],
    executables: [
      /\/@anthropic-ai\/claude-code[^/]*\//,
      /\/claude\/versions\/[^/]+$/,
      /(?:^|\/)claude$/,
    ],
    scripts: [/\/@anthropic-ai\/claude-code\//, /\/bin\/claude$/],
  },
  {
    name: 'codex',
    commands: ['codex'],
    packages: ['@openai/codex'],
    executables: [/\/@openai\/codex[^/]*\//, /(?:^|\/)codex$/],
    scripts: [/\/@openai\/codex\//, /\/bin\/codex$/],
  },
  {
    name: 'gemini-cli',
    packages: ['@google/gemini-cli'],
    scripts: [/\/@google\/gemini-cli\//, /\/bin\/gemini$/],
  },
  {
    name: 'qwen-code',
    packages: ['@qwen-code/qwen-code'],
    scripts: [/\/@qwen-code\/qwen-code\//],
  },
  {
    name: 'opencode',
    commands: ['opencode'],
    packages: ['opencode-ai'],
    executables: [/\/opencode-[a-z0-9]+-[a-z0-9-]+\/bin\/opencode$/, /(?:^|\/)opencode$/],
    scripts: [/\/opencode-ai\//, /\/bin\/opencode$/],
  },
  {
    name: 'aider',
    packages: ['aider-chat'],
    scripts: [/^aider(?:\.__main__)?$/, /\/aider\/__main__\.py$/, /\/bin\/aider$/],
  },
  {
    name: 'copilot-cli',
    commands: ['copilot'],
    packages: ['@github/copilot'],
    executables: [/\/@github\/copilot[^/]*\//],
    scripts: [/\/@github\/copilot\//],
  },
  {
    name: 'cursor-agent',
    commands: ['cursor-agent'],
    executables: [/(?:^|\/)cursor-agent$/, /\/cursor-agent\/versions\//],
    scripts: [/\/cursor-agent\/versions\//],
  },
  {
    name: 'amp',
    packages: ['@sourcegraph/amp'],
    scripts: [/\/@sourcegraph\/amp\//],
  },
  { name: 'auggie', packages: ['@augmentcode/auggie'], scripts: [/\/@augmentcode\/auggie\//] },
  { name: 'cline', packages: ['cline'], scripts: [/\/node_modules\/cline\//] },
  { name: 'continue', packages: ['@continuedev/cli'], scripts: [/\/@continuedev\/cli\//] },
  {
    name: 'crush',
    commands: ['crush'],
    packages: ['@charmland/crush'],
    executables: [/\/@charmland\/crush[^/]*\//],
  },
  { name: 'openhands', packages: ['openhands', 'openhands-ai'], scripts: [/^openhands(?:\.|$)/] },
  { name: 'swe-agent', packages: ['sweagent'], scripts: [/^sweagent(?:\.|$)/] },
  { name: 'mini-swe-agent', packages: ['mini-swe-agent'], scripts: [/^minisweagent(?:\.|$)/] },
  { name: 'open-interpreter', packages: ['open-interpreter'], scripts: [/\/bin\/interpreter$/] },
  { name: 'kimi-cli', packages: ['kimi-cli'], scripts: [/\/bin\/kimi$/] },
];
