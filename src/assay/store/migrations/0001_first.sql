-- The first schema. Times are seconds since the epoch, columns named after dicts and tuples hold JSON text.

create table schema_migrations (
    number integer primary key,
    name text not null,
    applied_at integer not null
) strict;

create table meta (
    name text primary key,
    value blob not null
) strict;

create table projects (
    project_id text primary key,
    slug text not null unique,
    name text not null,
    vertical text not null,
    created_at integer not null
) strict;

create table environments (
    environment_id text primary key,
    project_id text not null references projects (project_id),
    slug text not null,
    kind text not null,
    name text not null,
    vertical text not null,
    created_at integer not null
) strict;

create index environments_project on environments (project_id);

create table secrets (
    secret_id text primary key,
    environment_id text not null references environments (environment_id),
    secret_hash blob not null,
    last_four text not null,
    created_at integer not null,
    revoked_at integer,
    unique (environment_id, secret_hash)
) strict;

create table public_tokens (
    public_token text primary key,
    environment_id text not null references environments (environment_id),
    created_at integer not null
) strict;

create table signing_keys (
    environment_id text not null references environments (environment_id),
    kid text not null,
    state text not null,
    algorithm text not null,
    public_jwk text not null,
    sealed_private_key blob not null,
    created_at integer not null,
    activated_at integer,
    retired_at integer,
    primary key (environment_id, kid)
) strict;

create unique index signing_keys_one_active on signing_keys (environment_id) where state = 'active';
create unique index signing_keys_one_next on signing_keys (environment_id) where state = 'next';

create table profiles (
    environment_id text not null references environments (environment_id),
    profile_id text not null,
    name text not null,
    issuer text not null,
    audience text not null,
    public_key_type text not null,
    jwks_url text,
    attribute_mapping text not null,
    can_jit_provision integer not null,
    algorithms text not null,
    leeway_seconds integer not null,
    created_at integer not null,
    updated_at integer not null,
    revision integer not null,
    primary key (environment_id, profile_id)
) strict;

-- Operators choose profile ids, so an id can come back. Its new profile goes on counting where the deleted one
-- stopped: otherwise what was decided or cached for the old one would pass for the new one.
create table deleted_profiles (
    environment_id text not null references environments (environment_id),
    profile_id text not null,
    revision integer not null,
    primary key (environment_id, profile_id)
) strict;

create table pem_files (
    environment_id text not null,
    profile_id text not null,
    position integer not null,
    pem_file_id text not null,
    public_key text not null,
    primary key (environment_id, profile_id, position),
    foreign key (environment_id, profile_id) references profiles (environment_id, profile_id) on delete cascade
) strict;

create table organizations (
    organization_id text primary key,
    environment_id text not null references environments (environment_id),
    name text not null,
    slug text not null,
    external_id text,
    settings text not null,
    trusted_metadata text not null,
    created_at integer not null,
    updated_at integer not null,
    revision integer not null
) strict;

create unique index organizations_slug on organizations (environment_id, slug);
create unique index organizations_external_id on organizations (environment_id, external_id)
where external_id is not null;
create index organizations_page on organizations (environment_id, organization_id);

create table members (
    member_id text primary key,
    environment_id text not null references environments (environment_id),
    organization_id text not null references organizations (organization_id) on delete cascade,
    email text,
    email_verified integer not null,
    name text not null,
    status text not null,
    external_id text,
    external_id_issuer text,
    roles text not null,
    token_roles text not null,
    is_breakglass integer not null,
    mfa_enrolled integer not null,
    mfa_phone_number text not null,
    default_mfa_method text not null,
    retired_emails text not null,
    trusted_metadata text not null,
    untrusted_metadata text not null,
    created_at integer not null,
    updated_at integer not null,
    revision integer not null
) strict;

create unique index members_external_id on members (organization_id, external_id)
where external_id is not null and status <> 'deleted';
create index members_external_id_anywhere on members (environment_id, external_id)
where external_id is not null and status <> 'deleted';
create index members_page on members (organization_id, member_id);

-- Who holds an address of an organization, now or as a retired one; deleted members hold none.
create table member_emails (
    organization_id text not null references organizations (organization_id) on delete cascade,
    email text not null,
    member_id text not null references members (member_id) on delete cascade,
    primary key (organization_id, email)
) strict, without rowid;

create index member_emails_member on member_emails (member_id);

create table users (
    user_id text primary key,
    environment_id text not null references environments (environment_id),
    email text,
    email_id text,
    email_verified integer not null,
    phone_number text,
    phone_id text,
    name text not null,
    status text not null,
    external_id text,
    external_id_issuer text,
    roles text not null,
    token_roles text not null,
    trusted_metadata text not null,
    untrusted_metadata text not null,
    created_at integer not null,
    updated_at integer not null,
    revision integer not null
) strict;

create unique index users_email on users (environment_id, email) where email is not null;
create unique index users_phone_number on users (environment_id, phone_number) where phone_number is not null;
create unique index users_external_id on users (environment_id, external_id) where external_id is not null;
create index users_page on users (environment_id, user_id);

-- The number is in the token and in the id, so neither needs an index, and new rows land at the end.
create table sessions (
    number integer primary key,
    id_tail integer not null,
    environment_id text not null references environments (environment_id),
    kind text not null,
    token_hash blob not null,
    subject_kind text not null,
    subject_id text not null,
    organization_id text,
    factors text not null,
    custom_claims text not null,
    started_at integer not null,
    last_accessed_at integer not null,
    expires_at integer not null,
    revoked_at integer,
    revision integer not null
) strict;

create index sessions_subject on sessions (subject_id);

create table attempts (
    number integer primary key,
    environment_id text not null,
    request_id text not null,
    profile_id text not null,
    outcome text not null,
    code text not null,
    reason text not null,
    details text not null,
    subject_id text,
    organization_id text,
    session_id text,
    created_at integer not null
) strict;

create index attempts_environment on attempts (environment_id, number);

create table events (
    number integer primary key,
    environment_id text,
    action text not null,
    target text not null,
    actor text not null,
    request_id text not null,
    details text not null,
    created_at integer not null
) strict;

create index events_environment on events (environment_id, number);
