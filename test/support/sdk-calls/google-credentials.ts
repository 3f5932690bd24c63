/** Credentials for Google's clients that nobody is asked for. */
import { OAuth2Client } from 'google-auth-library';

export function googleCredentials(): OAuth2Client {
  const client = new OAuth2Client();
  client.setCredentials({ access_token: 'none', expiry_date: Date.now() + 3_600_000 });
  return client;
}
