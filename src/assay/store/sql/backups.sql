-- remember_backup
-- When this copy of a store was made, in seconds as text.
insert into meta (name, value) values ('backup_made_at', :made_at)
on conflict (name) do update set value = excluded.value

-- backup_made_at
-- When this copy was made, if it is one.
select value from meta where name = 'backup_made_at'

-- end_all_sessions
-- End every live session of every environment.
update sessions set revoked_at = :revoked_at where revoked_at is null and expires_at > :revoked_at
