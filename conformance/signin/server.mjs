// A certified OpenID provider with a browser and a person in front of it; README.md says how it is spoken to.
import { generateKeyPairSync } from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import readline from 'node:readline';

import Provider from 'oidc-provider';

const [certFile, keyFile, host, redirectUri] = process.argv.slice(2);
const cert = fs.readFileSync(certFile);
// Standard output is for answers; what the packages have to say goes beside.
console.log = console.error;
console.info = console.error;
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const keyPair = (kid, alg, type, options) => {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' };
};
const keys = [
  keyPair('rs', 'RS256', 'rsa', { modulusLength: 2048 }),
  keyPair('ps', 'PS256', 'rsa', { modulusLength: 2048 }),
  keyPair('es', 'ES256', 'ec', { namedCurve: 'P-256' }),
  keyPair('es3', 'ES384', 'ec', { namedCurve: 'P-384' }),
  keyPair('ed', 'EdDSA', 'ed25519', {}),
];

const secret = 'a-secret/+with:odd&signs%';
const client = (id, method, alg) => ({
  client_id: id,
  ...(method === 'none' ? {} : { client_secret: secret }),
  token_endpoint_auth_method: method,
  id_token_signed_response_alg: alg,
  redirect_uris: [redirectUri],
  post_logout_redirect_uris: [`${new URL(redirectUri).origin}/goodbye`],
  response_types: ['code'],
  grant_types: ['authorization_code'],
  backchannel_logout_uri: `${new URL(redirectUri).origin}/backchannel/${id}`,
  backchannel_logout_session_required: true,
});

const configuration = {
  jwks: { keys },
  cookies: { keys: ['for tests only'] },
  clients: [
    client('basic-rs', 'client_secret_basic', 'RS256'),
    client('post-es', 'client_secret_post', 'ES256'),
    client('public-ps', 'none', 'PS256'),
    client('basic-es3', 'client_secret_basic', 'ES384'),
    client('basic-ed', 'client_secret_basic', 'EdDSA'),
  ],
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@firm.example`, email_verified: true, name: 'Ada' }),
  }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  // A second sign-in in the same session goes on with its grant; a new one would void the codes of the first.
  loadExistingGrant: async (ctx) => {
    const known = ctx.oidc.session.grantIdFor(ctx.oidc.client.clientId);
    // A code that was used twice took its grant away.
    const kept = known && (await ctx.oidc.provider.Grant.find(known));
    if (kept) return kept;
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId,
      accountId: ctx.oidc.session.accountId,
    });
    grant.addOIDCScope('openid email profile');
    await grant.save();
    return grant;
  },
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true },
  },
  pkce: { required: () => true },
  // Logout tokens are delivered to whoever reads our lines.
  fetch: async (_, options) => {
    say({ logout_token: new URLSearchParams(String(options.body)).get('logout_token') });
    return new Response(null, { status: 200 });
  },
};

const server = https.createServer({ cert, key: fs.readFileSync(keyFile) });
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  const issuer = `https://${host}:${port}`;
  const provider = new Provider(issuer, configuration);
  provider.on('server_error', (_, error) => console.error(error));
  const answer = provider.callback();
  server.on('request', (request, response) => {
    if (!request.url.startsWith('/interaction/')) return answer(request, response);
    const login = { accountId: 'ada', amr: ['pwd'] };
    return provider.interactionFinished(request, response, { login }).catch((error) => {
      console.error(error);
      response.writeHead(500).end();
    });
  });
  say({ issuer, port, secret });

  const cookies = new Map();
  const ask = (url, method = 'GET', body = undefined) =>
    new Promise((resolve, reject) => {
      const { pathname, search } = new URL(url);
      const headers = { host: `${host}:${port}`, cookie: [...cookies].map((pair) => pair.join('=')).join('; ') };
      if (body) headers['content-type'] = 'application/x-www-form-urlencoded';
      const options = { host: '127.0.0.1', port, path: pathname + search, method, headers, ca: cert, servername: host };
      const request = https.request(options, (response) => {
        for (const cookie of response.headers['set-cookie'] ?? []) {
          const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/);
          if (value) cookies.set(name, value);
          else cookies.delete(name);
        }
        let text = '';
        response.on('data', (piece) => { text += piece; });
        response.on('end', () => resolve({ status: response.statusCode, to: response.headers.location, text }));
      });
      request.on('error', reject);
      request.end(body);
    });
  // Follows redirects as long as they stay here.
  const follow = async (answered, hops = 10) => {
    if (!answered.to || hops === 0) return { status: answered.status, text: answered.text };
    const next = new URL(answered.to, issuer);
    if (next.origin !== issuer) return { to: next.href };
    return follow(await ask(next.href), hops - 1);
  };
  const orders = {
    visit: async (url) => follow(await ask(url)),
    logout: async (url) => {
      const { text } = await follow(await ask(url));
      const [, xsrf] = text.match(/name="xsrf" value="([^"]+)"/);
      return follow(await ask(`${issuer}/session/end/confirm`, 'POST', `xsrf=${xsrf}&logout=yes`));
    },
  };
  readline.createInterface({ input: process.stdin }).on('line', async (line) => {
    const [[order, url]] = Object.entries(JSON.parse(line));
    try {
      say(await orders[order](url));
    } catch (error) {
      say({ error: String(error?.stack ?? error) });
    }
  }).on('close', () => process.exit(0));
});
