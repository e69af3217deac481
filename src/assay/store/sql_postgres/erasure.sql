-- find_erased_subjects
-- What issuers call the person in tokens that logged it in, as pairs of issuer and subject.
select distinct coalesce(issuer, ''), subject from attempts
where environment_id = :environment_id and subject_id = :subject_id and subject is not null

-- erased_sessions
-- What the ids of the person's sessions are made of, as attempts and events name them.
select subject_kind, kind, number, id_tail from sessions
where subject_id = :subject_id and subject_kind = :subject_kind and environment_id = :environment_id

-- find_erased_attempts
-- The attempts after a number that made or changed the person's sessions or were refused to a token that calls its
-- bearer what issuers call the person; and those that may tell of it, for a closer look.
select number, (subject_id = :subject_id or session_id = any(:sessions)
        or subject_id is null and (coalesce(issuer, ''), subject) in (
            select p.issuer, p.subject from unnest(:issuers, :subjects) p (issuer, subject))) is true,
    reason, details, coalesce(subject, ''), coalesce(token_id, ''), kept_claims
from attempts
where environment_id = :environment_id and number > :seen and (
    subject_id = :subject_id or session_id = any(:sessions)
    or subject_id is null and (coalesce(issuer, ''), subject) in (
        select p.issuer, p.subject from unnest(:issuers, :subjects) p (issuer, subject))
    or exists (
        select 1 from unnest(:parts || array['…']) p (part)
        where strpos(lowered(concat(reason, details, subject, token_id, kept_claims)), p.part) > 0))

-- erase_attempts
-- The attempts of these numbers.
delete from attempts where number = any(:numbers)

-- find_erased_events
-- The events after a number that are about the person or its sessions, or by it; and those that may tell of either.
select number, actor = :subject_id or target = any(:sessions), target, details
from events
where environment_id = :environment_id and number > :seen and (
    actor = :subject_id or target = any(:sessions) or strpos(details, 'session-') > 0
    or exists (
        select 1 from unnest(:parts || array['…']) p (part) where strpos(lowered(concat(target, details)), p.part) > 0))

-- erase_events
-- The events of these numbers.
delete from events where number = any(:numbers)

-- person_counts
-- How many sessions would go with a person.
select count(*) from sessions
where subject_id = :subject_id and subject_kind = :subject_kind and environment_id = :environment_id
