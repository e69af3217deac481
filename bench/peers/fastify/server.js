// What a Node developer would write by hand: fastify, jose, better-sqlite3.
//
// Takes a partner's token of a known member and starts a session: the caller's secret, the profile and the member are
// read, the token is verified, session and attempt are committed (WAL, synchronous=FULL), a session JWT is signed.
// PEER_SEED names a JSON file with what there is at the start, PEER_DATABASE the file of the database, PORT the port.

import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'

import Database from 'better-sqlite3'
import Fastify from 'fastify'
import { SignJWT, importPKCS8, importSPKI, jwtVerify } from 'jose'

const JWT_SECONDS = 300
const seed = JSON.parse(readFileSync(process.env.PEER_SEED, 'utf8'))
const digest = (text) => createHash('sha256').update(text).digest()

const db = new Database(process.env.PEER_DATABASE)
db.pragma('journal_mode = WAL')
db.pragma('synchronous = FULL')
db.exec(`
  create table secrets (project_id text primary key, secret_hash blob not null);
  create table profiles (
    profile_id text primary key, issuer text not null, audience text not null, public_key text not null
  );
  create table organizations (organization_id text primary key, external_id text not null unique, name text not null);
  create table members (
    member_id text primary key, organization_id text not null references organizations,
    external_id text not null unique, email text not null, name text not null, status text not null
  );
  create table sessions (
    session_id text primary key, token_hash blob not null unique, member_id text not null,
    organization_id text not null, factors text not null, started_at integer not null, expires_at integer not null
  );
  create index sessions_member on sessions (member_id);
  create table attempts (
    attempt_id integer primary key, request_id text not null, profile_id text not null, outcome text not null,
    member_id text not null, session_id text not null, token_id text not null, created_at integer not null
  );
`)

db.transaction(() => {
  db.prepare('insert into secrets values (?, ?)').run(seed.project_id, digest(seed.secret))
  db.prepare('insert into profiles values (@profile_id, @issuer, @audience, @public_key)').run(seed.profile)
  db.prepare('insert into organizations values (@organization_id, @external_id, @name)').run(seed.organization)
  const insert = db.prepare(
    'insert into members values (@member_id, @organization_id, @external_id, @email, @name, @status)',
  )
  for (const member of seed.members) insert.run(member)
})()

const selectSecret = db.prepare('select secret_hash from secrets where project_id = ?').pluck()
const selectProfile = db.prepare('select * from profiles where profile_id = ?')
const selectMember = db.prepare(`
  select members.*, organizations.external_id as organization_external_id, organizations.name as organization_name
  from members join organizations using (organization_id)
  where members.external_id = ? and organizations.external_id = ?
`)
const insertSession = db.prepare(`
  insert into sessions values
    (@session_id, @token_hash, @member_id, @organization_id, @factors, @started_at, @expires_at)
`)
const insertAttempt = db.prepare(`
  insert into attempts (request_id, profile_id, outcome, member_id, session_id, token_id, created_at)
  values (@request_id, @profile_id, 'granted', @member_id, @session_id, @token_id, @created_at)
`)
const startSession = db.transaction((session, attempt) => {
  insertSession.run(session)
  insertAttempt.run(attempt)
})

const signingKey = await importPKCS8(seed.signing_key, 'RS256')
const publicKeys = new Map()

async function publicKey(pem) {
  if (!publicKeys.has(pem)) publicKeys.set(pem, await importSPKI(pem, 'RS256'))
  return publicKeys.get(pem)
}

function isCaller(authorization) {
  const text = Buffer.from((authorization ?? '').replace(/^Basic /, ''), 'base64').toString()
  const colon = text.indexOf(':')
  const kept = selectSecret.get(text.slice(0, colon))
  return kept !== undefined && timingSafeEqual(kept, digest(text.slice(colon + 1)))
}

async function verified(token, profile) {
  const key = await publicKey(profile.public_key)
  try {
    const options = {
      algorithms: ['RS256'],
      issuer: profile.issuer,
      audience: profile.audience,
      clockTolerance: 30,
      requiredClaims: ['exp', 'sub'],
    }
    return (await jwtVerify(token, key, options)).payload
  } catch {
    return null
  }
}

function sign(session) {
  const { member_id, organization_id, ...rest } = session
  return new SignJWT({ organization: { organization_id }, session: rest })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: 'peer-1' })
    .setIssuer('https://peer.example')
    .setAudience([seed.project_id])
    .setSubject(member_id)
    .setIssuedAt()
    .setNotBefore('0 seconds')
    .setExpirationTime(`${JWT_SECONDS} seconds`)
    .sign(signingKey)
}

const app = Fastify()

const schema = {
  body: {
    type: 'object',
    required: ['profile_id', 'token', 'session_duration_minutes'],
    properties: {
      profile_id: { type: 'string' },
      token: { type: 'string' },
      session_duration_minutes: { type: 'integer' },
    },
  },
}

app.post('/v1/b2b/sessions/attest', { schema }, async (request, reply) => {
  if (!isCaller(request.headers.authorization)) return reply.code(401).send({ error: 'wrong credentials' })
  const profile = selectProfile.get(request.body.profile_id)
  if (profile === undefined) return reply.code(404).send({ error: 'profile not found' })
  const claims = await verified(request.body.token, profile)
  if (claims === null) return reply.code(400).send({ error: 'invalid token' })
  const member = selectMember.get(claims.sub, claims.org_id)
  if (member?.status !== 'active') return reply.code(404).send({ error: 'member not found' })

  const now = Math.floor(Date.now() / 1000)
  const request_id = `request-id-${randomUUID()}`
  const session_token = randomBytes(33).toString('base64url')
  const { member_id, organization_id } = member
  const session_id = `member-session-${randomUUID()}`
  const times = { started_at: now, expires_at: now + 60 * request.body.session_duration_minutes }
  const factors = [{ type: 'trusted_auth_token', token_id: claims.jti, last_authenticated_at: now }]
  startSession(
    {
      session_id,
      token_hash: digest(session_token),
      member_id,
      organization_id,
      factors: JSON.stringify(factors),
      ...times,
    },
    { request_id, profile_id: profile.profile_id, member_id, session_id, token_id: claims.jti, created_at: now },
  )
  const member_session = {
    member_session_id: session_id,
    member_id,
    organization_id,
    authentication_factors: factors,
    ...times,
  }
  return {
    status_code: 200,
    request_id,
    session_token,
    session_jwt: await sign(member_session),
    member: {
      member_id,
      organization_id,
      external_id: member.external_id,
      email_address: member.email,
      name: member.name,
      status: member.status,
    },
    organization: {
      organization_id,
      organization_external_id: member.organization_external_id,
      organization_name: member.organization_name,
    },
    member_session,
  }
})

await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })
