-- create_organization
-- An organization; the keys on slug and external id decide between two.
insert into organizations ({organization}) values ({:organization})

-- replace_organization
-- The next revision of an organization; changes nothing when it has moved on since it was read.
update organizations set
    name = :name, slug = :slug, external_id = :external_id, settings = :settings,
    trusted_metadata = :trusted_metadata, updated_at = :updated_at, revision = revision + 1
where environment_id = :environment_id and organization_id = :organization_id and revision = :revision

-- delete_organization
-- The organization, and with it its members and their addresses.
delete from organizations where environment_id = :environment_id and organization_id = :organization_id

-- organization_by_id
-- One organization by our own id.
select {organization} from organizations
where organization_id = :reference and environment_id = :environment_id

-- organization_by_external_id
-- One organization by its external id.
select {organization} from organizations
where environment_id = :environment_id and external_id = :reference

-- organization_by_slug
-- One organization by its slug.
select {organization} from organizations
where environment_id = :environment_id and slug = :reference

-- create_member
-- A member, if the environment still has the organization.
insert into members ({member})
select {:member}
where exists (
    select 1 from organizations o
    where o.organization_id = :organization_id and o.environment_id = :environment_id)

-- replace_member
-- The next revision of a member; changes nothing when it has moved on since it was read.
update members set
    email = :email, email_verified = :email_verified, name = :name, status = :status, external_id = :external_id,
    external_id_issuer = :external_id_issuer, roles = :roles, token_roles = :token_roles,
    is_breakglass = :is_breakglass, mfa_enrolled = :mfa_enrolled, mfa_phone_number = :mfa_phone_number,
    default_mfa_method = :default_mfa_method, retired_emails = :retired_emails,
    trusted_metadata = :trusted_metadata, untrusted_metadata = :untrusted_metadata, updated_at = :updated_at,
    revision = revision + 1
where member_id = :member_id and organization_id = :organization_id and environment_id = :environment_id
    and revision = :revision

-- claim_member_email
-- The address is this member's from now on; the key decides between two who want it.
insert into member_emails (organization_id, email, member_id) values (:organization_id, :email, :member_id)

-- release_member_emails
-- All addresses of a member, before the ones it holds now are claimed.
delete from member_emails where member_id = :member_id

-- member_by_id
-- One member, in whatever organization of the environment, deleted or not.
select {member} from members where member_id = :reference and environment_id = :environment_id

-- member_of_organization
-- One member of an organization by our own id, deleted or not.
select {member} from members
where member_id = :reference and organization_id = :organization_id and environment_id = :environment_id

-- member_by_external_id
-- The member with this external id, whoever attached it; never a deleted one.
select {member} from members
where organization_id = :organization_id and external_id = :reference
    and status <> 'deleted' and environment_id = :environment_id

-- member_stamp_by_external_id
-- Who that is, and at which revision.
select member_id, revision from members
where organization_id = :organization_id and external_id = :reference
    and status <> 'deleted' and environment_id = :environment_id

-- members_by_external_id
-- Members of whatever organization with this external id, as many as it takes to know that it names no single one.
select {member} from members
where environment_id = :environment_id and external_id = :external_id and status <> 'deleted'
limit 2

-- member_by_email
-- Whoever holds the address, now or as a retired one; deleted members hold none.
select {member} from members
where environment_id = :environment_id and member_id = (
    select a.member_id from member_emails a where a.organization_id = :organization_id and a.email = :reference)

-- member_stamp_by_email
-- Who that is, and at which revision.
select member_id, revision from members
where environment_id = :environment_id and member_id = (
    select a.member_id from member_emails a where a.organization_id = :organization_id and a.email = :reference)

-- member_count
-- How many members of an organization are not deleted.
select count(*) from members
where organization_id = :organization_id and environment_id = :environment_id and status <> 'deleted'

-- create_user
-- A user; the keys on address, phone number and external id decide between two.
insert into users ({user}) values ({:user})

-- replace_user
-- The next revision of a user; changes nothing when it has moved on since it was read.
update users set
    email = :email, email_id = :email_id, email_verified = :email_verified, phone_number = :phone_number,
    phone_id = :phone_id, name = :name, status = :status, external_id = :external_id,
    external_id_issuer = :external_id_issuer, roles = :roles, token_roles = :token_roles,
    trusted_metadata = :trusted_metadata, untrusted_metadata = :untrusted_metadata, updated_at = :updated_at,
    revision = revision + 1
where user_id = :user_id and environment_id = :environment_id and revision = :revision

-- delete_user
-- The user's row; its address and external id are free again.
delete from users where user_id = :user_id and environment_id = :environment_id

-- user_by_id
-- One user by our own id.
select {user} from users where user_id = :reference and environment_id = :environment_id

-- user_by_external_id
-- The user with this external id, whoever attached it.
select {user} from users where environment_id = :environment_id and external_id = :reference

-- user_stamp_by_external_id
-- Who that is, and at which revision.
select user_id, revision from users where environment_id = :environment_id and external_id = :reference

-- user_stamp_by_email
-- Who that is, and at which revision.
select user_id, revision from users where environment_id = :environment_id and email = :reference
