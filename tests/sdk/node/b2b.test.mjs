// Every B2B call through the official Node client.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { beforeEach, test } from "node:test";
import { b2b, b2bWith, mint, person, projects, refused } from "./service.mjs";

let organization;

beforeEach(async () => {
  const slug = `node-${randomUUID()}`;
  ({ organization } = await b2b.organizations.create({
    organization_name: "Node",
    organization_slug: slug,
    organization_external_id: `ext|${slug}`,
  }));
});

const login = (claims = {}, more = {}) =>
  b2b.sessions.attest({
    profile_id: "open",
    token: mint(person({ org_id: organization.organization_id, ...claims })),
    ...more,
  });

const check = (action, resource_id = "stytch.self", organization_id = organization.organization_id) => ({
  organization_id,
  resource_id,
  action,
});

test("attest starts a session and makes member and organization just in time", async () => {
  const org_id = `customer-${randomUUID()}`;
  const claims = person({ org_id, org_name: "Customer", roles: ["stytch_admin"] });
  const made = await b2b.sessions.attest({
    profile_id: "open",
    token: mint(claims),
    session_duration_minutes: 30,
    session_custom_claims: { plan: { tier: "pro" } },
  });
  assert.equal(made.status_code, 200);
  assert.equal(made.organization.organization_external_id, org_id);
  assert.equal(made.member.email_address, claims.email);
  assert.equal(made.member.external_id, claims.sub);
  assert.deepEqual(made.member_session.roles, ["stytch_member", "stytch_admin"]);
  assert.deepEqual(made.member_session.custom_claims, { plan: { tier: "pro" } });
  assert.equal(Date.parse(made.member_session.expires_at) - Date.parse(made.member_session.started_at), 30 * 60_000);
  const [factor] = made.member_session.authentication_factors;
  assert.equal(factor.type, "trusted_auth_token");
  assert.equal(factor.delivery_method, "trusted_token_exchange");
  assert.ok(factor.trusted_auth_token_factor.token_id);
});

test("attest adds a factor to the session passed in", async () => {
  const claims = person();
  const first = await login(claims);
  const second = await login(claims, { session_token: first.session_token });
  const third = await login(claims, { session_jwt: first.session_jwt });
  assert.equal(second.session_token, first.session_token);
  assert.equal(third.member_session.member_session_id, first.member_session.member_session_id);
  assert.equal(third.member_session.authentication_factors.length, 3);
});

test("sessions authenticate by token and by JWT, are extended, and merge claims", async () => {
  const made = await login({}, { session_custom_claims: { plan: { tier: "pro", seats: 3 }, beta: true } });
  const by_token = await b2b.sessions.authenticate({
    session_token: made.session_token,
    session_duration_minutes: 600,
    session_custom_claims: { plan: { seats: null }, beta: null },
  });
  const { last_accessed_at, expires_at, custom_claims } = by_token.member_session;
  assert.equal(Date.parse(expires_at) - Date.parse(last_accessed_at), 600 * 60_000);
  assert.deepEqual(custom_claims, { plan: { tier: "pro" } });
  const by_jwt = await b2b.sessions.authenticate({ session_jwt: by_token.session_jwt });
  assert.equal(by_jwt.session_token, made.session_token);
  assert.deepEqual(by_jwt.organization, made.organization);
});

test("the server checks permissions", async () => {
  const { session_token } = await login();
  const passed = await b2b.sessions.authenticate({ session_token, authorization_check: check("delete") });
  assert.deepEqual(passed.verdict, { authorized: true, granting_roles: ["stytch_member"] });
  const denied = { session_token, authorization_check: check("delete", "stytch.member") };
  await refused(b2b.sessions.authenticate(denied), "session_authorization_error", 403);
  const elsewhere = { session_token, authorization_check: check("delete", "stytch.self", "organization-test-other") };
  await refused(b2b.sessions.authenticate(elsewhere), "session_authorization_tenancy_error", 403);
});

test("the client verifies session JWTs and permissions locally", async () => {
  const made = await login({}, { session_custom_claims: { plan: "pro" } });
  const { session_jwt } = made;
  await b2b.sessions.revoke({ session_token: made.session_token });
  const local = (await b2b.sessions.authenticateJwt({ session_jwt })).member_session;
  for (const field of ["member_session_id", "member_id", "organization_id", "organization_slug", "started_at"]) {
    assert.equal(local[field], made.member_session[field], field);
  }
  assert.equal(Date.parse(local.expires_at), Date.parse(made.member_session.expires_at));
  assert.deepEqual(local.custom_claims, { plan: "pro" });
  assert.deepEqual(local.roles, ["stytch_member"]);
  const allowed = { session_jwt, authorization_check: check("update.info.name") };
  assert.equal((await b2b.sessions.authenticateJwtLocal(allowed)).member_id, made.member_id);
  const denied = { session_jwt, authorization_check: check("delete", "stytch.member") };
  await assert.rejects(b2b.sessions.authenticateJwtLocal(denied), /ermission|authoriz/);
  await refused(b2b.sessions.authenticateJwt({ session_jwt, max_token_age_seconds: 0 }), "session_not_found", 404);
});

test("a JWT that the client cannot verify is judged by the server", async () => {
  const { session_jwt } = await login();
  const [header, payload] = session_jwt.split(".");
  const forged = `${header}.${payload}.${Buffer.alloc(256, 1).toString("base64url")}`;
  await refused(b2b.sessions.authenticateJwt({ session_jwt: forged }), "unable_to_parse_session_jwt", 400);
  const renewed = await b2b.sessions.authenticateJwt({ session_jwt, max_token_age_seconds: 0 });
  assert.ok(renewed.session_token);
});

test("sessions are listed, and revoked by id, token, JWT and member", async () => {
  const claims = person();
  const names = [
    (made) => ({ member_session_id: made.member_session.member_session_id }),
    (made) => ({ session_token: made.session_token }),
    (made) => ({ session_jwt: made.session_jwt }),
    (made) => ({ member_id: made.member_id }),
  ];
  for (const name of names) {
    const made = await login(claims);
    const at = { organization_id: organization.organization_slug, member_id: claims.sub };
    assert.equal((await b2b.sessions.get(at)).member_sessions.length, 1);
    assert.equal((await b2b.sessions.revoke(name(made))).status_code, 200);
    assert.deepEqual((await b2b.sessions.get(at)).member_sessions, []);
    await refused(b2b.sessions.authenticate({ session_token: made.session_token }), "session_not_found", 404);
  }
});

test("a session is exchanged for one in another organization", async () => {
  const claims = person();
  const made = await login(claims);
  const slug = `target-${randomUUID()}`;
  await b2b.organizations.create({ organization_name: "Target", organization_slug: slug });
  const { session_token } = made;
  await refused(b2b.sessions.exchange({ organization_id: slug, session_token }), "member_not_found", 404);
  await b2b.organizations.members.create({ organization_id: slug, email_address: claims.email });
  const entered = await b2b.sessions.exchange({ organization_id: slug, session_token, locale: "en" });
  assert.equal(entered.member_authenticated, true);
  assert.equal(entered.organization.organization_slug, slug);
  assert.notEqual(entered.session_token, session_token);
});

test("the JWKS hold every field that clients demand", async () => {
  const { keys } = await b2b.sessions.getJWKS({ project_id: projects.b2b });
  assert.ok(keys.length >= 2);
  for (const key of keys) {
    assert.deepEqual(key.key_ops, ["verify"]);
    for (const field of ["kty", "use", "alg", "kid", "x5c", "x5tS256", "n", "e"]) assert.ok(key[field], field);
  }
});

test("organizations are created, shown, changed, counted, found and deleted", async () => {
  for (const organization_id of [organization.organization_slug, organization.organization_external_id]) {
    const shown = await b2b.organizations.get({ organization_id });
    assert.deepEqual(shown.organization, organization);
  }
  const at = { organization_id: organization.organization_external_id };
  const changed = await b2b.organizations.update({ ...at, organization_name: "Changed", trusted_metadata: { a: 1 } });
  assert.equal(changed.organization.organization_name, "Changed");
  assert.equal((await b2b.organizations.metrics(at)).member_count, 0);
  const found = await b2b.organizations.search({
    limit: 1,
    query: {
      operator: "AND",
      operands: [{ filter_name: "organization_slugs", filter_value: [organization.organization_slug] }],
    },
  });
  assert.deepEqual(found.organizations, [changed.organization]);
  assert.deepEqual(found.results_metadata, { total: 1, next_cursor: null });
  const dropped = await b2b.organizations.deleteExternalId(at);
  assert.equal(dropped.organization.organization_external_id, null);
  await refused(b2b.organizations.get(at), "organization_not_found", 404);
  const own = { organization_id: organization.organization_id };
  assert.equal((await b2b.organizations.delete(own)).organization_id, organization.organization_id);
  await refused(b2b.organizations.get(own), "organization_not_found", 404);
});

test("members are created, shown, changed, found, deleted and reactivated", async () => {
  const { organization_id } = organization;
  const email_address = `${randomUUID()}@example.com`;
  const external_id = `ext|${randomUUID()}`;
  const created = await b2b.organizations.members.create({ organization_id, email_address, external_id });
  const { member, member_id } = created;
  const at = { organization_id, member_id: external_id };
  assert.deepEqual((await b2b.organizations.members.get(at)).member, member);
  assert.equal((await b2b.organizations.members.get({ organization_id, email_address })).member_id, member_id);
  assert.deepEqual((await b2b.organizations.members.dangerouslyGet({ member_id })).organization, organization);
  const changed = await b2b.organizations.members.update({ ...at, name: "Grace", is_breakglass: true });
  assert.deepEqual([changed.member.name, changed.member.is_breakglass], ["Grace", true]);
  const back = await b2b.organizations.members.update({ ...at, is_breakglass: false });
  assert.equal(back.member.is_breakglass, false);
  const found = await b2b.organizations.members.search({ organization_ids: [organization_id], limit: 10 });
  assert.deepEqual(found.members, [back.member]);
  assert.deepEqual(Object.keys(found.organizations), [organization_id]);
  assert.equal((await b2b.organizations.members.deleteExternalId(at)).member.external_id, null);
  assert.equal((await b2b.organizations.members.delete({ organization_id, member_id })).member_id, member_id);
  await refused(b2b.organizations.members.get({ organization_id, member_id }), "member_not_found", 404);
  const deleted = await b2b.organizations.members.dangerouslyGet({ member_id, include_deleted: true });
  assert.equal(deleted.member.status, "deleted");
  const reactivated = await b2b.organizations.members.reactivate({ organization_id, member_id });
  assert.equal(reactivated.member.status, "active");
});

test("a member session header runs a call with the member's permissions", async () => {
  const plain = await login();
  const { organization_id } = organization;
  const authorization = { session_token: plain.session_token };
  const own = { organization_id, member_id: plain.member_id };
  const named = await b2b.organizations.members.update({ ...own, name: "Myself" }, { authorization });
  assert.equal(named.member.name, "Myself");
  const promotion = b2b.organizations.members.update({ ...own, roles: ["stytch_admin"] }, { authorization });
  await refused(promotion, "session_authorization_error", 403);
  const both = { authorization: { session_token: plain.session_token, session_jwt: plain.session_jwt } };
  await refused(b2b.organizations.members.update(own, both), "too_many_session_arguments", 400);
  await b2b.sessions.revoke({ session_jwt: plain.session_jwt }, { authorization });
  await refused(b2b.sessions.authenticate({ session_token: plain.session_token }), "session_not_found", 404);
});

test("policies and the project are shown", async () => {
  const { policy } = await b2b.rbac.policy();
  assert.deepEqual(policy.roles.map((role) => role.role_id), ["stytch_member", "stytch_admin"]);
  const { organization_id } = organization;
  assert.deepEqual((await b2b.rbac.organizations.getOrgPolicy({ organization_id })).org_policy, { roles: [] });
  assert.equal((await b2b.debug.whoami()).project_id, projects.b2b);
});

test("what cannot be believed or fulfilled is refused", async () => {
  const { organization_id } = organization;
  const attest = (claims, header, more) =>
    b2b.sessions.attest({ profile_id: "open", token: mint(person({ org_id: organization_id, ...claims }), header), ...more });
  const now = Math.floor(Date.now() / 1000);
  await refused(attest({ iat: now - 900, exp: now - 600 }), "jwt_invalid_claims", 400);
  await refused(attest({ nbf: now + 600 }), "jwt_invalid_claims", 400);
  await refused(attest({ iss: "https://elsewhere.example" }), "jwt_invalid_issuer", 400);
  await refused(attest({ aud: "elsewhere" }), "jwt_invalid_audience", 400);
  await refused(attest({}, { alg: "none" }), "invalid_trusted_auth_token", 400);
  await refused(attest({}, { kid: "unknown" }), "invalid_trusted_auth_token", 400);
  await refused(attest({}, {}, { profile_id: "none" }), "trusted_token_profile_not_found", 404);
  await refused(attest({ org_id: undefined }), "token_missing_organization_id_claim", 400);
  await refused(attest({}, {}, { session_duration_minutes: 1 }), "invalid_session_duration_minutes", 400);
  await refused(attest({}, {}, { session_custom_claims: { exp: 1 } }), "reserved_claims_in_custom_claims", 400);
  assert.equal((await b2b.organizations.metrics({ organization_id })).member_count, 0);
  await refused(b2b.sessions.authenticate({}), "no_session_arguments", 400);
  await refused(b2bWith({ secret: "secret-test-wrong" }).debug.whoami(), "unauthorized_credentials", 401);
  const email = { organization_id, email_address: "ada@example.com" };
  await refused(b2b.magicLinks.email.loginOrSignup(email), "route_not_found", 404);
});
