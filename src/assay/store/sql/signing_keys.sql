-- create_signing_key
-- One key; an environment has at most one that is active and one that is next.
insert into signing_keys ({signing_key}) values ({:signing_key})

-- retire_active_signing_key
-- The active key signs no more, and stays published for a while.
update signing_keys set state = 'retired', retired_at = :rotated_at
where environment_id = :environment_id and state = 'active'

-- retire_signing_keys
-- The active key and the next one sign no more, and stay published for a while.
update signing_keys set state = 'retired', retired_at = :rotated_at
where environment_id = :environment_id and state in ('active', 'next')

-- promote_signing_key
-- The next key signs from now on; changes nothing when another rotation has promoted it.
update signing_keys set state = 'active', activated_at = :rotated_at
where environment_id = :environment_id and kid = :kid and state = 'next'

-- rewrap_signing_key
-- The same private key, sealed under another root key.
update signing_keys set sealed_private_key = :sealed_private_key where kid = :kid

-- replace_root_key_check
-- The new check value, unless a key was made meanwhile that is still sealed under the old root key.
insert into meta (name, value)
select 'root_key_check', :root_key_check
where not exists (select 1 from signing_keys where kid not in (select value from json_each(:kids)))
on conflict (name) do update set value = excluded.value

-- signing_keys
-- All signing keys of an environment, oldest first.
select {signing_key} from signing_keys where environment_id = :environment_id order by created_at, kid

-- signing_key_environment
-- Whose key this is.
select environment_id from signing_keys where kid = :kid

-- all_signing_keys
-- All signing keys of the store.
select {signing_key} from signing_keys order by environment_id, created_at, kid
