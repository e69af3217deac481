-- What operators manage: workspace keys, and the settings, policy, templates and redirect URLs of environments.

-- The revision of an environment grows with each change of anything that configures it, in whatever table.
alter table environments add column settings text not null default '{}';
alter table environments add column revision integer not null default 1;

create unique index environments_slug on environments (project_id, slug);
create unique index environments_one_live on environments (project_id) where kind = 'live';

alter table secrets add column used_at integer;

create table workspace_keys (
    workspace_key_id text primary key,
    name text not null,
    secret_hash blob not null,
    last_four text not null,
    created_at integer not null,
    used_at integer,
    revoked_at integer
) strict;

create index public_tokens_environment on public_tokens (environment_id);

create table rbac_policies (
    environment_id text primary key references environments (environment_id),
    policy text not null
) strict;

create table jwt_templates (
    environment_id text not null references environments (environment_id),
    template_type text not null,
    template_content text not null,
    custom_audience text not null,
    primary key (environment_id, template_type)
) strict;

create table redirect_urls (
    environment_id text not null references environments (environment_id),
    position integer not null,
    url text not null,
    valid_types text not null,
    primary key (environment_id, position),
    unique (environment_id, url)
) strict;

-- Sessions of one organization are found when all of them are to end.
create index sessions_organization on sessions (organization_id) where organization_id is not null;
