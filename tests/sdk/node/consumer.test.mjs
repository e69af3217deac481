// Every consumer call through the official Node client.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { consumer, mint, person, projects, refused } from "./service.mjs";

const login = (claims = person(), more = { session_duration_minutes: 60 }) =>
  consumer.sessions.attest({ profile_id: "open", token: mint(claims), ...more });

test("attest without a duration says who it is, with one it starts a session", async () => {
  const claims = person();
  const known = await login(claims, {});
  assert.deepEqual([known.session, known.session_token, known.session_jwt], [null, "", ""]);
  assert.equal(known.user.emails[0].email, claims.email);
  const made = await login(claims, { session_duration_minutes: 45, session_custom_claims: { cart: 1 } });
  assert.equal(made.user_id, known.user_id);
  assert.equal(Date.parse(made.session.expires_at) - Date.parse(made.session.started_at), 45 * 60_000);
  assert.deepEqual(made.session.custom_claims, { cart: 1 });
  const more = await login(claims, { session_token: made.session_token });
  assert.equal(more.session.authentication_factors.length, 2);
  await refused(login(person(), { session_token: made.session_token }), "user_id_mismatch", 400);
});

test("sessions authenticate, are listed and are revoked", async () => {
  const names = [
    (made) => ({ session_id: made.session.session_id }),
    (made) => ({ session_token: made.session_token }),
    (made) => ({ session_jwt: made.session_jwt }),
  ];
  for (const name of names) {
    const made = await login();
    const { session_token, session_jwt } = made;
    const by_token = await consumer.sessions.authenticate({ session_token, session_duration_minutes: 500 });
    assert.equal(by_token.session.session_id, made.session.session_id);
    assert.equal((await consumer.sessions.authenticate({ session_jwt })).session_token, session_token);
    assert.equal((await consumer.sessions.get({ user_id: made.user.external_id })).sessions.length, 1);
    assert.equal((await consumer.sessions.revoke(name(made))).status_code, 200);
    assert.deepEqual((await consumer.sessions.get({ user_id: made.user_id })).sessions, []);
    await refused(consumer.sessions.authenticate({ session_token }), "session_not_found", 404);
  }
});

test("permissions are checked by the server and locally, JWTs verified locally", async () => {
  const made = await login();
  const { session_token, session_jwt } = made;
  const own = { resource_id: "stytch.self", action: "update.info.name" };
  const others = { resource_id: "documents", action: "read" };
  const passed = await consumer.sessions.authenticate({ session_token, authorization_check: own });
  assert.deepEqual(passed.verdict.granting_roles, ["stytch_user"]);
  const denied = consumer.sessions.authenticate({ session_token, authorization_check: others });
  await refused(denied, "consumer_session_authorization_error", 403);
  await consumer.sessions.revoke({ session_token });
  const local = await consumer.sessions.authenticateJwt({ session_jwt, authorization_check: own });
  assert.equal(local.session.session_id, made.session.session_id);
  assert.equal(local.session.user_id, made.user_id);
  assert.deepEqual(local.session.roles, ["stytch_user"]);
  await assert.rejects(consumer.sessions.authenticateJwtLocal({ session_jwt, authorization_check: others }));
  await refused(consumer.sessions.authenticateJwt({ session_jwt, max_token_age_seconds: 0 }), "session_not_found", 404);
});

test("users are created, shown, found, changed and deleted", async () => {
  const external_id = `ext|${randomUUID()}`;
  const email = `${randomUUID()}@example.com`;
  const created = await consumer.users.create({ email, external_id, name: { first_name: "Ada" } });
  assert.equal(created.status, "active");
  assert.equal(created.email_id, created.user.emails[0].email_id);
  const shown = await consumer.users.get({ user_id: external_id });
  assert.equal(shown.user_id, created.user_id);
  assert.deepEqual(shown.emails, created.user.emails);
  const query = { operator: "AND", operands: [{ filter_name: "email_address", filter_value: [email.toUpperCase()] }] };
  const found = await consumer.users.search({ limit: 5, query });
  assert.deepEqual(found.results, [created.user]);
  const changed = await consumer.users.update({ user_id: external_id, name: { last_name: "King" } });
  assert.equal(changed.user.name.first_name, "Ada");
  assert.equal(changed.user.name.last_name, "King");
  assert.equal((await consumer.users.deleteExternalId({ user_id: external_id })).user.external_id, null);
  await refused(consumer.users.get({ user_id: external_id }), "user_not_found", 404);
  assert.equal((await consumer.users.delete({ user_id: created.user_id })).user_id, created.user_id);
  await refused(consumer.users.delete({ user_id: created.user_id }), "user_not_found", 404);
});

test("every user is found by walking through all pages", async () => {
  const marker = randomUUID();
  for (const number of [1, 2, 3]) await consumer.users.create({ email: `${marker}-${number}@example.com` });
  const query = { operator: "AND", operands: [{ filter_name: "email_address_fuzzy", filter_value: marker }] };
  const found = [];
  for await (const page of consumer.users.searchAll({ limit: 2, query })) found.push(page.map((user) => user.user_id));
  assert.deepEqual(found.map((page) => page.length), [2, 1]);
  assert.equal(new Set(found.flat()).size, 3);
});

test("keys, policy and project are shown", async () => {
  const { keys } = await consumer.sessions.getJWKS({ project_id: projects.consumer });
  assert.ok(keys.every((key) => key.x5tS256 && key.key_ops.includes("verify")));
  const { policy } = await consumer.rbac.policy();
  assert.deepEqual(policy.roles.map((role) => role.role_id), ["stytch_user"]);
  assert.equal((await consumer.debug.whoami()).project_id, projects.consumer);
});

test("what cannot be believed or fulfilled is refused", async () => {
  const now = Math.floor(Date.now() / 1000);
  await refused(login(person({ exp: now - 60 })), "jwt_invalid_claims", 400);
  await refused(login(person({ iss: "https://elsewhere.example" })), "jwt_invalid_issuer", 400);
  await refused(login(person({ aud: [] })), "jwt_invalid_audience", 400);
  const [header, , signature] = mint(person()).split(".");
  const altered = `${header}.${mint(person()).split(".")[1]}.${signature}`;
  await refused(consumer.sessions.attest({ profile_id: "open", token: altered }), "invalid_trusted_auth_token", 400);
  const closed = { profile_id: "closed", token: mint(person()) };
  await refused(consumer.sessions.attest(closed), "user_not_found", 404);
  await refused(consumer.users.create({}), "invalid_create_user_request", 400);
  const { user } = await consumer.users.create({ email: `${randomUUID()}@example.com` });
  await refused(consumer.users.create({ email: user.emails[0].email }), "duplicate_email", 400);
  await refused(consumer.sessions.revoke({}), "no_session_revoke_arguments", 400);
});
