/** Finds the script that an interpreter was started with in its arguments. */

export interface Script {
  interpreter: Interpreter;
  /** A path as given (may be relative to the working directory), or a module name (`python -m`). */
  kind: 'file' | 'module';
  name: string;
}

export type Interpreter = 'node' | 'python' | 'bun' | 'deno' | 'ruby' | 'perl' | 'php' | 'shell';

interface Rules {
  /** Options whose value is the next argument. */
  takesValue: RegExp;
  /** Options after which there is no script: code on the command line. */
  inlineCode: RegExp;
  /** Words before the script that are commands of the interpreter. */
  commands?: readonly string[];
}

const RULES: Record<Interpreter, Rules> = {
  node: {
    takesValue:
      /^(?:-r|--require|--import|--loader|--experimental-loader|-C|--conditions|--title|--inspect-port|--env-file|--env-file-if-exists)$/,
    inlineCode: /^(?:-e|--eval|-p|--print|-pe|-i|--interactive|-v|--version|-h|--help)$/,
    commands: ['inspect'],
  },
  python: {
    takesValue: /^-[A-Za-z]*[WX]$|^--check-hash-based-pycs$/,
    inlineCode: /^-[bBdEhiIOPqRsStuvVx]*c/,
  },
  bun: {
    takesValue: /^(?:-r|--preload|--require|--cwd|--config|-c|--env-file|-d|--define|-l|--loader)$/,
    inlineCode: /^(?:-e|--eval|-p|--print)$/,
    commands: ['run', 'x', 'test'],
  },
  deno: {
    takesValue: /^(?:-c|--config|--import-map|--lock|--location|--env-file|-L|--log-level)$/,
    inlineCode: /^(?:eval|repl)$/,
    commands: ['run', 'serve', 'test', 'bench'],
  },
  ruby: { takesValue: /^-[IrCE]$/, inlineCode: /^-e/ },
  perl: { takesValue: /^-[IMm]$/, inlineCode: /^-[a-zA-Z]*[eE]/ },
  php: { takesValue: /^-[cdz]$/, inlineCode: /^-[raS]/ },
  shell: { takesValue: /^(?:-o|-O|\+O|--rcfile|--init-file)$/, inlineCode: /^-[a-z]*[cs]/ },
};

const INTERPRETERS: readonly [RegExp, Interpreter][] = [
  [/^node(?:js)?(?:-?\d[\d.]*)?$/, 'node'],
  [/^(?:python|pypy)[\d.]*[a-z]?$/, 'python'],
  [/^bun$/, 'bun'],
  [/^deno$/, 'deno'],
  [/^ruby[\d.]*$/, 'ruby'],
  [/^perl[\d.]*$/, 'perl'],
  [/^php[\d.]*$/, 'php'],
  [/^(?:ba|da|z|k|a)?sh$/, 'shell'],
];

/** The interpreter a program is, by the last component of its path. */
export function interpreterOf(executable: string): Interpreter | undefined {
  const base = executable.slice(executable.lastIndexOf('/') + 1);
  return INTERPRETERS.find(([pattern]) => pattern.test(base))?.[1];
}

/** Undefined when the program is no interpreter, or was started without a script. */
export function scriptOf(executable: string, argv: readonly string[]): Script | undefined {
  const interpreter = interpreterOf(executable);
  if (!interpreter) {
    return undefined;
  }
  const rules = RULES[interpreter];
  let commands = rules.commands ?? [];
  for (let index = 1; index < argv.length; index += 1) {
    const argument = argv[index] ?? '';
    if (rules.inlineCode.test(argument)) {
      return undefined;
    }
    if (argument === '--') {
      return fileScript(interpreter, argv[index + 1]);
    }
    if (interpreter === 'python') {
      // Options can be joined: -Im.
      const module = /^-[bBdEhiIOPqRsStuvVx]*m(.*)$/.exec(argument);
      if (module) {
        const name = module[1] || argv[index + 1];
        return name ? { interpreter, kind: 'module', name } : undefined;
      }
    }
    if (argument.startsWith('-') && argument !== '-') {
      index += rules.takesValue.test(argument) ? 1 : 0;
      continue;
    }
    if (commands.includes(argument)) {
      commands = [];
      continue;
    }
    return fileScript(interpreter, argument);
  }
  return undefined;
}

function fileScript(interpreter: Interpreter, name: string | undefined): Script | undefined {
  return name && name !== '-' ? { interpreter, kind: 'file', name } : undefined;
}
