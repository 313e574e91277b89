// The peer of the load benchmark: npm's oidc-provider, which issues JWT access
// tokens for client_credentials, everything in memory. It listens on a free
// loopback port and prints its URL.
//   node server.mjs RS256|ES256
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';

import Provider from 'oidc-provider';

const algorithm = process.argv[2];
const makeKey = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
}[algorithm];
if (!makeKey) {
  console.error('usage: node server.mjs RS256|ES256');
  process.exit(2);
}
const jwk = { ...makeKey().privateKey.export({ format: 'jwk' }), alg: algorithm, use: 'sig', kid: 'peer' };
const audience = 'urn:load:test';

// The port belongs to the issuer's name, so it must be known first.
const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(url, {
    clients: [{
      client_id: 'load',
      client_secret: 'load',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: algorithm,
    }],
    jwks: { keys: [jwk] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: '',
          audience,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: algorithm } },
        }),
      },
    },
  });
  server.on('request', provider.callback());
  console.log(url);
});
process.on('SIGTERM', () => process.exit(0));
