// Roles, permissions and the shape of session JWTs, as the management API has set them for a project of these tests.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { mint, person, shaped } from "./service.mjs";

const { client, profile_id } = shaped;
const { organization } = await client.organizations.create({ organization_name: `Node ${randomUUID()}` });
const { organization_id } = organization;

const login = (claims, more = {}) =>
  client.sessions.attest({ profile_id, token: mint(person(claims)), organization_id, ...more });

const actions = ["read", "write", "pay", "delete", "*"];
const questions = ["documents", "invoices", "stytch.self", "*"].flatMap((resource_id) =>
  actions.map((action) => ({ organization_id, resource_id, action })),
);

/** Whether the server permits it. */
async function asked(session_token, authorization_check) {
  try {
    const { verdict } = await client.sessions.authenticate({ session_token, authorization_check });
    return verdict.authorized;
  } catch (error) {
    assert.equal(error.error_type, "session_authorization_error", String(error));
    return false;
  }
}

/** Whether the client permits it, without asking. */
async function askedLocally(session_jwt, authorization_check) {
  try {
    await client.sessions.authenticateJwtLocal({ session_jwt, authorization_check });
    return true;
  } catch (error) {
    assert.match(String(error), /ermission|authoriz/);
    return false;
  }
}

test("client and server decide alike, whatever is asked and wherever roles come from", async () => {
  const permitted = {};
  for (const roles of [[], ["editor"], ["editor", "billing", "unknown"]]) {
    const made = await login({ roles });
    assert.deepEqual(made.member_session.roles, ["stytch_member", ...roles.filter((role) => role !== "unknown")]);
    permitted[roles] = [];
    for (const question of questions) {
      const granted = await asked(made.session_token, question);
      assert.equal(await askedLocally(made.session_jwt, question), granted, JSON.stringify([roles, question]));
      if (granted && question.resource_id !== "stytch.self") {
        permitted[roles].push(`${question.action} ${question.resource_id}`);
      }
    }
  }
  assert.deepEqual(permitted[[]], []);
  assert.deepEqual(permitted[["editor"]], ["read documents", "write documents"]);
  const pays = actions.map((action) => `${action} invoices`);
  assert.deepEqual(permitted[["editor", "billing", "unknown"]], ["read documents", "write documents", ...pays]);
});

test("a shaped JWT is verified, and its claims are the template's with those of the session over them", async () => {
  const made = await login({ roles: ["editor"] }, { session_custom_claims: { plan: "pro" } });
  const expected = { plan: "pro", id: made.member_id, roles: ["stytch_member", "editor"] };
  const local = await client.sessions.authenticateJwtLocal({ session_jwt: made.session_jwt });
  assert.deepEqual(local.custom_claims, expected);
  assert.deepEqual(made.member_session.custom_claims, { plan: "pro" });
  const [, payload] = made.session_jwt.split(".");
  const { aud } = JSON.parse(Buffer.from(payload, "base64url"));
  assert.deepEqual(aud, [shaped.project_id, "https://api.example"]);
});
