/**
 * A loader hook of Node that counts branches: every module below the given folder gets counters, and says which words
 * it compares with. https://nodejs.org/docs/latest-v20.x/api/module.html#customization-hooks
 */
import { fileURLToPath } from 'node:url';
import { transformSync, types } from '@babel/core';

let folder = '';

export function initialize(data) {
  folder = data.folder;
}

export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context);
  if (loaded.format !== 'module' || !url.startsWith('file://')) {
    return loaded;
  }
  const path = fileURLToPath(url);
  return path.startsWith(folder)
    ? { ...loaded, source: instrument(Buffer.from(loaded.source).toString(), path) }
    : loaded;
}

function instrument(code, path) {
  let count = 0;
  const words = new Set();

  function counter() {
    const place = types.memberExpression(
      types.identifier('__branches'),
      types.numericLiteral(count),
      true,
    );
    count += 1;
    return types.updateExpression('++', place);
  }
  function counted(expression) {
    return types.sequenceExpression([counter(), expression]);
  }
  function countedBlock(statement) {
    const step = types.expressionStatement(counter());
    if (statement == null) {
      return types.blockStatement([step]);
    }
    if (statement.type === 'BlockStatement') {
      statement.body.unshift(step);
      return statement;
    }
    return types.blockStatement([step, statement]);
  }

  const visitor = {
    Function({ node }) {
      node.body =
        node.body.type === 'BlockStatement' ? countedBlock(node.body) : counted(node.body);
    },
    IfStatement({ node }) {
      node.consequent = countedBlock(node.consequent);
      node.alternate = countedBlock(node.alternate);
    },
    Loop({ node }) {
      node.body = countedBlock(node.body);
    },
    SwitchCase({ node }) {
      node.consequent.unshift(types.expressionStatement(counter()));
    },
    CatchClause({ node }) {
      node.body = countedBlock(node.body);
    },
    ConditionalExpression({ node }) {
      node.consequent = counted(node.consequent);
      node.alternate = counted(node.alternate);
    },
    LogicalExpression({ node }) {
      node.right = counted(node.right);
    },
    StringLiteral({ node, parent }) {
      const isImport = /^(?:Import|Export)/.test(parent.type);
      if (!isImport && node.value.length >= 2 && node.value.length <= 40) {
        words.add(node.value);
      }
    },
  };
  const { code: counting } = transformSync(code, {
    filename: path,
    configFile: false,
    babelrc: false,
    sourceType: 'module',
    sourceMaps: 'inline',
    compact: false,
    plugins: [{ visitor }],
  });
  const list = JSON.stringify([...words]);
  // On the first line, so that the numbers of the others stay.
  return `const __branches = globalThis.sightlineBranches(${count}, ${list}); ${counting}`;
}
