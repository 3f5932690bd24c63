/**
 * gen_ai.provider.name by the host a request went to: the well-known values of the semantic conventions, and a
 * name of our own where they have none. https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/
 */

/** Host, or ending of the host when it begins with a dot. */
const PROVIDERS: readonly (readonly [host: string, provider: string])[] = [
  ['api.openai.com', 'openai'],
  ['.api.openai.com', 'openai'],
  ['api.anthropic.com', 'anthropic'],
  ['.openai.azure.com', 'azure.ai.openai'],
  ['.openai.azure.us', 'azure.ai.openai'],
  ['.openai.azure.cn', 'azure.ai.openai'],
  ['.cognitiveservices.azure.com', 'azure.ai.openai'],
  ['.services.ai.azure.com', 'azure.ai.inference'],
  ['.models.ai.azure.com', 'azure.ai.inference'],
  ['models.inference.ai.azure.com', 'azure.ai.inference'],
  ['api.mistral.ai', 'mistral_ai'],
  ['.api.mistral.ai', 'mistral_ai'],
  ['codestral.mistral.ai', 'mistral_ai'],
  ['api.deepseek.com', 'deepseek'],
  ['api.groq.com', 'groq'],
  ['api.x.ai', 'x_ai'],
  ['.api.x.ai', 'x_ai'],
  ['api.perplexity.ai', 'perplexity'],
  ['api.cohere.com', 'cohere'],
  ['api.cohere.ai', 'cohere'],
  ['generativelanguage.googleapis.com', 'gcp.gemini'],
  ['aiplatform.googleapis.com', 'gcp.vertex_ai'],
  ['-aiplatform.googleapis.com', 'gcp.vertex_ai'],
  ['.ml.cloud.ibm.com', 'ibm.watsonx.ai'],
  ['api.moonshot.ai', 'moonshot_ai'],
  ['api.moonshot.cn', 'moonshot_ai'],
  // From here on the conventions have no value.
  ['openrouter.ai', 'openrouter'],
  ['ollama.com', 'ollama'],
  ['api.together.xyz', 'together_ai'],
  ['api.together.ai', 'together_ai'],
  ['api.fireworks.ai', 'fireworks_ai'],
  ['router.huggingface.co', 'hugging_face'],
  ['api-inference.huggingface.co', 'hugging_face'],
  ['.endpoints.huggingface.cloud', 'hugging_face'],
  ['models.github.ai', 'github_models'],
  ['integrate.api.nvidia.com', 'nvidia'],
  ['ai.api.nvidia.com', 'nvidia'],
  ['api.cerebras.ai', 'cerebras'],
  ['api.sambanova.ai', 'sambanova'],
  ['api.deepinfra.com', 'deepinfra'],
  ['api.novita.ai', 'novita_ai'],
  ['api.studio.nebius.com', 'nebius'],
  ['api.studio.nebius.ai', 'nebius'],
  ['api.hyperbolic.xyz', 'hyperbolic'],
  ['api.siliconflow.com', 'siliconflow'],
  ['api.siliconflow.cn', 'siliconflow'],
  ['api.minimax.io', 'minimax'],
  ['api.z.ai', 'z_ai'],
  ['open.bigmodel.cn', 'z_ai'],
  ['dashscope.aliyuncs.com', 'alibaba_cloud'],
  ['dashscope-intl.aliyuncs.com', 'alibaba_cloud'],
  ['api.ai21.com', 'ai21'],
  ['api.githubcopilot.com', 'github_copilot'],
  ['.githubcopilot.com', 'github_copilot'],
  ['ai-gateway.vercel.sh', 'vercel_ai_gateway'],
];

/** https://docs.aws.amazon.com/general/latest/gr/bedrock.html */
const BEDROCK =
  /^bedrock(?:-runtime|-mantle)?(?:-fips)?\.[a-z0-9-]+\.(?:amazonaws\.com(?:\.cn)?|api\.aws)$/;

/** https://cloud.google.com/vertex-ai/generative-ai/docs/learn/locations: of a multi-region. */
const VERTEX_MULTI_REGION = /^aiplatform\.[a-z0-9-]+\.rep\.googleapis\.com$/;

/** Paths that one provider alone has, and gateways before it keep. */
const PATHS: readonly (readonly [path: RegExp, provider: string])[] = [
  [/\/openai\/deployments\/[^/]+\//, 'azure.ai.openai'],
  [/\/projects\/[^/]+\/locations\/[^/]+\/endpoints\/[^/]+\/chat\/completions$/, 'gcp.vertex_ai'],
];

/** Azure's resources serve both of its APIs: what is below this is Azure OpenAI's. */
const AZURE_OPENAI_PATH = '/openai/';

/** The provider whose host this is (lower case, no port); undefined for a host that belongs to none we know. */
export function providerOfHost(host: string, path: string): string | undefined {
  for (const [known, provider] of PROVIDERS) {
    const isEnding = known.startsWith('.') || known.startsWith('-');
    if (isEnding ? host.endsWith(known) : host === known) {
      const isOpenAi = provider === 'azure.ai.inference' && path.startsWith(AZURE_OPENAI_PATH);
      return isOpenAi ? 'azure.ai.openai' : provider;
    }
  }
  if (VERTEX_MULTI_REGION.test(host)) {
    return 'gcp.vertex_ai';
  }
  return BEDROCK.test(host) ? 'aws.bedrock' : undefined;
}

/** The provider whose path this is, where its host says nothing; undefined for a path that many have. */
export function providerOfPath(path: string): string | undefined {
  return PATHS.find(([known]) => known.test(path))?.[1];
}
