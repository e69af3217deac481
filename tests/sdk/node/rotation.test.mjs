// A signing key is rotated under the Node client: JWTs from before and after verify locally.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { b2b, b2bWith, consumer, consumerWith, mint, person, projects, rotation } from "./service.mjs";

const kid = (jwt) => JSON.parse(Buffer.from(jwt.split(".")[0], "base64url")).kid;

const rotate = (project_id) =>
  execFileSync(rotation.command, ["keys", "rotate", "--project-id", project_id], {
    env: { ...process.env, ASSAY_DATABASE: rotation.database },
  });

async function over_a_rotation(client, fresh, project_id, claims) {
  const old = await client.sessions.attest({ profile_id: "open", token: mint(claims), session_duration_minutes: 60 });
  await client.sessions.authenticateJwtLocal({ session_jwt: old.session_jwt });
  rotate(project_id);
  const made = await client.sessions.authenticate({ session_token: old.session_token });
  assert.notEqual(kid(made.session_jwt), kid(old.session_jwt));
  for (const who of [client, fresh]) {
    for (const { session_jwt } of [old, made]) {
      assert.ok(await who.sessions.authenticateJwtLocal({ session_jwt }));
    }
  }
}

test("B2B: for a client that knows the keys from before, and for one that does not", () =>
  over_a_rotation(b2b, b2bWith({}), projects.b2b, person({ org_id: "rotated" })));

test("consumer: for a client that knows the keys from before, and for one that does not", () =>
  over_a_rotation(consumer, consumerWith({}), projects.consumer, person()));
