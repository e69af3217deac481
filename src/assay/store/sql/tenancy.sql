-- create_project
-- A project; the key on its slug decides between two of one name.
insert into projects ({project}) values ({:project})

-- create_environment
-- One environment of a project.
insert into environments ({environment}) values ({:environment})

-- create_secret
-- One live secret of an environment, as its hash.
insert into secrets ({secret}) values ({:secret})

-- create_public_token
-- The public name of an environment.
insert into public_tokens ({public_token}) values ({:public_token})

-- revoke_secret
-- End a secret that is live; changes nothing when it is unknown or was revoked before.
update secrets set revoked_at = :revoked_at
where environment_id = :environment_id and secret_id = :secret_id and revoked_at is null

-- caller
-- Who calls: a live secret with this hash, its environment, and the kid that signs there.
select {e.environment}, {s.secret}, k.kid
from secrets s
join environments e on e.environment_id = s.environment_id
left join signing_keys k on k.environment_id = s.environment_id and k.state = 'active'
where s.environment_id = :environment_id and s.secret_hash = :secret_hash and s.revoked_at is null

-- secret_is_live
-- A row if the secret still opens the environment.
select 1 from secrets
where secret_id = :secret_id and environment_id = :environment_id and revoked_at is null

-- projects
-- All projects, oldest first.
select {project} from projects order by created_at, project_id

-- environment
-- One environment by its id.
select {environment} from environments where environment_id = :environment_id

-- environments
-- The environments of a project, oldest first.
select {environment} from environments where project_id = :project_id order by created_at, environment_id

-- secrets
-- All secrets of an environment, revoked ones included, oldest first.
select {secret} from secrets where environment_id = :environment_id order by created_at, secret_id

-- root_key_check
-- What a start compares its root key with.
select value from meta where name = 'root_key_check'

-- set_root_key_check
-- The first check value is kept; later ones change nothing.
insert into meta (name, value) values ('root_key_check', :root_key_check) on conflict (name) do nothing

-- schema
-- Number of the newest migration applied.
select max(number) from schema_migrations

-- projects_exist
-- The cheapest read that touches the file.
select 1 from projects limit 1
