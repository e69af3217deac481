-- profile_is_there
-- A row if the environment has the profile; marks have no foreign key that would tell.
select 1 from profiles where environment_id = :environment_id and profile_id = :profile_id

-- delete_profile
-- The profile, and with it its PEM files and its marks.
with marks as (delete from replay_marks where environment_id = :environment_id and profile_id = :profile_id)
delete from profiles where environment_id = :environment_id and profile_id = :profile_id

-- delete_all_profiles
-- Profiles, and with them their PEM files, their marks and the keys fetched for them.
with marks as (delete from replay_marks where environment_id in ({doomed}))
delete from profiles where environment_id in ({doomed})

-- forget_attempts
-- The oldest attempts, as long as they are older than is kept, some at a time.
delete from attempts where (number, created_at) in (
    select a.number, a.created_at from (select number, created_at from attempts order by number limit :limit) a
    where a.created_at < :attempts_before)

-- anything_to_forget
-- Whether there is a mark or an attempt to be forgotten; the oldest attempt speaks for all.
select exists (select 1 from replay_marks where expires_at <= :now)
    or exists (select 1 from (select created_at from attempts order by number limit 1) a
        where a.created_at < :attempts_before)

-- search_attempts_after
-- The attempts of an environment that match and follow a number, oldest first.
select number, {attempt} from attempts
where environment_id = :environment_id and {attempt_matches} and number > :after::bigint and number <= :settled
order by number limit :limit

-- search_all_attempts_after
-- As search_attempts_after, in all environments.
select number, {attempt} from attempts
where {attempt_matches} and number > :after::bigint and number <= :settled
order by number limit :limit

-- events_after
-- Events of an environment that came after one of a number, oldest first, each with its number.
select number, {event} from events
where environment_id = :environment_id and number > :number and number <= :settled
order by number
limit :limit

-- all_events_after
-- The same for all environments.
select number, {event} from events where number > :number and number <= :settled order by number limit :limit

-- newest_number
-- The newest number that an attempt or an event has been given.
select last_value from records_number

-- oldest_writing
-- The number before which everything is settled: what comes later may stand in a transaction that is still open.
-- Whoever writes records holds a lock named after the newest number of the moment, of which 32 bits are kept.
select min(:newest - ((:newest - l.objid::bigint) & 4294967295))
from pg_locks l
where l.locktype = 'advisory' and l.objsubid = 1 and l.classid = 1095979865 and l.granted
    and ((:newest - l.objid::bigint) & 4294967295) < 2147483648
    and l.database = (select d.oid from pg_database d where d.datname = current_database())

-- attempt_counts
-- How many attempts there were at some profiles since a time: by profile, outcome and hour.
select profile_id, outcome, created_at / 3600 * 3600 as hour, count(*) from attempts
where environment_id = :environment_id and created_at >= :since
    and profile_id in (select json_array_elements_text(:profile_ids::json))
group by profile_id, outcome, hour

-- attempt_series
-- The newest attempts of an environment, as far as they are not older than a time, counted.
select (a.created_at - :since) / :slice_seconds, a.profile_id, a.outcome, a.milliseconds, count(*)
from (
    select created_at, profile_id, outcome, milliseconds from attempts
    where environment_id = :environment_id order by number desc limit :most) a
where a.created_at >= :since
group by 1, 2, 3, 4 order by 1, 2, 3, 4 nulls first

-- replace_root_key_check
-- The new check value, unless a key was made meanwhile that is still sealed under the old root key.
insert into meta (name, value)
select 'root_key_check', :root_key_check
where not exists (select 1 from signing_keys where kid not in (select json_array_elements_text(:kids::json)))
on conflict (name) do update set value = excluded.value

-- count_sign_in
-- One more try; changes nothing while tries are blocked. After some free ones each try blocks for twice as long.
insert into sign_in_tries (name, tries, last_at, blocked_until) values (:name::bytea, 1, :now, :now)
on conflict (name) do update set
    tries = case when sign_in_tries.last_at < :forgotten_before then 1 else sign_in_tries.tries + 1 end,
    last_at = :now,
    blocked_until = :now + case
        when sign_in_tries.last_at < :forgotten_before or sign_in_tries.tries < :free then 0
        when sign_in_tries.tries - :free >= 6 then :longest
        else least(:longest, 1::bigint << (sign_in_tries.tries - :free + 1)::int) end
where sign_in_tries.blocked_until <= :now

-- forget_sign_ins
-- The tries counted under one name.
delete from sign_in_tries where name = :name::bytea

-- keep_an_owner
-- Changes the operator's row in nothing, and only if another operator is an active owner.
update users set revision = revision
where user_id = :user_id and environment_id = :environment_id
and exists (
    select 1 from users o
    where o.environment_id = :environment_id and o.user_id <> :user_id and o.status = 'active'
        and exists (select 1 from json_array_elements_text(o.roles::json) r (value) where r.value = 'owner'))
