-- compatible from 6
-- The first schema for PostgreSQL; its number says which migrations of an SQLite store it stands for. Times are
-- seconds since the epoch, yes and no are 1 and 0, columns named after dicts and tuples hold JSON text. Text is
-- compared byte by byte, so that order and uniqueness are the same on every server.

-- A release may use a schema that is newer than it, as long as the newest migration says that it is compatible with
-- what the release knows: that is how an upgrade rolls over many hosts.
create table schema_migrations (
    number bigint primary key,
    name text not null,
    applied_at bigint not null,
    compatible_from bigint not null
);

create table meta (
    name text collate "C" primary key,
    value bytea not null
);

-- Lower case as people expect it in every language: by the first collation of these that the server was built with.
do $$
declare
    name text;
begin
    foreach name in array array['und-x-icu', 'pg_unicode_fast', 'pg_c_utf8', 'default'] loop
        begin
            execute format(
                'create function lowered(text) returns text language sql stable strict parallel safe '
                'return lower($1 collate %I)', name);
            exit;
        exception when undefined_object then
            continue;
        end;
    end loop;
end
$$;

create table projects (
    project_id text collate "C" primary key,
    slug text collate "C" not null,
    name text collate "C" not null,
    vertical text collate "C" not null,
    created_at bigint not null
);

create unique index projects_slug on projects (slug);

create table environments (
    environment_id text collate "C" primary key,
    project_id text collate "C" not null references projects (project_id),
    slug text collate "C" not null,
    kind text collate "C" not null,
    name text collate "C" not null,
    vertical text collate "C" not null,
    created_at bigint not null,
    settings text not null default '{}',
    -- It grows with each change of anything that configures the environment, in whatever table.
    revision bigint not null default 1
);

create unique index environments_slug on environments (project_id, slug);
create unique index environments_one_live on environments (project_id) where kind = 'live';

create table secrets (
    secret_id text collate "C" primary key,
    environment_id text collate "C" not null references environments (environment_id),
    secret_hash bytea not null,
    last_four text collate "C" not null,
    created_at bigint not null,
    revoked_at bigint,
    used_at bigint
) with (fillfactor = 50); -- one row is changed often, for its time of use

create unique index secrets_hash on secrets (environment_id, secret_hash);

create table public_tokens (
    public_token text collate "C" primary key,
    environment_id text collate "C" not null references environments (environment_id),
    created_at bigint not null
);

create index public_tokens_environment on public_tokens (environment_id);

create table workspace_keys (
    workspace_key_id text collate "C" primary key,
    name text collate "C" not null,
    secret_hash bytea not null,
    last_four text collate "C" not null,
    created_at bigint not null,
    used_at bigint,
    revoked_at bigint
);

create table rbac_policies (
    environment_id text collate "C" primary key references environments (environment_id),
    policy text not null
);

create table jwt_templates (
    environment_id text collate "C" not null references environments (environment_id),
    template_type text collate "C" not null,
    template_content text not null,
    custom_audience text not null,
    primary key (environment_id, template_type)
);

create table redirect_urls (
    environment_id text collate "C" not null references environments (environment_id),
    position bigint not null,
    url text collate "C" not null,
    valid_types text not null,
    primary key (environment_id, position)
);

create unique index redirect_urls_url on redirect_urls (environment_id, url);

create table signing_keys (
    environment_id text collate "C" not null references environments (environment_id),
    kid text collate "C" not null,
    state text collate "C" not null,
    algorithm text collate "C" not null,
    public_jwk text not null,
    sealed_private_key bytea not null,
    created_at bigint not null,
    activated_at bigint,
    retired_at bigint,
    primary key (environment_id, kid)
);

create unique index signing_keys_one_active on signing_keys (environment_id) where state = 'active';
create unique index signing_keys_one_next on signing_keys (environment_id) where state = 'next';
create index signing_keys_kid on signing_keys (kid);

create table profiles (
    environment_id text collate "C" not null references environments (environment_id),
    profile_id text collate "C" not null,
    name text collate "C" not null,
    issuer text collate "C" not null,
    audience text collate "C" not null,
    public_key_type text collate "C" not null,
    jwks_url text collate "C",
    attribute_mapping text not null,
    can_jit_provision bigint not null,
    algorithms text not null,
    leeway_seconds bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    revision bigint not null,
    key_sources text not null default '[]',
    keys_stale_limit bigint not null default 86400,
    max_age_seconds bigint,
    max_lifetime_seconds bigint not null default 31622400,
    require_exp bigint not null default 1,
    additional_audiences text not null default '[]',
    single_audience bigint not null default 0,
    audience_claim text collate "C" not null default 'aud',
    issuer_check text collate "C" not null default 'exact',
    typ text not null default '["absent","JWT","at+jwt","id_token+jwt"]',
    conditions text not null default '[]',
    replay text collate "C" not null default 'off',
    trust_email bigint not null default 1,
    organizations text not null default '[]',
    session_ends_with_token bigint not null default 0,
    rotate_session_token bigint not null default 0,
    enabled bigint not null default 1,
    kept_claims text not null default '[]',
    primary key (environment_id, profile_id)
);

-- Operators choose profile ids, so an id can come back. Its new profile goes on counting where the deleted one
-- stopped: otherwise what was decided or cached for the old one would pass for the new one.
create table deleted_profiles (
    environment_id text collate "C" not null references environments (environment_id),
    profile_id text collate "C" not null,
    revision bigint not null,
    primary key (environment_id, profile_id)
);

create table pem_files (
    environment_id text collate "C" not null,
    profile_id text collate "C" not null,
    position bigint not null,
    pem_file_id text collate "C" not null,
    public_key text not null,
    primary key (environment_id, profile_id, position),
    foreign key (environment_id, profile_id) references profiles (environment_id, profile_id) on delete cascade
);

create table kept_keys (
    environment_id text collate "C" not null,
    profile_id text collate "C" not null,
    source text collate "C" not null,
    document bytea,
    good_at bigint,
    fresh_until bigint,
    tried_at bigint,
    failures bigint not null,
    fault text,
    lease_until bigint not null,
    primary key (environment_id, profile_id, source),
    foreign key (environment_id, profile_id) references profiles (environment_id, profile_id) on delete cascade
);

-- What the tokens of a profile have looked like so far, and what was new about some of them.
create table observations (
    environment_id text collate "C" not null,
    profile_id text collate "C" not null,
    tokens bigint not null,
    claims text not null,
    algorithms text not null,
    kids text not null,
    notices text not null,
    revision bigint not null,
    primary key (environment_id, profile_id),
    foreign key (environment_id, profile_id) references profiles (environment_id, profile_id) on delete cascade
);

-- A token that was used once, until it would be refused for its age anyway. No foreign key: each mark would lock the
-- one row of its profile, which all logins share. Who deletes a profile deletes its marks.
create table replay_marks (
    environment_id text collate "C" not null,
    profile_id text collate "C" not null,
    mark text collate "C" not null,
    created_at bigint not null,
    expires_at bigint not null,
    secret_id text collate "C" not null,
    request_hash bytea not null,
    session_number bigint,
    primary key (environment_id, profile_id, mark)
);

create index replay_marks_expiry on replay_marks (expires_at);

create table organizations (
    organization_id text collate "C" primary key,
    environment_id text collate "C" not null references environments (environment_id),
    name text collate "C" not null,
    slug text collate "C" not null,
    external_id text collate "C",
    settings text not null,
    trusted_metadata text not null,
    created_at bigint not null,
    updated_at bigint not null,
    revision bigint not null
);

create unique index organizations_slug on organizations (environment_id, slug);
create unique index organizations_external_id on organizations (environment_id, external_id)
where external_id is not null;
create index organizations_page on organizations (environment_id, organization_id);

create table members (
    member_id text collate "C" primary key,
    environment_id text collate "C" not null references environments (environment_id),
    organization_id text collate "C" not null references organizations (organization_id) on delete cascade,
    email text collate "C",
    email_verified bigint not null,
    name text collate "C" not null,
    status text collate "C" not null,
    external_id text collate "C",
    external_id_issuer text collate "C",
    roles text not null,
    token_roles text not null,
    is_breakglass bigint not null,
    mfa_enrolled bigint not null,
    mfa_phone_number text collate "C" not null,
    default_mfa_method text collate "C" not null,
    retired_emails text not null,
    trusted_metadata text not null,
    untrusted_metadata text not null,
    created_at bigint not null,
    updated_at bigint not null,
    revision bigint not null
);

create unique index members_external_id on members (organization_id, external_id)
where external_id is not null and status <> 'deleted';
create index members_external_id_anywhere on members (environment_id, external_id)
where external_id is not null and status <> 'deleted';
create index members_page on members (organization_id, member_id);
create index members_of_environment on members (environment_id, member_id);

-- Who holds an address of an organization, now or as a retired one; deleted members hold none.
create table member_emails (
    organization_id text collate "C" not null references organizations (organization_id) on delete cascade,
    email text collate "C" not null,
    member_id text collate "C" not null references members (member_id) on delete cascade,
    primary key (organization_id, email)
);

create index member_emails_member on member_emails (member_id);

create table users (
    user_id text collate "C" primary key,
    environment_id text collate "C" not null references environments (environment_id),
    email text collate "C",
    email_id text collate "C",
    email_verified bigint not null,
    phone_number text collate "C",
    phone_id text collate "C",
    name text not null,
    status text collate "C" not null,
    external_id text collate "C",
    external_id_issuer text collate "C",
    roles text not null,
    token_roles text not null,
    trusted_metadata text not null,
    untrusted_metadata text not null,
    created_at bigint not null,
    updated_at bigint not null,
    revision bigint not null
);

create unique index users_email on users (environment_id, email) where email is not null;
create unique index users_phone_number on users (environment_id, phone_number) where phone_number is not null;
create unique index users_external_id on users (environment_id, external_id) where external_id is not null;
create index users_page on users (environment_id, user_id);

-- Operators are users of Assay's own environment; here is what only operators have.
create table operator_passwords (
    user_id text collate "C" primary key references users (user_id) on delete cascade,
    password_hash text not null,
    changed_at bigint not null
);

-- One-time links, by the hash of their token. The one for the first operator of all belongs to no user yet.
create table operator_links (
    token_hash bytea primary key,
    user_id text collate "C" references users (user_id) on delete cascade,
    created_at bigint not null,
    expires_at bigint not null
);

create index operator_links_user on operator_links (user_id);

-- Tries to sign in, by the hash of what they are counted for: an account, or an address.
create table sign_in_tries (
    name bytea primary key,
    tries bigint not null,
    last_at bigint not null,
    blocked_until bigint not null
);

create index sign_in_tries_age on sign_in_tries (last_at);

-- The number is in the token and in the id, so neither needs an index, and new rows land at the end. Its top bits are
-- the time of creation, so that a range of numbers is a month, and a month in which nothing lives is dropped whole.
create table sessions (
    number bigint primary key,
    id_tail bigint not null,
    started_at bigint not null,
    last_accessed_at bigint not null,
    expires_at bigint not null,
    revoked_at bigint,
    revision bigint not null,
    environment_id text collate "C" not null,
    kind text collate "C" not null,
    token_hash bytea not null,
    subject_kind text collate "C" not null,
    subject_id text collate "C" not null,
    organization_id text collate "C",
    factors text not null,
    custom_claims text not null
) partition by range (number);

create index sessions_subject on sessions (subject_id);
create index sessions_organization on sessions (organization_id) where organization_id is not null;

-- What no month holds goes here, so that nothing is ever refused; a part of each page stays free for what changes.
create table sessions_rest partition of sessions default with (fillfactor = 85);

-- Attempts and events get their numbers from here, in the order in which they are written, whoever writes them.
create sequence records_number as bigint;

-- Months go by the time of creation.
create table attempts (
    number bigint not null default nextval('records_number'),
    created_at bigint not null,
    milliseconds bigint,
    verified bigint not null default 0,
    environment_id text collate "C" not null,
    request_id text collate "C" not null,
    profile_id text collate "C" not null,
    outcome text collate "C" not null,
    code text collate "C" not null,
    reason text not null,
    details text not null,
    subject_id text collate "C",
    organization_id text collate "C",
    session_id text collate "C",
    issuer text collate "C",
    subject text collate "C",
    token_id text collate "C",
    kid text collate "C",
    algorithm text collate "C",
    kept_claims text not null default '{}',
    primary key (number, created_at)
) partition by range (created_at);

create index attempts_environment on attempts (environment_id, number);
create index attempts_time on attempts (environment_id, created_at, profile_id, outcome);

create table attempts_rest partition of attempts default;

create table events (
    number bigint primary key default nextval('records_number'),
    environment_id text collate "C",
    action text collate "C" not null,
    target text collate "C" not null,
    actor text collate "C" not null,
    request_id text collate "C" not null,
    details text not null,
    created_at bigint not null
);

create index events_environment on events (environment_id, number);
