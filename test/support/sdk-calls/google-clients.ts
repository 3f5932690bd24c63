/** Google's client, for both of its services, whose requests go to a given server. */
import { GoogleGenAI } from '@google/genai';
import { googleCredentials } from './google-credentials.ts';

export function geminiAt(url: string): GoogleGenAI {
  return new GoogleGenAI({ apiKey: 'none', httpOptions: { baseUrl: url } });
}

export function vertexAt(url: string): GoogleGenAI {
  return new GoogleGenAI({
    vertexai: true,
    project: 'p1',
    location: 'europe-west1',
    googleAuthOptions: { authClient: googleCredentials() },
    httpOptions: { baseUrl: url },
  });
}
