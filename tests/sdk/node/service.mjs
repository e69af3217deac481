// The server under test as the environment names it, its clients, and the issuer whose tokens it trusts.

import assert from "node:assert/strict";
import { createPrivateKey, randomUUID, sign } from "node:crypto";
import stytch from "stytch";

const under_test = JSON.parse(process.env.ASSAY_UNDER_TEST);
const { base_url, b2b: b2bProject, consumer: consumerProject, issuer, rotation } = under_test;

export { base_url, rotation };
export const b2b = new stytch.B2BClient({ ...b2bProject, env: base_url });
export const consumer = new stytch.Client({ ...consumerProject, env: base_url });
export const projects = { b2b: b2bProject.project_id, consumer: consumerProject.project_id };

/** A project with a policy and a template of its own, where the server has one. */
export const shaped = under_test.shaped && {
  ...under_test.shaped,
  client: new stytch.B2BClient({ ...under_test.shaped, env: base_url }),
};

export function b2bWith(credentials) {
  return new stytch.B2BClient({ ...b2bProject, env: base_url, ...credentials });
}

export function consumerWith(credentials) {
  return new stytch.Client({ ...consumerProject, env: base_url, ...credentials });
}

const privateKey = createPrivateKey(issuer.private_key);
const encode = (part) => Buffer.from(JSON.stringify(part)).toString("base64url");

/** A token of the trusted issuer that lives for five minutes, with `claims` over the usual ones. */
export function mint(claims, header = {}) {
  const now = Math.floor(Date.now() / 1000);
  const whole = { iss: issuer.url, aud: issuer.audience, jti: randomUUID(), iat: now, exp: now + 300, ...claims };
  const signed = `${encode({ alg: "RS256", kid: issuer.kid, typ: "JWT", ...header })}.${encode(whole)}`;
  return `${signed}.${sign("sha256", Buffer.from(signed), privateKey).toString("base64url")}`;
}

/** Claims of somebody whom no other test knows. */
export function person(claims = {}) {
  const name = randomUUID();
  return { sub: `idp|${name}`, email: `${name}@example.com`, email_verified: true, ...claims };
}

/** The promise must be refused by the server with this type and status, in a body with all that clients read. */
export async function refused(promise, error_type, status_code) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.constructor.name, "StytchError", String(error));
    assert.equal(error.error_type, error_type);
    assert.equal(error.status_code, status_code);
    assert.match(error.request_id, /^request-id-test-/);
    assert.ok(error.error_message && error.error_url);
    return true;
  });
}
