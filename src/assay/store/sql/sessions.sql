-- guard
-- What a session write was decided upon still holds at its commit: secret, profile, session passed in.
exists (
    select 1 from secrets g
    where g.secret_id = :secret_id and g.environment_id = :environment_id and g.revoked_at is null)
and (:profile_id is null or exists (
    select 1 from profiles g
    where g.environment_id = :environment_id and g.profile_id = :profile_id and g.revision = :profile_revision))
and (:profile_revisions is null or not exists (
    select 1 from json_each(:profile_revisions) p
    where not exists (
        select 1 from profiles g
        where g.environment_id = :environment_id and g.profile_id = p.key and g.revision = p.value)))
and (:session_number is null or exists (
    select 1 from sessions g
    where g.number = :session_number and g.environment_id = :environment_id and g.revoked_at is null
        and g.expires_at > :now))

-- start_session
-- A session, if the guard holds and its subject is an active member of the organization or an existing user.
insert into sessions ({session})
select {:session}
where {guard}
and {subject_is_there}

-- subject_is_there
-- Whether the subject of a new session is an active member of the organization or an existing user.
case :subject_kind
    when 'member' then exists (
        select 1 from members m
        where m.member_id = :subject_id and m.organization_id = :organization_id
            and m.environment_id = :environment_id and m.status = 'active')
    when 'user' then exists (
        select 1 from users u where u.user_id = :subject_id and u.environment_id = :environment_id)
end

-- guard_holds
-- Whether a guard that names no session and one profile at most holds, for all writes of a commit that have the same.
select 1 from secrets g
where g.secret_id = :secret_id and g.environment_id = :environment_id and g.revoked_at is null
and (:profile_id is null or exists (
    select 1 from profiles p
    where p.environment_id = :environment_id and p.profile_id = :profile_id and p.revision = :profile_revision))

-- start_guarded_session
-- As start_session, where the guard was found to hold in the same transaction.
insert into sessions ({session})
select {:session}
where {subject_is_there}

-- record_attempt_of_session
-- The attempt that a session came of: its environment is there, because the guard of the session holds.
insert into attempts ({attempt}) values ({:attempt})

-- update_session
-- Change a live session, if the guard holds and its subject is still there; null leaves a field as it is.
update sessions set
    last_accessed_at = case
        when :last_accessed_at > last_accessed_at then :last_accessed_at else last_accessed_at end,
    expires_at = coalesce(:expires_at, expires_at),
    factors = coalesce(:factors, factors),
    custom_claims = coalesce(:custom_claims, custom_claims),
    token_hash = coalesce(:token_hash, token_hash),
    revision = revision + :revision_step
where number = :number and environment_id = :environment_id and revoked_at is null and expires_at > :now
and (:revision is null or revision = :revision)
and {guard}
and case sessions.subject_kind
    when 'member' then exists (
        select 1 from members m
        where m.member_id = sessions.subject_id and m.organization_id = sessions.organization_id
            and m.environment_id = :environment_id and m.status = 'active')
    when 'user' then exists (
        select 1 from users u where u.user_id = sessions.subject_id and u.environment_id = :environment_id)
end

-- note_access
-- When a session was last used; never an earlier time than the one that stands there.
update sessions set last_accessed_at = :accessed_at where number = :number and last_accessed_at < :accessed_at

-- ended_sessions
-- How many of the next sessions in the order of numbers were looked at, the last number, and how many ended long ago.
select count(*), max(number), coalesce(sum(case when {ended_long_ago} then 1 else 0 end), 0)
from (
    select number, expires_at, revoked_at from sessions
    where number > :after_number and number < :before order by number limit :look) s

-- forget_sessions
-- Some of the sessions within two numbers that ended long ago.
delete from sessions where number in (
    select number from sessions
    where number > :after_number and number <= :upto and {ended_long_ago} order by number limit :limit)

-- ended_long_ago
-- Whether a session expired, or was revoked, before a time.
(expires_at < :ended_before or revoked_at < :ended_before)

-- revoke_session
-- End one session that is live.
update sessions set revoked_at = :revoked_at
where number = :number and environment_id = :environment_id and revoked_at is null and expires_at > :revoked_at

-- revoke_sessions_of
-- End every live session of one member or user.
update sessions set revoked_at = :revoked_at
where subject_id = :subject_id and subject_kind = :subject_kind and environment_id = :environment_id
    and revoked_at is null and expires_at > :revoked_at

-- revoke_sessions_of_environment
-- End every live session of an environment, or only those that rest on one profile.
update sessions set revoked_at = :revoked_at
where environment_id = :environment_id and revoked_at is null and expires_at > :revoked_at and {rests_on_profile}

-- revoke_sessions_of_organization
-- The same among the sessions of one organization.
update sessions set revoked_at = :revoked_at
where organization_id = :organization_id and environment_id = :environment_id
    and revoked_at is null and expires_at > :revoked_at and {rests_on_profile}

-- live_sessions
-- How many sessions of an environment are live, of one organization or profile where one is named.
select count(*) from sessions
where environment_id = :environment_id and revoked_at is null and expires_at > :now
    and (:organization_id is null or organization_id = :organization_id) and {rests_on_profile}

-- rests_on_profile
-- Whether a factor of the session is of the profile, if one is named.
(:profile_id is null or exists (
    select 1 from json_each(sessions.factors) f where json_extract(f.value, '$.profile_id') = :profile_id))

-- delete_sessions_of_user
-- All sessions of a user, ended ones included.
delete from sessions
where subject_id = :user_id and subject_kind = 'user' and environment_id = :environment_id

-- delete_sessions_of_organization
-- All sessions of the members of an organization, ended ones included.
delete from sessions
where environment_id = :environment_id and subject_kind = 'member' and subject_id in (
    select m.member_id from members m where m.organization_id = :organization_id)

-- session_stamp
-- What moves whenever anything of a session or of whose it is changes: the view of it holds as long as this is the same.
select s.number, s.revision, s.last_accessed_at, s.expires_at, s.revoked_at, case s.subject_kind
    when 'member' then (
        select m.revision from members m where m.member_id = s.subject_id and m.environment_id = s.environment_id)
    else (select u.revision from users u where u.user_id = s.subject_id and u.environment_id = s.environment_id)
    end
from sessions s where s.number = :number and s.environment_id = :environment_id

-- session_view
-- One session, live or not, with the member or the user whose it is.
select {s.session}, {m.member}, {u.user} from sessions s
left join members m on s.subject_kind = 'member' and m.member_id = s.subject_id and m.environment_id = s.environment_id
left join users u on s.subject_kind = 'user' and u.user_id = s.subject_id and u.environment_id = s.environment_id
where s.number = :number and s.environment_id = :environment_id

-- sessions_of
-- The live sessions of one subject, oldest first.
select {session} from sessions
where subject_id = :subject_id and subject_kind = :subject_kind and environment_id = :environment_id
    and revoked_at is null and expires_at > :now
order by number

-- newest_sessions
-- The numbers of the newest sessions of all environments, as many as are looked at.
select number from sessions where number < :before order by number desc limit :look

-- newest_sessions_of_subject
-- The same of one member or user.
select number from sessions where subject_id = :subject_id and number < :before order by number desc limit :look

-- newest_sessions_of_organization
-- The same of the members of one organization.
select number from sessions
where organization_id = :organization_id and number < :before order by number desc limit :look

-- recent_sessions_floor
-- How many sessions were looked at, and the number of the oldest one.
select count(*), min(number) from ({newest_sessions}) s

-- recent_sessions_floor_of_subject
-- The same of one member or user.
select count(*), min(number) from ({newest_sessions_of_subject}) s

-- recent_sessions_floor_of_organization
-- The same of the members of one organization.
select count(*), min(number) from ({newest_sessions_of_organization}) s

-- recent_sessions
-- A page of sessions of an environment within two numbers, newest first.
select {session} from sessions
where number < :before and number >= :floor and {is_recent}
order by number desc limit :limit

-- recent_sessions_of_subject
-- The same of one member or user.
select {session} from sessions
where subject_id = :subject_id and number < :before and number >= :floor and {is_recent}
order by number desc limit :limit

-- recent_sessions_of_organization
-- The same of the members of one organization.
select {session} from sessions
where organization_id = :organization_id and number < :before and number >= :floor and {is_recent}
order by number desc limit :limit

-- is_recent
-- Whether a session is one of those that are looked for; null looks for all.
environment_id = :environment_id
and (:subject_id is null or subject_id = :subject_id)
and (:organization_id is null or organization_id = :organization_id)
and (:is_live is null or (revoked_at is null and expires_at > :now) = :is_live)
and {rests_on_profile}

-- sessions_alive
-- How many sessions are live, by environment.
select environment_id, count(*) from sessions
where revoked_at is null and expires_at > :now
group by environment_id

-- record_attempt
-- What became of one attest, as long as the environment is there: nothing may be left of a deleted one.
insert into attempts ({attempt})
select {:attempt}
where exists (select 1 from environments e where e.environment_id = :environment_id)

-- record_guarded_attempt
-- The same, only if what the attest was decided upon still holds.
insert into attempts ({attempt})
select {:attempt}
where {guard}

-- record_event
-- One line of the audit record.
insert into events ({event}) values ({:event})

-- attempts
-- The newest attempts of an environment, newest first.
select {attempt} from attempts where environment_id = :environment_id order by number desc limit :limit

-- events
-- The newest events of an environment, newest first.
select {event} from events where environment_id = :environment_id order by number desc limit :limit

-- all_events
-- The newest events of all environments, newest first.
select {event} from events order by number desc limit :limit

-- events_after
-- Events of an environment that came after one of a number, oldest first, each with its number.
select number, {event} from events
where environment_id = :environment_id and number > :number
order by number
limit :limit

-- newest_events
-- The newest events of an environment, newest first, each with its number.
select number, {event} from events where environment_id = :environment_id order by number desc limit :limit

-- all_newest_events
-- The same for all environments.
select number, {event} from events order by number desc limit :limit

-- search_events
-- The newest events of an environment that match, newest first; a null asks for nothing.
select number, {event} from events
where environment_id = :environment_id and {event_matches}
order by number desc limit :limit

-- search_all_events
-- As search_events, in all environments.
select number, {event} from events
where {event_matches}
order by number desc limit :limit

-- event_matches
-- What both searches ask for.
(:action is null or substr(action, 1, length(:action)) = :action)
    and (:target is null or target = :target)
    and (:actor is null or actor = :actor)
    and (:before is null or number < :before)

-- all_events_after
-- The same for all environments.
select number, {event} from events where number > :number order by number limit :limit
