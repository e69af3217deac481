-- Key sources of profiles, and what was fetched from them.

alter table profiles add column key_sources text not null default '[]';
alter table profiles add column keys_stale_limit integer not null default 86400;

create table kept_keys (
    environment_id text not null,
    profile_id text not null,
    source text not null,
    document blob,
    good_at integer,
    fresh_until integer,
    tried_at integer,
    failures integer not null,
    fault text,
    lease_until integer not null,
    primary key (environment_id, profile_id, source),
    foreign key (environment_id, profile_id) references profiles (environment_id, profile_id) on delete cascade
) strict;
