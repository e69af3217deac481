-- guard
-- What a session write was decided upon still holds at its commit: secret, profile, session passed in.
exists (
    select 1 from secrets g
    where g.secret_id = :secret_id and g.environment_id = :environment_id and g.revoked_at is null)
and (:profile_id is null or exists (
    select 1 from profiles g
    where g.environment_id = :environment_id and g.profile_id = :profile_id and g.revision = :profile_revision))
and (:profile_revisions::json is null or not exists (
    select 1 from json_each_text(:profile_revisions::json) p (key, value)
    where not exists (
        select 1 from profiles g
        where g.environment_id = :environment_id and g.profile_id = p.key and g.revision = p.value::bigint)))
and (:session_number is null or exists (
    select 1 from sessions g
    where g.number = :session_number and g.environment_id = :environment_id and g.revoked_at is null
        and g.expires_at > :now))

-- rests_on_profile
-- Whether a factor of the session is of the profile, if one is named.
(:profile_id is null or exists (
    select 1 from json_array_elements(sessions.factors::json) f (value)
    where f.value ->> 'profile_id' = :profile_id))

-- is_recent
-- Whether a session is one of those that are looked for; null looks for all.
environment_id = :environment_id
and (:subject_id is null or subject_id = :subject_id)
and (:organization_id is null or organization_id = :organization_id)
and (:is_live is null or (revoked_at is null and expires_at > :now) = (:is_live = 1))
and {rests_on_profile}
