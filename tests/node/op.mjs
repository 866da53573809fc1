// A certified OpenID provider for the tests: `node op.mjs PORT`. Its pages take any name; the name says who somebody is.
import Provider from 'oidc-provider';

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const client = {
  client_secret: 'a secret of the tests',
  redirect_uris: ['https://app.example.com/back', ...process.argv.slice(3)],
  grant_types: ['authorization_code', 'refresh_token'],
};

const provider = new Provider(issuer, {
  clients: [
    { client_id: 'trunkline', token_endpoint_auth_method: 'client_secret_post', ...client },
    { client_id: 'trunkline-basic', token_endpoint_auth_method: 'client_secret_basic', ...client },
    { client_id: 'profiles', client_secret: 'of the stand-in', redirect_uris: [], response_types: [],
      grant_types: ['client_credentials'] },
  ],
  claims: { openid: ['sub'], profile: ['name', 'given_name', 'family_name'], email: ['email', 'email_verified'] },
  // Tokens have the claims too, so that who brings one as a credential is known by name and address.
  conformIdTokenClaims: false,
  cookies: { keys: ['of the tests'] },
  features: {
    clientCredentials: { enabled: true }, devInteractions: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
  },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      name: `${id} of the Tests`,
      given_name: id,
      family_name: 'of the Tests',
      email: `${id}@example.org`,
      email_verified: !id.startsWith('unverified'),
    }),
  }),
  issueRefreshToken: () => true,
  pkce: { required: () => false },
  scopes: ['openid', 'offline_access', 'profile', 'email', 'public_profile', 'read:user', 'user:email', 'account',
    'User.Read'],
});
provider.listen(port, '127.0.0.1');
