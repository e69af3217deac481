-- holds_of_batch
-- As guard, of a row of i. Each look-up has a limit: so it stays one by the key, and no table is ever read as a whole.
((
    select true from secrets g
    where g.secret_id = i.guard_secret_id and g.environment_id = i.environment_id and g.revoked_at is null
    limit 1) is true
and (i.guard_profile_id is null or (
    select true from profiles g
    where g.environment_id = i.environment_id and g.profile_id = i.guard_profile_id
        and g.revision = i.guard_profile_revision
    limit 1) is true)
and (i.guard_profile_revisions is null or not exists (
    select 1 from json_each_text(i.guard_profile_revisions::json) p (key, value)
    where (
        select true from profiles g
        where g.environment_id = i.environment_id and g.profile_id = p.key and g.revision = p.value::bigint
        limit 1) is not true))
and (i.guard_session_number is null or (
    select true from sessions g
    where g.number = i.guard_session_number and g.environment_id = i.environment_id and g.revoked_at is null
        and g.expires_at > i.guard_now
    limit 1) is true))

-- profile_of_batch
-- As profile_is_there, of a row of i: also where there is no mark.
(i.mark_mark is null or (
    select true from profiles g where g.environment_id = i.mark_environment_id and g.profile_id = i.mark_profile_id
    limit 1) is true)

-- marks_of_batch
-- As mark_token, of all rows of j that may have theirs; always in one order, so that nobody waits in a circle.
insert into replay_marks ({replay_mark})
select j.mark_environment_id, j.mark_profile_id, j.mark_mark, j.mark_created_at, j.mark_expires_at, j.mark_secret_id,
    j.mark_request_hash, j.mark_session_number
from j where j.mark_mark is not null and j.has_profile and j.holds
order by 1, 2, 3
on conflict (environment_id, profile_id, mark) do update set
    created_at = excluded.created_at, expires_at = excluded.expires_at, secret_id = excluded.secret_id,
    request_hash = excluded.request_hash, session_number = excluded.session_number
where replay_marks.expires_at <= excluded.created_at
returning environment_id, profile_id, mark

-- is_marked
-- Whether the row of j has its mark, or needs none.
(j.mark_mark is null or (j.mark_environment_id, j.mark_profile_id, j.mark_mark) in (
    select marks.environment_id, marks.profile_id, marks.mark from marks))

-- is_used
-- Whether the token of the row of j was used before; asked where what the write rests on does not hold.
(j.mark_mark is not null and j.holds is not true and (
    select true from replay_marks r
    where r.environment_id = j.mark_environment_id and r.profile_id = j.mark_profile_id and r.mark = j.mark_mark
        and r.expires_at > j.mark_created_at
    limit 1) is true)

-- start_sessions
-- As start_session, of all rows of i, with their marks; what was found of each.
with j as materialized (
    select i.*, {profile_of_batch} as has_profile, {holds_of_batch} and case i.subject_kind
        when 'member' then (
            select true from members m
            where m.member_id = i.subject_id and m.organization_id = i.organization_id
                and m.environment_id = i.environment_id and m.status = 'active'
            limit 1)
        when 'user' then (
            select true from users u where u.user_id = i.subject_id and u.environment_id = i.environment_id limit 1)
        end as holds
    from i),
marks as ({marks_of_batch}),
done as (
    insert into sessions ({session})
    select {j.session} from j where j.has_profile and j.holds and {is_marked} order by j.number
    on conflict do nothing
    returning number)
select j.place, j.has_profile, j.holds is true, {is_marked}, {is_used}, j.number in (select done.number from done),
    j.mark_mark is not null
from j

-- update_sessions
-- As update_session, of all rows of i, with their marks; what was found of each.
with j as materialized (
    select i.*, {profile_of_batch} as has_profile, {holds_of_batch} and (
        select true from sessions s
        where s.number = i.number and s.environment_id = i.environment_id and s.revoked_at is null
            and s.expires_at > i.guard_now and (i.revision is null or s.revision = i.revision)
            and case s.subject_kind
                when 'member' then (
                    select true from members m
                    where m.member_id = s.subject_id and m.organization_id = s.organization_id
                        and m.environment_id = i.environment_id and m.status = 'active'
                    limit 1)
                when 'user' then (
                    select true from users u
                    where u.user_id = s.subject_id and u.environment_id = i.environment_id limit 1)
            end
        limit 1) as holds
    from i),
marks as ({marks_of_batch}),
done as (
    update sessions s set
        last_accessed_at = greatest(j.last_accessed_at, s.last_accessed_at),
        expires_at = coalesce(j.expires_at, s.expires_at),
        factors = coalesce(j.factors, s.factors),
        custom_claims = coalesce(j.custom_claims, s.custom_claims),
        token_hash = coalesce(j.token_hash, s.token_hash),
        revision = s.revision + j.revision_step
    from j
    where s.number = j.number and s.environment_id = j.environment_id and s.revoked_at is null
        and s.expires_at > j.guard_now and (j.revision is null or s.revision = j.revision)
        and j.has_profile and j.holds and {is_marked}
    returning s.number)
select j.place, j.has_profile, j.holds is true, {is_marked}, {is_used}, j.number in (select done.number from done),
    j.mark_mark is not null
from j

-- judge_attempts
-- What attempts that changed no session rest on, of all rows of i, with their marks; what was found of each.
with j as materialized (
    select i.*, {profile_of_batch} as has_profile, i.guard_now is null or {holds_of_batch} as holds from i),
marks as ({marks_of_batch})
select j.place, j.has_profile, j.holds is true, {is_marked}, {is_used}, true, j.mark_mark is not null
from j

-- revoke_sessions
-- As revoke_session, of all rows of i; the places of those that were live.
with done as (
    update sessions s set revoked_at = i.revoked_at from i
    where s.number = i.number and s.environment_id = i.environment_id and s.revoked_at is null
        and s.expires_at > i.revoked_at
    returning i.place)
select done.place from done

-- record_attempts
-- As record_attempt, of all rows of i, numbered in their order.
insert into attempts ({attempt})
select {i.attempt} from i
where (select true from environments e where e.environment_id = i.environment_id limit 1) is true
order by i.place

-- record_events
-- As record_event, of all rows of i, numbered in their order.
insert into events ({event}) select {i.event} from i order by i.place
