-- Who signs in to the dashboard. Operators are users of Assay's own environment; here is what only operators have.

create table operator_passwords (
    user_id text primary key references users (user_id) on delete cascade,
    password_hash text not null,
    changed_at integer not null
) strict;

-- One-time links, by the hash of their token. The one for the first operator of all belongs to no user yet.
create table operator_links (
    token_hash blob primary key,
    user_id text references users (user_id) on delete cascade,
    created_at integer not null,
    expires_at integer not null
) strict;

create index operator_links_user on operator_links (user_id);

-- Tries to sign in, by the hash of what they are counted for: an account, or an address.
create table sign_in_tries (
    name blob primary key,
    tries integer not null,
    last_at integer not null,
    blocked_until integer not null
) strict;

create index sign_in_tries_age on sign_in_tries (last_at);
