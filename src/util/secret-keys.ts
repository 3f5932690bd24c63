/** Which keys of JSON name a credential: one list for what is exported and for what is recorded. */

/** How such a key ends, behind whatever prefix: `DB_PASSWORD`, `x-api-key`, `clientSecret`. Its value may be a number. */
const ENDS = [
  'authori[sz]ation',
  'auth[-_]?header',
  'cookie',
  'passcode',
  'passphrase',
  'passwd',
  'password',
  'private[-_]key[-_]data',
  'pwd',
  'secret',
  'session[-_]?id',
  '[-_]otp',
  '(?:access|account|api|app|application|auth|encryption|functions|license|master|private|secret|session|signing|subscription)[-_. ]?key',
].join('|');

/** Of these a number is how many there are. */
const TEXT_ENDS = [
  '(?:access|api|app|private|secret)[-_. ]?keys',
  'credentials?',
  'secrets',
  '[-_. ]token',
  '(?:access|api|auth|bearer|bot|hub|id|lab|refresh|security|session|user)token',
].join('|');

/** Whole keys. */
const NAMES = 'auth|bearer|jwt|otp';

/** `max_tokens` is a number, or one that is written as a text; `tokens` are also credentials. */
const TOKENS = '(?:^|[-_. ])tokens$';
const COUNT = /^[0-9]{1,12}$/;

const PREFIX = '[\\w. -]{0,48}?';

/** Source of a regular expression for keys whose text is a credential; letters may have any case. */
export const SECRET_KEY_SHAPE = `(?:${NAMES}|token|${PREFIX}(?:${ENDS}|${TEXT_ENDS}))`;

/** The same for keys of which a number is one too. */
export const SECRET_NUMBER_KEY_SHAPE = `(?:${NAMES}|${PREFIX}(?:${ENDS}))`;

/** What those keys end with, letters in any case: a text with none of these behind a key has no such key. */
export const SECRET_KEY_ENDINGS: readonly string[] = [
  ...['authorization', 'authorisation', 'header', 'cookie', 'passcode', 'passphrase', 'passwd'],
  ...['password', 'key-data', 'key_data', 'pwd', 'secret', 'sessionid', 'session-id', 'session_id'],
  ...['otp', 'key', 'keys', 'credential', 'credentials', 'secrets', 'token'],
  ...['auth', 'bearer', 'jwt'],
];

const TOKENS_KEY = new RegExp(TOKENS, 'i');
const SECRET_KEY = new RegExp(`(?:^(?:${NAMES}|token)|${ENDS}|${TEXT_ENDS})$|${TOKENS}`, 'i');
const SECRET_NUMBER_KEY = new RegExp(`(?:^(?:${NAMES})|${ENDS})$`, 'i');

/** Whether every text in the value of this key is a credential, whatever it looks like. */
export function isSecretKey(name: string): boolean {
  return SECRET_KEY.test(name);
}

/** Whether a number is a credential when it is the value of this key. */
export function isSecretNumberKey(name: string): boolean {
  return SECRET_NUMBER_KEY.test(name);
}

/** Whether the text is a count of tokens, and no credential in spite of its key. */
export function isTokenCount(name: string, text: string): boolean {
  return TOKENS_KEY.test(name) && COUNT.test(text);
}
