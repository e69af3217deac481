-- erase_member
-- One member for good, deleted or not, and with it the addresses it claims.
delete from members where member_id = :subject_id and environment_id = :environment_id

-- erase_user
-- One user.
delete from users where user_id = :subject_id and environment_id = :environment_id

-- erased_sessions
-- The ids of the person's sessions, as attempts and events name them.
select session_id(s.subject_kind, s.kind, s.number, s.id_tail) from sessions s
where s.subject_id = :subject_id and s.subject_kind = :subject_kind and s.environment_id = :environment_id

-- find_erased_subjects
-- What issuers call the person in tokens that logged it in, as pairs of issuer and subject.
select json_group_array(json_array(found.issuer, found.subject)) from (
    select distinct coalesce(issuer, '') as issuer, subject from attempts
    where environment_id = :environment_id and subject_id = :subject_id and subject is not null) found

-- erased_attempts
-- Whether an attempt made or changed the person's sessions, tells of it anywhere, or was refused to a token that
-- calls its bearer what issuers call the person.
environment_id = :environment_id and (
    subject_id = :subject_id or session_id in ({erased_sessions})
    or tells_of(:traces, reason) or tells_of_json(:traces, details)
    or tells_of(:traces, coalesce(subject, '')) or tells_of(:traces, coalesce(token_id, ''))
    or tells_of_json(:traces, kept_claims)
    or subject_id is null and (coalesce(issuer, ''), subject) in (
        select json_extract(value, '$[0]'), json_extract(value, '$[1]') from json_each(:subjects)))

-- find_erased_attempts
-- The newest attempt, and the numbers of all such attempts.
select coalesce(max(number), 0), (
    select json_group_array(found.number) from (select number from attempts where {erased_attempts}) found)
from attempts

-- erase_attempts
-- All such attempts, of those that were found before and those that came later.
delete from attempts
where (number > :attempts_seen or number in (select value from json_each(:attempts))) and {erased_attempts}

-- erased_events
-- Whether an event is about the person or its sessions, or by it, or tells of either anywhere. The newest are the
-- tombstones of this very write, which stay.
environment_id = :environment_id and number <= (select max(newest.number) from events newest) - :tombstones and (
    actor = :subject_id or target in ({erased_sessions})
    or tells_of(:traces, target) or tells_of_json(:traces, details)
    or instr(details, 'session-') > 0 and exists (
        select 1 from json_tree(events.details) d where d.atom in ({erased_sessions})))

-- find_erased_events
-- The newest event, and the numbers of all such events.
select coalesce(max(number), 0), (
    select json_group_array(found.number) from (select number from events where {erased_events}) found)
from events

-- erase_events
-- All such events, of those that were found before and those that came later.
delete from events
where (number > :events_seen or number in (select value from json_each(:events))) and {erased_events}

-- person_counts
-- How many sessions, attempts and events would go with a person.
select
    (select count(*) from sessions
        where subject_id = :subject_id and subject_kind = :subject_kind and environment_id = :environment_id),
    (select count(*) from attempts where {erased_attempts}),
    (select count(*) from events where {erased_events})

-- erase_sessions
-- All sessions of the person, ended ones included.
delete from sessions
where subject_id = :subject_id and subject_kind = :subject_kind and environment_id = :environment_id
