-- search_members
-- A page of the members of some organizations; deleted ones only when the search names them.
select {member} from members
where organization_id in (select json_array_elements_text(:organization_ids::json)) and environment_id = :environment_id
    and member_id > :after and (:with_deleted = 1 or status <> 'deleted') and ({conditions})
order by member_id
limit :limit

-- count_members
-- How many members match on all pages.
select count(*) from members
where organization_id in (select json_array_elements_text(:organization_ids::json)) and environment_id = :environment_id
    and (:with_deleted = 1 or status <> 'deleted') and ({conditions})

-- values
-- The elements of a filter's list.
select json_array_elements_text(:value::json)

-- organizations.organization_name_fuzzy
-- Part of the name.
lowered(name) like :value escape '\'

-- organizations.organization_slug_fuzzy
-- Part of the slug.
lowered(slug) like :value escape '\'

-- organizations.member_email_fuzzy
-- Part of an address of a member that is not deleted.
exists (
    select 1 from members m
    where m.organization_id = organizations.organization_id and m.status <> 'deleted'
        and lowered(m.email) like :value escape '\')

-- organizations.allowed_domains
-- Domains from which people may join.
exists (
    select 1 from json_array_elements_text(organizations.settings::json -> 'email_allowed_domains') d (value)
    where lowered(d.value) in (select lowered(v.value) from json_array_elements_text(:value::json) v (value)))

-- organizations.allowed_domain_fuzzy
-- Part of such a domain.
exists (
    select 1 from json_array_elements_text(organizations.settings::json -> 'email_allowed_domains') d (value)
    where lowered(d.value) like :value escape '\')

-- organizations.claimed_email_domains
-- Domains that the organization has claimed.
exists (
    select 1 from json_array_elements_text(organizations.settings::json -> 'claimed_email_domains') d (value)
    where lowered(d.value) in (select lowered(v.value) from json_array_elements_text(:value::json) v (value)))

-- members.member_email_fuzzy
-- Part of the address held now.
lowered(email) like :value escape '\'

-- members.member_is_breakglass
-- Members that may always use another way to log in, or those who may not.
is_breakglass = :value::bigint

-- members.member_mfa_phone_number_fuzzy
-- Part of the phone number.
lowered(mfa_phone_number) like :value escape '\'

-- members.member_phone_number_fuzzy
-- The older name of member_mfa_phone_number_fuzzy.
lowered(mfa_phone_number) like :value escape '\'

-- members.member_roles
-- Explicit roles; everybody has the default role stytch_member.
('stytch_member' in ({values}) or exists (
    select 1 from json_array_elements_text(members.roles::json) r (value) where r.value in ({values})))

-- users.created_at_greater_than
-- Made after a time.
created_at > :value::bigint

-- users.created_at_less_than
-- Made before a time.
created_at < :value::bigint

-- users.created_at_between
-- Made after one time and before another.
(created_at > :value_greater_than::bigint and created_at < :value_less_than::bigint)

-- users.full_name_fuzzy
-- Part of the name, its parts joined by single spaces.
lowered(
    trim((name::json ->> 'first_name') || ' ' || (name::json ->> 'middle_name'))
    || ' ' || (name::json ->> 'last_name')
) like :value escape '\'

-- users.phone_number_fuzzy
-- Part of the phone number.
lowered(phone_number) like :value escape '\'

-- users.email_verified
-- Users with an address that is verified, or with one that is not.
(email is not null and email_verified = :value::bigint)

-- users.email_address_fuzzy
-- Part of the address.
lowered(email) like :value escape '\'

-- profile_page
-- Some profiles of an environment, oldest first, after a place in that order; a null pattern asks for nothing.
select {profile} from profiles
where environment_id = :environment_id and (created_at, profile_id) > (:after_created_at, :after_profile_id)
    and (:pattern is null or lowered(name) like :pattern escape '\' or lowered(issuer) like :pattern escape '\'
        or lowered(profile_id) like :pattern escape '\')
order by created_at, profile_id limit :limit
