-- callers
-- As caller, for each row of i.
select i.place, {e.environment}, {s.secret}, k.kid
from i
cross join lateral (
    select * from secrets where environment_id = i.environment_id and secret_hash = i.secret_hash
        and revoked_at is null limit 1) s
join environments e on e.environment_id = s.environment_id
left join signing_keys k on k.environment_id = s.environment_id and k.state = 'active'

-- live_secrets
-- As secret_is_live, for each row of i.
select i.place from i
where exists (
    select 1 from secrets s
    where s.secret_id = i.secret_id and s.environment_id = i.environment_id and s.revoked_at is null)

-- profiles_of_keys
-- As profile, for each row of i; last come the PEM files in their order, if the profile has them.
select i.place, {p.profile}, (
    select json_agg(json_build_array({f.pem_file}) order by f.position)::text from pem_files f
    where p.public_key_type = 'PEM' and f.environment_id = p.environment_id and f.profile_id = p.profile_id)
from i
cross join lateral (
    select * from profiles where environment_id = i.environment_id and profile_id = i.profile_id limit 1) p

-- organizations_of_references
-- The organization with this id, else the one with this external id, else (by_slug) with this slug, for each row of i.
select i.place, {o.organization}
from i
cross join lateral (
    select {organization} from (
        select 1 as nearness, {organization} from organizations
        where i.is_own = 1 and organization_id = i.reference and environment_id = i.environment_id
        union all
        select 2, {organization} from organizations
        where i.is_own = 0 and environment_id = i.environment_id and external_id = i.reference
        union all
        select 3, {organization} from organizations
        where i.is_own = 0 and i.by_slug = 1 and environment_id = i.environment_id and slug = i.reference) n
    order by nearness limit 1) o

-- member_candidates
-- Whoever has the external id, and whoever holds the address, for each row of i; once, when they are one.
select i.place, m.member_id = x.member_id, m.member_id = a.member_id, {m.member}
from i
left join lateral (
    select member_id from members
    where organization_id = i.organization_id and external_id = i.external_id and status <> 'deleted' limit 1) x on true
left join lateral (
    select member_id from member_emails where organization_id = i.organization_id and email = i.email limit 1) a on true
cross join lateral (
    select * from members
    where member_id = any(array[x.member_id, a.member_id]) and environment_id = i.environment_id limit 2) m

-- user_candidates
-- Whoever has the external id, and whoever holds the address, for each row of i; once, when they are one.
select i.place, u.external_id = i.external_id, u.email = i.email, {u.user}
from i
cross join lateral (
    select * from users where environment_id = i.environment_id and external_id = i.external_id
    union
    select * from users where environment_id = i.environment_id and email = i.email) u

-- session_views
-- One session, live or not, with its subject and the organization of it, each of them null where it is gone, for each
-- row of i.
select i.place, {s.session}, {m.member}, {o.organization}, {u.user}
from i
cross join lateral (select * from sessions where number = i.number and environment_id = i.environment_id limit 1) s
left join lateral (
    select * from members
    where s.subject_kind = 'member' and member_id = s.subject_id and environment_id = s.environment_id limit 1) m
    on true
left join lateral (
    select * from organizations
    where s.subject_kind = 'member' and organization_id = s.organization_id and environment_id = s.environment_id
    limit 1) o on true
left join lateral (
    select * from users
    where s.subject_kind = 'user' and user_id = s.subject_id and environment_id = s.environment_id limit 1) u on true

-- configurations
-- What is set for an environment, and its revision, for each row of i.
select i.place, e.revision, r.policy,
    (select json_agg(json_build_array({t.jwt_template}) order by t.template_type)::text from jwt_templates t
    where t.environment_id = e.environment_id),
    (select json_agg(json_build_array({l.redirect_url}) order by l.position)::text from redirect_urls l
    where l.environment_id = e.environment_id)
from i
join environments e on e.environment_id = i.environment_id
left join rbac_policies r on r.environment_id = e.environment_id
