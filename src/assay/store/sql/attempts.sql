-- mark_token
-- A token is used; changes nothing when it was used before and that mark has not expired.
insert into replay_marks ({replay_mark}) values ({:replay_mark})
on conflict (environment_id, profile_id, mark) do update set
    created_at = excluded.created_at, expires_at = excluded.expires_at, secret_id = excluded.secret_id,
    request_hash = excluded.request_hash, session_number = excluded.session_number
where replay_marks.expires_at <= excluded.created_at

-- replay_mark
-- The mark of one token.
select {replay_mark} from replay_marks
where environment_id = :environment_id and profile_id = :profile_id and mark = :mark

-- forget_replay_marks
-- Marks of tokens that would be refused for their age by now, some at a time.
delete from replay_marks where (environment_id, profile_id, mark) in (
    select environment_id, profile_id, mark from replay_marks
    where expires_at <= :now order by expires_at limit :limit)

-- forget_attempts
-- The oldest attempts, as long as they are older than is kept, some at a time.
delete from attempts where number in (
    select number from (select number, created_at from attempts order by number limit :limit)
    where created_at < :attempts_before)

-- anything_to_forget
-- Whether there is a mark or an attempt to be forgotten; the oldest attempt speaks for all.
select exists (select 1 from replay_marks where expires_at <= :now)
    or exists (select 1 from (select created_at from attempts order by number limit 1)
        where created_at < :attempts_before)

-- search_attempts
-- The newest attempts of an environment that match, newest first; a null asks for nothing.
select number, {attempt} from attempts
where environment_id = :environment_id and {attempt_matches}
order by number desc limit :limit

-- search_attempts_after
-- The attempts of an environment that match and follow a number, oldest first.
select number, {attempt} from attempts
where environment_id = :environment_id and {attempt_matches} and number > :after
order by number limit :limit

-- search_all_attempts
-- As search_attempts, in all environments.
select number, {attempt} from attempts
where {attempt_matches}
order by number desc limit :limit

-- search_all_attempts_after
-- As search_attempts_after, in all environments.
select number, {attempt} from attempts
where {attempt_matches} and number > :after
order by number limit :limit

-- attempt_counts
-- How many attempts there were at some profiles since a time: by profile, outcome and hour.
select profile_id, outcome, created_at / 3600 * 3600 as hour, count(*) from attempts
where environment_id = :environment_id and created_at >= :since
    and profile_id in (select value from json_each(:profile_ids))
group by profile_id, outcome, hour

-- attempt_series
-- The newest attempts of an environment, as far as they are not older than a time, counted.
select (created_at - :since) / :slice_seconds, profile_id, outcome, milliseconds, count(*)
from (
    select created_at, profile_id, outcome, milliseconds from attempts
    where environment_id = :environment_id order by number desc limit :most)
where created_at >= :since
group by 1, 2, 3, 4 order by 1, 2, 3, 4

-- attempt_matches
-- What all searches ask for.
(:request_id is null or request_id = :request_id)
    and (:profile_id is null or profile_id = :profile_id)
    and (:outcome is null or outcome = :outcome)
    and (:code is null or code = :code)
    and (:issuer is null or issuer = :issuer)
    and (:subject is null or subject = :subject)
    and (:token_id is null or token_id = :token_id)
    and (:kid is null or kid = :kid)
    and (:subject_id is null or subject_id = :subject_id)
    and (:organization_id is null or organization_id = :organization_id)
    and (:since is null or created_at >= :since)
    and (:until is null or created_at < :until)
    and (:before is null or number < :before)

-- observations
-- What the tokens of one profile have looked like so far.
select {observations} from observations where environment_id = :environment_id and profile_id = :profile_id

-- observe
-- The next revision of what was seen, or the first; changes nothing when others have added to it since it was read.
insert into observations ({observations})
select {:observations}
where :known = 0 or exists (
    select 1 from observations o where o.environment_id = :environment_id and o.profile_id = :profile_id)
on conflict (environment_id, profile_id) do update set
    tokens = excluded.tokens, claims = excluded.claims, algorithms = excluded.algorithms, kids = excluded.kids,
    notices = excluded.notices, revision = excluded.revision
where observations.revision = :known
