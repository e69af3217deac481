-- operator_password
-- What is kept of an operator's password.
select {operator_password} from operator_passwords where user_id = :user_id

-- set_operator_password
-- The operator's password from now on.
insert into operator_passwords ({operator_password}) values ({:operator_password})
on conflict (user_id) do update set password_hash = excluded.password_hash, changed_at = excluded.changed_at

-- replace_operator_password
-- Another password, if the one that was checked is still the operator's.
update operator_passwords set password_hash = :password_hash, changed_at = :changed_at
where user_id = :user_id and password_hash = :expected_hash

-- operator_link
-- A link that still works.
select {operator_link} from operator_links where token_hash = :token_hash and expires_at > :now

-- create_operator_link
-- A link that works once.
insert into operator_links ({operator_link}) values ({:operator_link})

-- delete_operator_links
-- The links of one operator; for null, those of the first operator of all.
delete from operator_links where user_id is not distinct from :user_id

-- use_operator_link
-- Take the link, if it still works.
delete from operator_links where token_hash = :token_hash and expires_at > :now

-- count_sign_in
-- One more try; changes nothing while tries are blocked. After some free ones each try blocks for twice as long.
insert into sign_in_tries (name, tries, last_at, blocked_until) values (:name, 1, :now, :now)
on conflict (name) do update set
    tries = case when sign_in_tries.last_at < :forgotten_before then 1 else sign_in_tries.tries + 1 end,
    last_at = :now,
    blocked_until = :now + case
        when sign_in_tries.last_at < :forgotten_before or sign_in_tries.tries < :free then 0
        when sign_in_tries.tries - :free >= 6 then :longest
        when (1 << (sign_in_tries.tries - :free + 1)) > :longest then :longest
        else 1 << (sign_in_tries.tries - :free + 1) end
where sign_in_tries.blocked_until <= :now

-- forget_sign_ins
-- The tries counted under one name.
delete from sign_in_tries where name = :name

-- forget_old_sign_ins
-- Tries that count no more.
delete from sign_in_tries where last_at < :forgotten_before

-- keep_an_owner
-- Changes the operator's row in nothing, and only if another operator is an active owner.
update users set revision = revision
where user_id = :user_id and environment_id = :environment_id
and exists (
    select 1 from users o
    where o.environment_id = :environment_id and o.user_id <> :user_id and o.status = 'active'
        and exists (select 1 from json_each(o.roles) r where r.value = 'owner'))
