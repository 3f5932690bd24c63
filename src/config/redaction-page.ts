/** The text of docs/redaction.md, made from the rules themselves. */
import { MAX_PATTERN_CHARS } from '../util/redaction-patterns.ts';
import { OPTIONAL_RULES, SECRET_RULES, type SecretRule } from '../util/secret-rules.ts';
import { MAX_ITEMS } from './redaction-format.ts';

const INTRODUCTION = `# Redaction

<!-- Made from the rules in src/util/secret-rules.ts by "npm run docs". Do not edit. -->

Credentials never leave: what a rule finds is overwritten by as many \`*\` as it has characters (bytes, in a recording).
That holds for spans, log events, metrics, the console tree, \`--print\`, the OTLP file and recordings, whatever the content
mode is. Masking twice changes nothing. Of a private key the line ends stay.

## Rules of places

| where | what is masked |
|---|---|
| headers | the value of every header whose name speaks of a credential: \`authorization\`, \`cookie\`, \`x-api-key\`, \`api-key\`, \`x-goog-api-key\`, names with a part such as \`token\`, \`secret\`, \`auth\`, \`session\`, \`signature\` |
| URLs | user information; query and fragment parameters such as \`key\`, \`api_key\`, \`token\`, \`sig\`, \`code\`, \`password\`, \`X-Amz-Signature\` |
| JSON in bodies, tool arguments and tool results | the texts in the value of a key such as \`password\`, \`DB_PASSWORD\`, \`client_secret\`, \`github_token\`, \`x-api-key\`, \`AccountKey\`, \`authorization\`, \`cookie\`, \`credentials\`, \`auth\`, \`jwt\`, \`bearer\`, \`otp\`, \`sessionId\`; a number directly behind the key too, where that is not one of tokens or of several |
| arguments of programs | the value of options such as \`--token\`, \`--password\`, \`-u\` of curl; \`NAME_API_KEY=…\`; header lines |
| exported texts | what stands behind words such as \`password=\`, \`token:\`, \`x-api-key:\` |

Counts of tokens (\`max_tokens\`, \`total_tokens\`, \`tokens\`) are never masked. In exported JSON a masked number becomes a text of
as many \`*\`; in a recording its digits become \`1\`, so that it stays JSON.

Keys without a shape of their own (Mistral, Cohere, Azure OpenAI's of 32 characters, Datadog) are known by these places alone.

## Rules of shapes

These are looked for in headers, URLs, bodies, program arguments and every exported text.
`;

const OPTIONS = `
## Optional rules

Off unless \`SIGHTLINE_REDACT\` names them.
`;

const USE = `
## SIGHTLINE_REDACT

A list, separated by commas or line ends. An item is the name of an optional rule, a pattern between slashes, or a file with
one item a line (\`#\` begins a comment line):

\`\`\`sh
SIGHTLINE_REDACT='email,card,/ACME-[0-9]{5,}/,/customer (name|no): [^,\\n]+/i'
SIGHTLINE_REDACT=@/etc/sightline/redact.txt
\`\`\`

\`\`\`yaml
content:
  redact:
    - email
    - /ACME-[0-9]{5,}/
\`\`\`

A pattern has the [syntax of RE2](https://github.com/google/re2/wiki/Syntax) and the flags \`i\` (any case), \`m\` (\`^\` and \`$\`
at lines) and \`s\` (\`.\` is a line end too). A slash in it is written \`\\/\`. What RE2 refuses (look-around, back-references), is
refused with an error that names the pattern: in exchange, every pattern takes time linear in the text. At most ${MAX_ITEMS} items,
patterns of at most ${MAX_PATTERN_CHARS} characters. Of a match longer than 1,024 characters a part may be left; a text in which a pattern
matches more than 4,096 times is masked from there on.

Patterns see each exported text as it is: a message, a tool's arguments, one argument of a program, an error's message. In recordings
they see the bytes sent: \`\\n\` and \`\\u00e9\` of JSON are not decoded, a match that reaches over the quotes of a JSON string
or is a bare number of JSON is left, and of a match longer than 1 KiB that came in several reads only a part may be
masked. A pattern that also matches names of models or ids changes what a replay can tell of them.

## What is not found

- A secret without a shape, in a place that says nothing: "my password is hunter two" is a text like any other.
- What is left of a key that somebody cut before the part that tells it, such as the first half of an Azure AI key.
- Names of models, tools and ids on spans are exported as the wire has them.
- In recordings, of JSON: texts that do not stand directly behind the key, as in \`"secret": {"value": "…"}\`, lists and
  \`tokens\`; keys that are written with escapes or have more than 48 characters before the word; of a value in JSON that is itself
  a text of JSON, what follows its first escape. Exports mask these. A value with escapes or beyond ASCII has as many
  \`*\` in a recording as it has bytes there, so that its replay shows more of them.
- Numbers in a list or an object under a secret key (\`"pins": [1234, 5678]\`): masked neither in exports nor in recordings.
- In recordings, of texts: values of fewer than four characters behind \`password=\` and its like, \`--password value\`, \`Cookie: …\`, \`Authorization:\` without a scheme,
  and of values with spaces, quotes, backslashes, \`&\`, \`;\`, \`<\`, \`{\` or beyond ASCII what follows those. Exports mask these.
- A name alone in a URL (\`https://TOKEN@host\`) that is cut before its \`@\`.
- In recordings, little more. See [the recording format](recording-format.md#what-is-not-masked).
`;

export function redactionPage(): string {
  return `${INTRODUCTION}\n${table(SECRET_RULES)}${OPTIONS}\n${table(OPTIONAL_RULES)}${USE}`;
}

function table(rules: readonly SecretRule[]): string {
  const rows = rules.map(({ name, finds }) => `| \`${name}\` | ${finds} |`);
  return `| rule | finds |\n|---|---|\n${rows.join('\n')}\n`;
}
