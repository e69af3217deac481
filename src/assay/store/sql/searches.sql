-- search_organizations
-- A page of organizations.
select {organization} from organizations
where environment_id = :environment_id and organization_id > :after and ({conditions})
order by organization_id
limit :limit

-- count_organizations
-- How many organizations match on all pages.
select count(*) from organizations where environment_id = :environment_id and ({conditions})

-- search_members
-- A page of the members of some organizations; deleted ones only when the search names them.
select {member} from members
where organization_id in (select value from json_each(:organization_ids)) and environment_id = :environment_id
    and member_id > :after and (:with_deleted = 1 or status <> 'deleted') and ({conditions})
order by member_id
limit :limit

-- count_members
-- How many members match on all pages.
select count(*) from members
where organization_id in (select value from json_each(:organization_ids)) and environment_id = :environment_id
    and (:with_deleted = 1 or status <> 'deleted') and ({conditions})

-- search_all_members
-- A page of the members of an environment; deleted ones only when the search names them.
select {member} from members
where environment_id = :environment_id and member_id > :after
    and (:with_deleted = 1 or status <> 'deleted') and ({conditions})
order by member_id
limit :limit

-- count_all_members
-- How many members match on all pages.
select count(*) from members
where environment_id = :environment_id and (:with_deleted = 1 or status <> 'deleted') and ({conditions})

-- search_users
-- A page of users.
select {user} from users
where environment_id = :environment_id and user_id > :after and ({conditions})
order by user_id
limit :limit

-- count_users
-- How many users match on all pages.
select count(*) from users where environment_id = :environment_id and ({conditions})

-- values
-- The elements of a filter's list.
select value from json_each(:value)

-- everything
-- The condition of a search without filters.
1 = 1

-- organizations.organization_ids
-- Our own ids or external ids.
(organization_id in ({values}) or external_id in ({values}))

-- organizations.organization_slugs
-- Slugs.
slug in ({values})

-- organizations.organization_name_fuzzy
-- Part of the name.
lower(name) like :value escape '\'

-- organizations.organization_slug_fuzzy
-- Part of the slug.
lower(slug) like :value escape '\'

-- organizations.member_emails
-- Addresses of members that are not deleted.
exists (
    select 1 from members m
    where m.organization_id = organizations.organization_id and m.status <> 'deleted' and m.email in ({values}))

-- organizations.member_email_fuzzy
-- Part of an address of a member that is not deleted.
exists (
    select 1 from members m
    where m.organization_id = organizations.organization_id and m.status <> 'deleted'
        and lower(m.email) like :value escape '\')

-- organizations.allowed_domains
-- Domains from which people may join.
exists (
    select 1 from json_each(organizations.settings, '$.email_allowed_domains') d
    where lower(d.value) in (select lower(value) from json_each(:value)))

-- organizations.allowed_domain_fuzzy
-- Part of such a domain.
exists (
    select 1 from json_each(organizations.settings, '$.email_allowed_domains') d
    where lower(d.value) like :value escape '\')

-- organizations.claimed_email_domains
-- Domains that the organization has claimed.
exists (
    select 1 from json_each(organizations.settings, '$.claimed_email_domains') d
    where lower(d.value) in (select lower(value) from json_each(:value)))

-- members.member_ids
-- Our own ids or external ids.
(member_id in ({values}) or external_id in ({values}))

-- members.member_emails
-- Addresses held now.
email in ({values})

-- members.member_email_fuzzy
-- Part of the address held now.
lower(email) like :value escape '\'

-- members.member_is_breakglass
-- Members that may always use another way to log in, or those who may not.
is_breakglass = :value

-- members.statuses
-- Statuses.
status in ({values})

-- members.member_mfa_phone_numbers
-- Phone numbers.
mfa_phone_number in ({values})

-- members.member_mfa_phone_number_fuzzy
-- Part of the phone number.
mfa_phone_number like :value escape '\'

-- members.member_phone_numbers
-- The older name of member_mfa_phone_numbers.
mfa_phone_number in ({values})

-- members.member_phone_number_fuzzy
-- The older name of member_mfa_phone_number_fuzzy.
mfa_phone_number like :value escape '\'

-- members.member_roles
-- Explicit roles; everybody has the default role stytch_member.
('stytch_member' in ({values}) or exists (
    select 1 from json_each(members.roles) r where r.value in ({values})))

-- users.created_at_greater_than
-- Made after a time.
created_at > :value

-- users.created_at_less_than
-- Made before a time.
created_at < :value

-- users.created_at_between
-- Made after one time and before another.
(created_at > :value_greater_than and created_at < :value_less_than)

-- users.status
-- One status.
status = :value

-- users.user_id
-- Our own ids or external ids.
(user_id in ({values}) or external_id in ({values}))

-- users.full_name_fuzzy
-- Part of the name, its parts joined by single spaces.
lower(
    trim(json_extract(name, '$.first_name') || ' ' || json_extract(name, '$.middle_name'))
    || ' ' || json_extract(name, '$.last_name')
) like :value escape '\'

-- users.phone_number
-- Phone numbers.
phone_number in ({values})

-- users.phone_id
-- Ids of phone numbers.
phone_id in ({values})

-- users.phone_number_fuzzy
-- Part of the phone number.
phone_number like :value escape '\'

-- users.email_address
-- Addresses.
email in ({values})

-- users.email_id
-- Ids of addresses.
email_id in ({values})

-- users.email_verified
-- Users with an address that is verified, or with one that is not.
(email is not null and email_verified = :value)

-- users.email_address_fuzzy
-- Part of the address.
lower(email) like :value escape '\'
