/**
 * The built-in rules of redaction: credentials that say of themselves what they are, each under a name.
 *
 * Every pattern is linear in the text: one class repeated after a fixed prefix or a bounded one, nothing nested. No
 * alphabet has a `*`, or masked text would match again.
 */

export interface SecretRule {
  /** As the documentation and SIGHTLINE_REDACT call it. */
  name: string;
  /** Whose credentials these are, and how they look: for the documentation. */
  finds: string;
  /** Regular expression source; WORD_BEGIN stands for where a word begins. Group 1, when there is one, ends the match and is the secret; else all of it is. */
  shape: string;
  /**
   * A text without any of these cannot match. Of a rule with a `prefix` they are its prefixes, and the shape is looked
   * for only where a word begins.
   */
  hints: readonly string[];
  kind: 'prefix' | 'words' | 'words-any-case';
  /** White space in it and escapes of it are left, so that text masked within JSON says the same once it is decoded. */
  keepsLineEnds?: boolean;
  /** Says of a match of the shape whether it is one. */
  accepts?(secret: string): boolean;
}

function prefixed(name: string, finds: string, hints: string | readonly string[], shape: string) {
  return {
    name,
    finds,
    hints: typeof hints === 'string' ? [hints] : hints,
    shape,
    kind: 'prefix',
  } as const;
}

const KEY = '[A-Za-z0-9_-]';
const ALNUM = '[A-Za-z0-9]';
/** As far as it is written the same in a text and in JSON that holds it. */
const SECRET_WORD = '[!#$%+\\-./0-9=?@A-Z^_`a-z~][!#$%()*+,\\-./0-9:=?@A-Z^_`a-z~]{3,}';

export const SECRET_RULES: readonly SecretRule[] = [
  // ---- model providers
  prefixed('anthropic-key', 'Anthropic: `sk-ant-…`', 'sk-ant-', `sk-ant-${KEY}{16,}`),
  prefixed('openrouter-key', 'OpenRouter: `sk-or-…`', 'sk-or-', `sk-or-${KEY}{16,}`),
  prefixed(
    'openai-key',
    'OpenAI, and who took over the shape (DeepSeek, Moonshot, LiteLLM, Langfuse): `sk-…`, `sk-proj-…`, `sk-svcacct-…`, `sk-admin-…`, `pk-…`, `rk-…`',
    ['sk-', 'pk-', 'rk-'],
    `[srp]k-${KEY}{16,}`,
  ),
  prefixed('google-api-key', 'Google, Gemini among them: `AIza…`', 'AIza', `AIza${KEY}{30,}`),
  prefixed('groq-key', 'Groq: `gsk_…`', ['gsk_', 'gsk-'], `gsk[_-]${ALNUM}{24,}`),
  prefixed('xai-key', 'xAI: `xai-…`', 'xai-', `xai-${ALNUM}{24,}`),
  prefixed('perplexity-key', 'Perplexity: `pplx-…`', ['pplx-', 'pplx_'], `pplx[_-]${ALNUM}{24,}`),
  prefixed('huggingface-token', 'Hugging Face: `hf_…`', 'hf_', `hf_${ALNUM}{20,}`),
  prefixed('replicate-token', 'Replicate: `r8_…`', ['r8_', 'r8-'], `r8[_-]${ALNUM}{24,}`),
  prefixed('fireworks-key', 'Fireworks: `fw_…`', ['fw_', 'fw-'], `fw[_-]${ALNUM}{20,}`),
  prefixed('cerebras-key', 'Cerebras: `csk-…`', ['csk-', 'csk_'], `csk[_-]${ALNUM}{24,}`),
  prefixed('together-key', 'Together: `tgp_v1_…`', 'tgp_v1_', `tgp_v1_${KEY}{24,}`),
  prefixed('nvidia-key', 'NVIDIA: `nvapi-…`', 'nvapi-', `nvapi-${KEY}{24,}`),
  prefixed('voyage-key', 'Voyage: `pa-…`', 'pa-', `pa-${KEY}{40,}`),
  prefixed('jina-key', 'Jina: `jina_…`', 'jina_', `jina_${ALNUM}{32,}`),
  prefixed('tavily-key', 'Tavily: `tvly-…`', 'tvly-', `tvly-${KEY}{20,}`),
  prefixed('langsmith-key', 'LangSmith: `lsv2_…`', 'lsv2_', 'lsv2_[A-Za-z0-9_]{24,}'),
  prefixed('databricks-token', 'Databricks: `dapi…`', 'dapi', 'dapi[0-9a-f]{32}(?:-[0-9])?'),
  prefixed(
    'bedrock-key',
    'Amazon Bedrock API keys: `ABSK…`, `bedrock-api-key-…`',
    ['ABSK', 'bedrock-api-key-'],
    '(?:ABSK|bedrock-api-key-)[A-Za-z0-9+/=]{32,}',
  ),
  // ---- clouds
  prefixed(
    'aws-access-key-id',
    'AWS: `AKIA…`, `ASIA…`',
    ['AKIA', 'ASIA', 'ABIA', 'ACCA'],
    'A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}',
  ),
  {
    name: 'aws-secret-access-key',
    finds: 'AWS: the 40 characters behind `aws_secret_access_key` or `SecretAccessKey`',
    hints: ['secret'],
    kind: 'words-any-case',
    shape: `secret_?access_?key[\\\\"']{0,6}\\s{0,4}[=:]\\s{0,4}[\\\\"']{0,6}([A-Za-z0-9/+]{40})`,
  },
  prefixed(
    'google-oauth',
    'Google OAuth: `ya29.…`, `GOCSPX-…`, `1//0…`',
    ['ya29.', 'GOCSPX-', '1//0'],
    `(?:ya29\\.|GOCSPX-|1//0)${KEY}{20,}`,
  ),
  {
    name: 'azure-client-secret',
    finds: 'Microsoft Entra client secrets: `…8Q~…`',
    hints: ['Q~'],
    kind: 'words',
    shape: 'WORD_BEGIN[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}',
  },
  {
    name: 'azure-ai-key',
    finds: 'Azure OpenAI and AI Services keys of 84 characters: `…JQQJ99…`',
    hints: ['JQQJ99'],
    kind: 'words',
    shape: 'WORD_BEGIN[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{26}',
  },
  prefixed(
    'digitalocean-token',
    'DigitalOcean: `dop_v1_…`, `doo_v1_…`, `dor_v1_…`',
    ['dop_v1_', 'doo_v1_', 'dor_v1_'],
    'do[por]_v1_[0-9a-f]{40,}',
  ),
  prefixed('heroku-key', 'Heroku: `HRKU-…`', 'HRKU-', `HRKU-${KEY}{24,}`),
  prefixed(
    'vault-token',
    'HashiCorp Vault: `hvs.…`, `hvb.…`',
    ['hvs.', 'hvb.'],
    `hv[sb]\\.${KEY}{20,}`,
  ),
  {
    name: 'terraform-token',
    finds: 'Terraform Cloud: `….atlasv1.…`',
    hints: ['.atlasv1.'],
    kind: 'words',
    shape: 'WORD_BEGIN[A-Za-z0-9]{14}\\.atlasv1\\.[A-Za-z0-9_=-]{40,}',
  },
  prefixed('pulumi-token', 'Pulumi: `pul-…`', 'pul-', 'pul-[0-9a-f]{40}'),
  prefixed(
    'supabase-key',
    'Supabase: `sbp_…`, `sb_secret_…`',
    ['sbp_', 'sb_secret_'],
    `(?:sbp|sb_secret)_${KEY}{20,}`,
  ),
  prefixed(
    'planetscale-token',
    'PlanetScale: `pscale_tkn_…`, `pscale_pw_…`, `pscale_oauth_…`',
    'pscale_',
    'pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{24,}',
  ),
  // ---- code hosting, packages, builds
  prefixed(
    'github-token',
    'GitHub: `ghp_…`, `gho_…`, `ghu_…`, `ghs_…`, `ghr_…`',
    ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'],
    `gh[opusr]_${ALNUM}{20,}`,
  ),
  prefixed(
    'github-pat',
    'GitHub, fine-grained: `github_pat_…`',
    'github_pat_',
    'github_pat_[A-Za-z0-9_]{20,}',
  ),
  prefixed(
    'gitlab-token',
    'GitLab: `glpat-…`, `gldt-…`, `glrt-…`, `glcbt-…`, `glptt-…`',
    ['glpat-', 'gldt-', 'glrt-', 'glcbt-', 'glptt-'],
    'gl(?:pat|dt|rt|cbt|ptt)-[A-Za-z0-9_.-]{16,}',
  ),
  prefixed('npm-token', 'npm: `npm_…`', 'npm_', `npm_${ALNUM}{30,}`),
  prefixed('pypi-token', 'PyPI: `pypi-…`', 'pypi-', `pypi-${KEY}{32,}`),
  prefixed('rubygems-key', 'RubyGems: `rubygems_…`', 'rubygems_', 'rubygems_[0-9a-f]{40,}'),
  prefixed(
    'docker-token',
    'Docker Hub: `dckr_pat_…`, `dckr_oat_…`',
    'dckr_',
    `dckr_[po]at_${KEY}{20,}`,
  ),
  prefixed('circleci-token', 'CircleCI: `CCIPAT_…`', 'CCIPAT_', 'CCIPAT_[A-Za-z0-9_]{24,}'),
  prefixed('buildkite-token', 'Buildkite: `bkua_…`', 'bkua_', 'bkua_[0-9a-f]{32,}'),
  prefixed('atlassian-token', 'Atlassian: `ATATT3…`', 'ATATT3', 'ATATT3[A-Za-z0-9_=-]{24,}'),
  // ---- services
  prefixed(
    'slack-token',
    'Slack: `xoxb-…`, `xoxp-…`, `xapp-…`',
    ['xox', 'xapp-'],
    'x(?:ox[abceoprs]|app)-[A-Za-z0-9.-]{10,}',
  ),
  {
    name: 'webhook-url',
    finds: 'the secret part of Slack and Discord webhook URLs, also of their paths alone',
    hints: ['/services', '/webhooks'],
    kind: 'words',
    // A path alone must have all of its parts.
    shape: `(?:hooks\\.slack\\.com\\\\?/services\\\\?/|discord(?:app)?\\.com\\\\?/api\\\\?/webhooks\\\\?/|/services\\\\?/(?=T${ALNUM}{6,20}\\\\?/B${ALNUM}{6,20}\\\\?/${ALNUM}{16})|/api\\\\?/(?:v[0-9]{1,2}\\\\?/)?webhooks\\\\?/(?=[0-9]{15,22}\\\\?/${KEY}{40}))((?:[A-Za-z0-9_-]|\\\\?/){20,})`,
  },
  {
    name: 'telegram-token',
    finds: 'Telegram bots: `123456789:AA…`, in URLs behind `/bot`',
    hints: [':AA'],
    kind: 'words',
    shape: 'WORD_BEGIN(?:bot)?([0-9]{8,10}:AA[A-Za-z0-9_-]{32,})',
  },
  prefixed(
    'stripe-key',
    'Stripe and Clerk: `sk_live_…`, `sk_test_…`, `rk_live_…`; webhooks: `whsec_…`',
    ['sk_', 'rk_', 'whsec_'],
    '(?:sk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9+/]{16,}',
  ),
  prefixed('twilio-key', 'Twilio: `SK` and 32 hexadecimal digits', 'SK', 'SK[0-9a-f]{32}'),
  prefixed('sendgrid-key', 'SendGrid: `SG.….…`', 'SG.', `SG\\.${KEY}{16,}\\.${KEY}{16,}`),
  prefixed('mailgun-key', 'Mailgun: `key-…`', 'key-', 'key-[0-9a-f]{32}'),
  prefixed(
    'shopify-token',
    'Shopify: `shpat_…`, `shpca_…`, `shppa_…`, `shpss_…`',
    'shp',
    'shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}',
  ),
  prefixed('notion-token', 'Notion: `ntn_…`', 'ntn_', `ntn_${ALNUM}{30,}`),
  prefixed('linear-key', 'Linear: `lin_api_…`', 'lin_api_', `lin_api_${ALNUM}{24,}`),
  prefixed('figma-token', 'Figma: `figd_…`', 'figd_', `figd_${KEY}{24,}`),
  prefixed('postman-key', 'Postman: `PMAK-…`', 'PMAK-', 'PMAK-[A-Za-z0-9-]{32,}'),
  prefixed('newrelic-key', 'New Relic: `NRAK-…`', 'NRAK-', 'NRAK-[A-Z0-9]{24,}'),
  prefixed(
    'sentry-token',
    'Sentry: `sntrys_…`, `sntryu_…`',
    ['sntrys_', 'sntryu_'],
    'sntry[su]_[A-Za-z0-9+/=_-]{32,}',
  ),
  prefixed(
    'grafana-token',
    'Grafana: `glsa_…`, `glc_…`',
    ['glsa_', 'glc_'],
    'gl(?:sa|c)_[A-Za-z0-9+/=_]{24,}',
  ),
  prefixed(
    'doppler-token',
    'Doppler: `dp.pt.…`, `dp.st.…`',
    ['dp.pt.', 'dp.st.'],
    'dp\\.[ps]t\\.[A-Za-z0-9_.-]{32,}',
  ),
  // ---- forms that any issuer uses
  {
    name: 'jwt',
    finds: 'JSON Web Tokens: `eyJ….….…`',
    hints: ['eyJ'],
    kind: 'words',
    // Looked for only where a run of its alphabet begins, or `eyJ-eyJ-eyJ-…` would be scanned from every part.
    shape: `WORD_BEGIN(?<!-)eyJ${KEY}{8,}\\.${KEY}{8,}(?:\\.${KEY}*)?`,
  },
  {
    name: 'bearer-credential',
    finds: 'what follows the word `Bearer`, of 16 characters or more',
    hints: ['bearer'],
    kind: 'words-any-case',
    shape: 'WORD_BEGINBearer(?:\\s|%20|\\+){1,4}([A-Za-z0-9._~+/=-]{16,})',
  },
  {
    name: 'basic-credential',
    finds: 'what follows the word `Basic`, when it is the Base64 of `name:password`',
    hints: ['basic'],
    kind: 'words-any-case',
    shape: 'WORD_BEGINBasic(?:\\s|%20|\\+){1,4}([A-Za-z0-9+/_-]{4,}={0,2})',
    accepts: isBasicCredential,
  },
  {
    name: 'private-key',
    finds:
      'private keys in PEM, PGP ones too, also those of service accounts: what follows `-----BEGIN … PRIVATE KEY-----`',
    hints: ['PRIVATE KEY'],
    kind: 'words',
    // With real line ends or with the `\n` of JSON. The alphabet has no second hyphen-run, so no backtracking.
    keepsLineEnds: true,
    shape: '-----BEGIN [A-Z ]{0,32}PRIVATE KEY(?: BLOCK)?-----([A-Za-z0-9+/=\\s\\\\:,.]{16,})',
  },
  prefixed(
    'age-key',
    'age: `AGE-SECRET-KEY-1…`',
    'AGE-SECRET-KEY-1',
    'AGE-SECRET-KEY-1[A-Z0-9]{50,}',
  ),
  {
    name: 'url-password',
    finds: 'the password in `scheme://name:password@host`, as in connection strings of databases',
    hints: ['@'],
    kind: 'words',
    shape: `:\\\\?/\\\\?/[^\\s:/?#@"'\\\\]{0,128}:([^\\s/?#@"'\\\\*][^\\s/?#@"'\\\\]{0,255})(?=@)`,
  },
  {
    name: 'connection-string-secret',
    finds:
      'the value of `Password=`, `Pwd=`, `AccountKey=`, `SharedAccessKey=`, `SharedAccessSignature=` in a connection string',
    hints: ['pwd', 'password', 'accountkey', 'sharedaccess'],
    kind: 'words-any-case',
    shape: `WORD_BEGIN(?<!-)(?:Password|Pwd|AccountKey|SharedAccessKey|SharedAccessSignature)\\s{0,2}=\\s{0,2}([^\\s;"'\\\\*&<>{}$][^\\s;"'\\\\&]{3,})`,
  },
  {
    name: 'form-secret',
    finds:
      'parameters of forms and query texts: `client_secret=`, `client_assertion=`, `code_verifier=`, `access_token=`, `refresh_token=`, `id_token=`, `api_key=`',
    hints: ['_secret=', '_assertion=', '_verifier=', '_token=', 'api_key='],
    kind: 'words-any-case',
    shape: `WORD_BEGIN(?:client_secret|client_assertion|code_verifier|(?:access|refresh|id)_token|api_key)=([^\\s&;"'\\\\*<>{}$][^\\s&;"'\\\\<>{}]{7,})`,
  },
  {
    name: 'named-secret',
    finds:
      'what follows `password=`, `secret=`, `token=`, `api_key=` and their like, or the same with a colon, whatever stands before: `export DB_PASSWORD=…`, `_authToken=…`',
    hints: ['key', 'secret', 'token', 'password', 'passwd', 'passphrase'].flatMap((name) => [
      `${name}=`,
      `${name}:`,
    ]),
    kind: 'words-any-case',
    shape: `(?:api[-_]?key|access[-_]?key|secret[-_]?key|private[-_]?key|secret|token|password|passwd|passphrase)(?:=|: {0,4})(?:\\\\{0,3}["'])?(${SECRET_WORD})`,
  },
  {
    name: 'authorization-credential',
    finds: 'the word behind the scheme in `Authorization: Token …`, whatever the scheme',
    hints: ['authorization:'],
    kind: 'words-any-case',
    shape: `authorization: {0,4}[A-Za-z-]{2,16} {1,4}(${SECRET_WORD})`,
  },
  {
    name: 'curl-user',
    finds: '`name:password` behind `-u` or `--user`',
    hints: ['curl', ' -u', '-user'],
    kind: 'words',
    shape: `(?<![A-Za-z0-9_-])(?:-[A-Za-z0-9#]{0,16}[uU]|--(?:proxy-)?user)[ =]{1,4}(?![0-9]{1,10}:[0-9]{1,10}(?![!-~]))(?:\\\\{0,3}["'])?([!#-&(-9;-[\\]-~]{1,64}:${SECRET_WORD})`,
  },
  {
    name: 'url-user',
    finds: 'a name alone in `scheme://name@host`: it may be a token',
    hints: ['@'],
    kind: 'words',
    shape: `:\\\\?/\\\\?/([A-Za-z0-9_.~%+=-]{1,255})(?=@)`,
  },
];

/** Rules that are off unless SIGHTLINE_REDACT names them: what they find is personal, but opens no door. */
export const OPTIONAL_RULES: readonly SecretRule[] = [
  {
    name: 'email',
    finds: 'e-mail addresses',
    hints: ['@'],
    kind: 'words',
    shape:
      '(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])',
  },
  {
    name: 'card',
    finds: 'payment card numbers: 13 to 19 digits, in groups or not, whose check digit is right',
    hints: [],
    kind: 'words',
    shape: '(?<![0-9A-Za-z._-])[2-6][0-9]{3}(?:[ -]?[0-9]){9,15}(?![0-9A-Za-z])',
    accepts: isCardNumber,
  },
];

/** RFC 7617: the Base64 of a name, a colon and a password, in printable characters. */
function isBasicCredential(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  return /^[^:\u0000-\u001f\u007f]*:[^\u0000-\u001f\u007f]+$/.test(
    Buffer.from(text, 'base64').toString('latin1'),
  );
}

/** ISO/IEC 7812-1, annex B (Luhn). */
function isCardNumber(text: string): boolean {
  const digits = text.replace(/[ -]/g, '');
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = Number(digits[digits.length - 1 - index]);
    const doubled = index % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}
