-- create_profile
-- A profile; the key on its id decides between two.
insert into profiles ({profile}) values ({:profile})

-- continue_deleted_profile
-- A profile whose id was used before goes on counting where the deleted one stopped (see the migration).
update profiles set revision = revision + (
    select d.revision from deleted_profiles d
    where d.environment_id = :environment_id and d.profile_id = :profile_id)
where environment_id = :environment_id and profile_id = :profile_id and exists (
    select 1 from deleted_profiles d
    where d.environment_id = :environment_id and d.profile_id = :profile_id)

-- replace_profile
-- The next revision of a profile; changes nothing when it has moved on since it was read.
update profiles set
    name = :name, issuer = :issuer, audience = :audience, public_key_type = :public_key_type, jwks_url = :jwks_url,
    attribute_mapping = :attribute_mapping, can_jit_provision = :can_jit_provision, algorithms = :algorithms,
    leeway_seconds = :leeway_seconds, key_sources = :key_sources, keys_stale_limit = :keys_stale_limit,
    max_age_seconds = :max_age_seconds, max_lifetime_seconds = :max_lifetime_seconds, require_exp = :require_exp,
    additional_audiences = :additional_audiences, single_audience = :single_audience,
    audience_claim = :audience_claim, issuer_check = :issuer_check, typ = :typ, conditions = :conditions,
    replay = :replay, trust_email = :trust_email, organizations = :organizations,
    session_ends_with_token = :session_ends_with_token, rotate_session_token = :rotate_session_token,
    enabled = :enabled, kept_claims = :kept_claims,
    updated_at = :updated_at, revision = revision + 1
where environment_id = :environment_id and profile_id = :profile_id and revision = :revision

-- remember_deleted_profile
-- Where the count of revisions stood when the profile was deleted.
insert into deleted_profiles (environment_id, profile_id, revision)
select environment_id, profile_id, revision from profiles
where environment_id = :environment_id and profile_id = :profile_id
on conflict (environment_id, profile_id) do update set revision = excluded.revision

-- delete_profile
-- The profile, and with it its PEM files.
delete from profiles where environment_id = :environment_id and profile_id = :profile_id

-- create_pem_file
-- One PEM file, in its place of the list.
insert into pem_files (environment_id, profile_id, position, {pem_file})
values (:environment_id, :profile_id, :position, {:pem_file})

-- delete_pem_files
-- All PEM files of a profile, before its new list is written.
delete from pem_files where environment_id = :environment_id and profile_id = :profile_id

-- profile
-- One profile by its id.
select {profile} from profiles where environment_id = :environment_id and profile_id = :profile_id

-- profiles
-- All profiles of an environment, oldest first.
select {profile} from profiles where environment_id = :environment_id order by created_at, profile_id

-- profile_page
-- Some profiles of an environment, oldest first, after a place in that order; a null pattern asks for nothing.
select {profile} from profiles
where environment_id = :environment_id and (created_at, profile_id) > (:after_created_at, :after_profile_id)
    and (:pattern is null or lower(name) like :pattern escape '\' or lower(issuer) like :pattern escape '\'
        or lower(profile_id) like :pattern escape '\')
order by created_at, profile_id limit :limit

-- pem_files
-- The PEM files of one profile, in the order of its list.
select {pem_file} from pem_files
where environment_id = :environment_id and profile_id = :profile_id
order by position
