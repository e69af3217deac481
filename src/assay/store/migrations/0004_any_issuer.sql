-- The rest of what a profile can say, replay marks, fuller attempts, and what has been seen of each issuer.

alter table profiles add column max_age_seconds integer;
alter table profiles add column max_lifetime_seconds integer not null default 31622400;
alter table profiles add column require_exp integer not null default 1;
alter table profiles add column additional_audiences text not null default '[]';
alter table profiles add column single_audience integer not null default 0;
alter table profiles add column audience_claim text not null default 'aud';
alter table profiles add column issuer_check text not null default 'exact';
alter table profiles add column typ text not null default '["absent","JWT","at+jwt","id_token+jwt"]';
alter table profiles add column conditions text not null default '[]';
alter table profiles add column replay text not null default 'off';
alter table profiles add column trust_email integer not null default 1;
alter table profiles add column organizations text not null default '[]';
alter table profiles add column session_ends_with_token integer not null default 0;
alter table profiles add column rotate_session_token integer not null default 0;
alter table profiles add column enabled integer not null default 1;
alter table profiles add column kept_claims text not null default '[]';

-- A token that was used once, until it would be refused for its age anyway.
create table replay_marks (
    environment_id text not null,
    profile_id text not null,
    mark text not null,
    created_at integer not null,
    expires_at integer not null,
    secret_id text not null,
    request_hash blob not null,
    session_number integer,
    primary key (environment_id, profile_id, mark),
    foreign key (environment_id, profile_id) references profiles (environment_id, profile_id) on delete cascade
) strict;

create index replay_marks_expiry on replay_marks (expires_at);

alter table attempts add column issuer text;
alter table attempts add column subject text;
alter table attempts add column token_id text;
alter table attempts add column kid text;
alter table attempts add column algorithm text;
alter table attempts add column verified integer not null default 0;
alter table attempts add column kept_claims text not null default '{}';
alter table attempts add column milliseconds integer;

-- What the tokens of a profile have looked like so far, and what was new about some of them.
create table observations (
    environment_id text not null,
    profile_id text not null,
    tokens integer not null,
    claims text not null,
    algorithms text not null,
    kids text not null,
    notices text not null,
    revision integer not null,
    primary key (environment_id, profile_id),
    foreign key (environment_id, profile_id) references profiles (environment_id, profile_id) on delete cascade
) strict;
