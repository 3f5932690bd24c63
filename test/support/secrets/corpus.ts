/**
 * Invented credentials of every form that the built-in rules know, made at run time from parts and a seed, so that no
 * file of the repository holds a text that looks like one.
 */
import { createHash } from 'node:crypto';
import { SECRET_RULES } from '../../../src/util/secret-rules.ts';

export interface PlantedSecret {
  /** Of `SECRET_RULES`. */
  rule: string;
  /** The credential with the words that belong to it: `Bearer …`. Fits into a string of JSON and a header as it is. */
  text: string;
  /** The part that nobody may see. */
  secret: string;
  /** The same for those that differ in nothing but the characters that were drawn. */
  form: string;
}

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const DIGITS = '0123456789';
const ALNUM = `${LOWER}${LOWER.toUpperCase()}${DIGITS}`;
const HEX = '0123456789abcdef';

/** Draws characters from a hash of what was asked, so that the same corpus comes out everywhere. */
function draw(seed: string, alphabet: string, length: number): string {
  let text = '';
  for (let block = 0; text.length < length; block += 1) {
    for (const byte of createHash('sha256').update(`${seed}/${block}`).digest()) {
      text += alphabet[byte % alphabet.length];
    }
  }
  return text.slice(0, length);
}

type Draw = (alphabet: string, length: number) => string;
type Sample = (
  draw: Draw,
  variant: number,
) => string | { before: string; secret: string; after?: string };

/** One of `parts` by the variant, with what is drawn behind it. */
function behind(parts: readonly string[], alphabet: string, length: number): Sample {
  return (make, variant) => `${parts[variant % parts.length]}${make(alphabet, length)}`;
}

function named(before: string, alphabet: string, length: number, after = ''): Sample {
  return (make) => ({ before, secret: make(alphabet, length), after });
}

const base64 = (text: string) => Buffer.from(text).toString('base64');
const base64url = (text: string) => Buffer.from(text).toString('base64url');

const SAMPLES: Readonly<Record<string, Sample>> = {
  'anthropic-key': behind(['sk-ant-api03-', 'sk-ant-admin01-', 'sk-ant-oat01-'], ALNUM, 80),
  'openrouter-key': behind(['sk-or-v1-'], HEX, 64),
  'openai-key': behind(['sk-', 'sk-proj-', 'sk-svcacct-', 'sk-admin-', 'pk-lf-', 'rk-'], ALNUM, 48),
  'google-api-key': behind(['AIza'], ALNUM, 35),
  'groq-key': behind(['gsk_'], ALNUM, 52),
  'xai-key': behind(['xai-'], ALNUM, 80),
  'perplexity-key': behind(['pplx-'], ALNUM, 48),
  'huggingface-token': behind(['hf_'], ALNUM, 34),
  'replicate-token': behind(['r8_'], ALNUM, 37),
  'fireworks-key': behind(['fw_'], ALNUM, 24),
  'cerebras-key': behind(['csk-'], ALNUM, 48),
  'together-key': behind(['tgp_v1_'], ALNUM, 43),
  'nvidia-key': behind(['nvapi-'], ALNUM, 64),
  'voyage-key': behind(['pa-'], ALNUM, 43),
  'jina-key': behind(['jina_'], ALNUM, 60),
  'tavily-key': behind(['tvly-', 'tvly-dev-'], ALNUM, 32),
  'langsmith-key': behind(['lsv2_pt_', 'lsv2_sk_'], HEX, 32),
  'databricks-token': behind(['dapi'], HEX, 32),
  'bedrock-key': behind(['ABSK', 'bedrock-api-key-'], ALNUM, 64),
  'aws-access-key-id': behind(['AKIA', 'ASIA'], `${LOWER.toUpperCase()}234567`, 16),
  'aws-secret-access-key': (make, variant) => ({
    before:
      ['aws_secret_access_key = ', 'AWS_SECRET_ACCESS_KEY=', 'SecretAccessKey: '][variant % 3] ??
      '',
    secret: make(`${ALNUM}/+`, 40),
  }),
  'google-oauth': behind(['ya29.', 'GOCSPX-', '1//0'], ALNUM, 40),
  'azure-client-secret': (make) => `${make(ALNUM, 3)}8Q~${make(ALNUM, 34)}`,
  'azure-ai-key': (make) => `${make(ALNUM, 52)}JQQJ99${make(ALNUM, 26)}`,
  'digitalocean-token': behind(['dop_v1_', 'doo_v1_', 'dor_v1_'], HEX, 64),
  'heroku-key': behind(['HRKU-'], HEX, 36),
  'vault-token': behind(['hvs.', 'hvb.'], ALNUM, 90),
  'terraform-token': (make) => `${make(ALNUM, 14)}.atlasv1.${make(ALNUM, 64)}`,
  'pulumi-token': behind(['pul-'], HEX, 40),
  'supabase-key': behind(['sbp_', 'sb_secret_'], HEX, 40),
  'planetscale-token': behind(['pscale_tkn_', 'pscale_pw_', 'pscale_oauth_'], ALNUM, 43),
  'github-token': behind(['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'], ALNUM, 36),
  'github-pat': (make) => `github_pat_${make(ALNUM, 22)}_${make(ALNUM, 59)}`,
  'gitlab-token': behind(['glpat-', 'gldt-', 'glrt-', 'glcbt-', 'glptt-'], ALNUM, 20),
  'npm-token': behind(['npm_'], ALNUM, 36),
  'pypi-token': behind(['pypi-AgEIcHlwaS5vcmc'], ALNUM, 80),
  'rubygems-key': behind(['rubygems_'], HEX, 48),
  'docker-token': behind(['dckr_pat_', 'dckr_oat_'], ALNUM, 27),
  'circleci-token': (make) => `CCIPAT_${make(ALNUM, 22)}_${make(HEX, 40)}`,
  'buildkite-token': behind(['bkua_'], HEX, 40),
  'atlassian-token': behind(['ATATT3xFfGF0'], ALNUM, 90),
  'slack-token': (make, variant) =>
    `${['xoxb', 'xoxp', 'xapp'][variant % 3]}-${make(DIGITS, 11)}-${make(DIGITS, 12)}-${make(ALNUM, 24)}`,
  'webhook-url': (make, variant) =>
    variant % 2 === 0
      ? {
          before: `${variant < 2 ? 'https://hooks.slack.com' : ''}/services/`,
          secret: `T${make(ALNUM, 9)}/B${make(ALNUM, 10)}/${make(ALNUM, 24)}`,
        }
      : {
          before: `${variant < 2 ? 'https://discord.com/api' : '/api/v10'}/webhooks/`,
          secret: `${make(DIGITS, 18)}/${make(ALNUM, 68)}`,
        },
  'telegram-token': (make, variant) => {
    const secret = `${make('123456789', 10)}:AA${make(ALNUM, 33)}`;
    return variant % 2 === 0
      ? secret
      : { before: 'https://api.telegram.org/bot', secret, after: '/sendMessage' };
  },
  'stripe-key': behind(['sk_live_', 'sk_test_', 'rk_live_', 'whsec_'], ALNUM, 24),
  'twilio-key': behind(['SK'], HEX, 32),
  'sendgrid-key': (make) => `SG.${make(ALNUM, 22)}.${make(ALNUM, 43)}`,
  'mailgun-key': behind(['key-'], HEX, 32),
  'shopify-token': behind(['shpat_', 'shpca_', 'shppa_', 'shpss_'], HEX, 32),
  'notion-token': behind(['ntn_'], ALNUM, 46),
  'linear-key': behind(['lin_api_'], ALNUM, 40),
  'figma-token': behind(['figd_'], ALNUM, 40),
  'postman-key': (make) => `PMAK-${make(HEX, 24)}-${make(HEX, 34)}`,
  'newrelic-key': behind(['NRAK-'], `${LOWER.toUpperCase()}${DIGITS}`, 27),
  'sentry-token': behind(['sntrys_', 'sntryu_'], ALNUM, 64),
  'grafana-token': behind(['glsa_', 'glc_'], ALNUM, 41),
  'doppler-token': behind(['dp.pt.', 'dp.st.'], ALNUM, 43),
  jwt: (make) =>
    `${base64url(`{"alg":"HS256","kid":"${make(HEX, 8)}"}`)}.${base64url(`{"sub":"${make(ALNUM, 12)}"}`)}.${make(ALNUM, 43)}`,
  'bearer-credential': (make, variant) => ({
    before: variant % 2 === 0 ? 'Bearer ' : 'authorization: bearer ',
    secret: make(ALNUM, 32),
  }),
  'basic-credential': (make) => ({
    before: 'Basic ',
    secret: base64(`${make(LOWER, 8)}:${make(ALNUM, 22)}`),
  }),
  'private-key': (make, variant) => {
    const kind = ['RSA ', '', 'EC ', 'OPENSSH '][variant % 4] ?? '';
    return {
      before: `-----BEGIN ${kind}PRIVATE KEY-----\\n`,
      secret: `MII${make(ALNUM, 61)}\\n${make(ALNUM, 64)}\\n${make(ALNUM, 30)}=`,
      after: `\\n-----END ${kind}PRIVATE KEY-----`,
    };
  },
  'age-key': behind(['AGE-SECRET-KEY-1'], `${LOWER.toUpperCase()}${DIGITS}`, 58),
  'url-password': (make, variant) => {
    const scheme = ['postgresql', 'mysql', 'mongodb+srv', 'redis', 'amqps', 'https'][variant % 6];
    return { before: `${scheme}://app:`, secret: make(ALNUM, 20), after: '@db.internal/main' };
  },
  'form-secret': (make, variant) => {
    const name = ['client_secret', 'refresh_token', 'access_token', 'api_key'][variant % 4];
    return named(`grant=x&${name}=`, ALNUM, 40, '&scope=all')(make, variant);
  },
  'named-secret': (make, variant) => {
    const before = ['export DB_PASSWORD=', 'MISTRAL_API_KEY=', 'api-key: ', '_authToken='][
      variant % 4
    ];
    return { before: before ?? '', secret: make(HEX, 32) };
  },
  'authorization-credential': named('Authorization: Token ', HEX, 40),
  'curl-user': (make) => ({
    before: 'curl -u ',
    secret: `admin-${make(ALNUM, 8)}:${make(ALNUM, 16)}`,
    after: ' x',
  }),
  'url-user': named('https://', ALNUM, 40, '@github.com/a/b.git'),
  'connection-string-secret': (make, variant) => {
    const name = ['Password', 'AccountKey', 'SharedAccessKey', 'Pwd'][variant % 4];
    return named(`Server=db;User Id=app;${name}=`, ALNUM, 44, ';Encrypt=true')(make, variant);
  },
};

/** `perRule` credentials of each rule, all different. Throws when a rule has no sample, or a sample no rule. */
export function secretCorpus(perRule = 4): PlantedSecret[] {
  const known = new Set(SECRET_RULES.map(({ name }) => name));
  for (const name of Object.keys(SAMPLES)) {
    if (!known.has(name)) {
      throw new Error(`there is no rule ${name}`);
    }
  }
  return SECRET_RULES.flatMap(({ name: rule }) => {
    const sample = SAMPLES[rule];
    if (sample === undefined) {
      throw new Error(`the rule ${rule} has no sample`);
    }
    return Array.from({ length: perRule }, (_, variant) => {
      const made = sample((...asked) => draw(`${rule}/${variant}/${asked[1]}`, ...asked), variant);
      const plain = sample((alphabet, length) => alphabet.slice(0, 1).repeat(length), variant);
      const secret = typeof made === 'string' ? made : made.secret;
      return { rule, text: textOf(made), secret, form: `${rule} ${textOf(plain)}` };
    });
  });
}

function textOf(made: ReturnType<Sample>): string {
  return typeof made === 'string' ? made : `${made.before}${made.secret}${made.after ?? ''}`;
}

/** Planted beside the others in JSON: it has no shape, and its key alone says what it is. */
export const PASSWORD: PlantedSecret = {
  rule: 'a key of JSON',
  text: 'hunter-two-and-more',
  secret: 'hunter-two-and-more',
  form: 'a word',
};
