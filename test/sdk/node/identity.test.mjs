// IBM's Node SDK, unchanged but for the URL, against a fresh kagiban.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import core from 'ibm-cloud-sdk-core';
import IamIdentityV1 from '@ibm-cloud/platform-services/iam-identity/v1.js';

import { parseEnv, startDemo } from './demo.mjs';

const { IamAssumeAuthenticator, IamAuthenticator } = core;

function claims(token) {
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
}

/** The Authorization header that the authenticator puts on a request. */
async function authorization(authenticator) {
  const request = { headers: {} };
  await authenticator.authenticate(request);
  return request.headers.Authorization;
}

describe('environment file', () => {
  it('is KEY=VALUE lines without quoting', () => {
    assert.deepEqual(parseEnv('# x\nA=b=c\n\nB="d"\n'), { A: 'b=c', B: '"d"' });
    assert.throws(() => parseEnv('nonsense\n'), /KEY=VALUE/);
  });
});

describe('IBM Node SDK', () => {
  let demo;
  let env;
  let client;

  before(async () => {
    demo = await startDemo();
    env = demo.env;
    client = new IamIdentityV1({
      serviceUrl: env.KAGIBAN_URL,
      authenticator: new IamAuthenticator({ apikey: env.KAGIBAN_APIKEY, url: env.KAGIBAN_URL }),
    });
  });
  after(async () => { await demo?.stop(); });

  async function setClock(date) {
    const response = await fetch(`${env.KAGIBAN_URL}/dev/v1/clock`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ set: date.toISOString().replace(/\.\d+Z$/, 'Z') }),
    });
    assert.ok(response.ok, `moving the clock: status ${response.status}`);
  }

  it('exchanges an API key for a token and keeps it', async () => {
    const auth = new IamAuthenticator({ apikey: env.KAGIBAN_APIKEY, url: env.KAGIBAN_URL, clientId: 'bx', clientSecret: 'bx' });
    const header = await authorization(auth);
    assert.match(header, /^Bearer [\w-]+\.[\w-]+\.[\w-]+$/);
    const got = claims(header);
    assert.equal(got.iam_id, env.KAGIBAN_IAM_ID);
    assert.equal(got.account.bss, env.KAGIBAN_ACCOUNT_ID);
    assert.equal(await authorization(auth), header);
  });

  it('renews an expired token', async (t) => {
    const auth = new IamAuthenticator({ apikey: env.KAGIBAN_APIKEY, url: env.KAGIBAN_URL });
    t.after(() => setClock(new Date()));
    await setClock(new Date(Date.now() - 2 * 3600_000));
    const expired = await authorization(auth);
    await setClock(new Date());
    const renewed = await authorization(auth);
    assert.notEqual(renewed, expired);
    assert.ok(claims(expired).exp < Date.now() / 1000);
    assert.ok(claims(renewed).exp > Date.now() / 1000);
  });

  it('refuses an unknown API key with status 400', async () => {
    const auth = new IamAuthenticator({ apikey: 'no-such-key', url: env.KAGIBAN_URL });
    await assert.rejects(authorization(auth), (err) => err.status === 400);
  });

  it('creates, reads, updates and deletes a service ID with its key', async () => {
    const created = await client.createServiceId({ accountId: env.KAGIBAN_ACCOUNT_ID, name: 'node-story' });
    assert.equal(created.status, 201);
    const { id, iam_id: iamId } = created.result;
    const key = await client.createApiKey({ name: 'node-story', iamId, accountId: env.KAGIBAN_ACCOUNT_ID });
    assert.equal(key.status, 201);
    assert.ok(key.result.apikey.length >= 32);

    const read = await client.getServiceId({ id });
    const updated = await client.updateServiceId({ id, ifMatch: read.result.entity_tag, description: 'changed' });
    assert.equal(updated.result.description, 'changed');
    await assert.rejects(
      client.updateServiceId({ id, ifMatch: read.result.entity_tag, description: 'stale' }),
      (err) => err.status === 409,
    );
    const list = await client.listServiceIds({ accountId: env.KAGIBAN_ACCOUNT_ID, name: 'node-story' });
    assert.deepEqual(list.result.serviceids.map((s) => s.id), [id]);

    assert.equal((await client.deleteServiceId({ id })).status, 204);
    await assert.rejects(client.getServiceId({ id }), (err) => err.status === 404);
    const orphan = new IamAuthenticator({ apikey: key.result.apikey, url: env.KAGIBAN_URL });
    await assert.rejects(authorization(orphan), (err) => err.status === 400);
  });

  it('assumes a trusted profile of another account', async (t) => {
    const account = env.KAGIBAN_ENTERPRISE_SUBACCOUNT_ID;
    const profile = (await client.createProfile({ name: 'node-assume', accountId: account })).result;
    t.after(() => client.deleteProfile({ profileId: profile.id }));
    await client.setProfileIdentity({
      profileId: profile.id, identityType: 'user', identifier: env.KAGIBAN_IAM_ID, type: 'user',
      accounts: [env.KAGIBAN_ACCOUNT_ID],
    });
    const ways = [
      { iamProfileId: profile.id },
      { iamProfileCrn: profile.crn },
      { iamProfileName: profile.name, iamAccountId: account },
    ];
    for (const way of ways) {
      const auth = new IamAssumeAuthenticator({ apikey: env.KAGIBAN_APIKEY, url: env.KAGIBAN_URL, ...way });
      const got = claims(await authorization(auth));
      assert.equal(got.iam_id, profile.iam_id);
      assert.equal(got.account.bss, account);
    }
  });
});
