/** Patterns of names and paths, as shells have them: glob(7), and `**` for any number of directories. */

export interface GlobOptions {
  /** `path`: a pattern that does not begin with `/` may begin at any directory. `name`: it is the whole name. */
  of: 'name' | 'path';
  /** True: what lies below a matching path matches, too. */
  withDescendants?: boolean;
}

/** Reads `*`, `?`, `[…]` and `**`; a bracket that is never closed is one. Throws where `isGlob` is false. */
export function globPattern(glob: string, options: GlobOptions): RegExp {
  const begin = options.of === 'path' && !glob.startsWith('/') ? '^(?:.*/)?' : '^';
  const end = options.withDescendants === true ? '(?:/.*)?$' : '$';
  return new RegExp(`${begin}${sourceOf(glob)}${end}`, 'su');
}

function sourceOf(glob: string): string {
  const parts = glob.matchAll(/\*\*+|\*|\?|\[([!^]?)(\]?[^\]/]*)\]|[\s\S]/gu);
  let source = '';
  for (const [part, negation, members] of parts) {
    if (members) {
      source += `[${negation ? '^/' : ''}${members.replace(/[\\[\]^&|~(){}/]/g, '\\$&')}]`;
    } else if (part === '?') {
      source += '[^/]';
    } else if (part === '*') {
      source += '[^/]*';
    } else if (part.startsWith('**')) {
      source += '.*';
    } else {
      source += escapeText(part);
    }
  }
  return source;
}

function escapeText(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** False for a set with a range that ends before it begins; all else is a pattern. */
export function isGlob(glob: string): boolean {
  try {
    globPattern(glob, { of: 'name' });
    return true;
  } catch {
    return false;
  }
}

/** True when the text matches itself alone. */
export function isLiteral(glob: string): boolean {
  return !/[*?[]/.test(glob);
}
