/**
 * Keeps customers out of what is exported: customer numbers (C-0012345) are masked wherever content has them, and
 * health checks, which say nothing about anybody's work, are dropped.
 *
 *   sudo SIGHTLINE_PLUGINS=./examples/plugins/customer-privacy.mjs \
 *     OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true sightline
 */
const CUSTOMER_NUMBER = /\bC-\d{7}\b/g;
const HEALTH_CHECK_PROMPT = /^\s*(ping|health ?check)[.!?]?\s*$/i;
const HEALTH_CHECK_AGENT = /^(kube-probe|health-check)\//i;

function redact(text) {
  return text.replace(CUSTOMER_NUMBER, (found) => `C-${'*'.repeat(found.length - 2)}`);
}

function headerOf(headers, wanted) {
  return headers.find(([name]) => name.toLowerCase() === wanted)?.[1] ?? '';
}

/**
 * Text of the last message that was sent; empty while content is off.
 * @param {import('sightline').CallContent} content
 */
function promptOf({ inputMessages }) {
  const parts = inputMessages?.at(-1)?.parts ?? [];
  return parts.map((part) => (part.type === 'text' ? part.content : '')).join('');
}

/** @type {import('sightline').Plugin} */
export default {
  name: 'customer-privacy',
  // Should this plugin ever fail, no content is exported any more.
  guardsContent: true,

  // Seen even while content is off: a prober says who it is.
  exchange({ requestHeaders }) {
    return { drop: HEALTH_CHECK_AGENT.test(headerOf(requestHeaders, 'user-agent')) };
  },
  call({ content }) {
    return HEALTH_CHECK_PROMPT.test(promptOf(content)) ? false : { redact };
  },
  toolCall: () => ({ redact }),
  turn: () => ({ redact }),
};
