-- create_project
-- A project; the key on its slug decides between two of one name.
insert into projects ({project}) values ({:project})

-- rename_project
-- A project's new name; its slug stays.
update projects set name = :name where project_id = :project_id

-- delete_project
-- The project, after everything of its environments.
delete from projects where project_id = :project_id

-- create_environment
-- One environment of a project.
insert into environments ({environment}) values ({:environment})

-- create_secret
-- One live secret of an environment, as its hash.
insert into secrets ({secret}) values ({:secret})

-- create_public_token
-- The public name of an environment.
insert into public_tokens ({public_token}) values ({:public_token})

-- touch_secret
-- When a secret was last used; never an earlier time than the one that stands there.
update secrets set used_at = :used_at
where environment_id = :environment_id and secret_id = :secret_id and (used_at is null or used_at < :used_at)

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

-- project_by_slug
-- One project by its slug.
select {project} from projects where slug = :slug

-- environment_by_slug
-- One environment by the two slugs that name it.
select {e.environment} from environments e
join projects p on p.project_id = e.project_id
where p.slug = :project_slug and e.slug = :environment_slug

-- environment_counts
-- How much an environment holds, deleted members aside.
select
    (select count(*) from users u where u.environment_id = :environment_id),
    (select count(*) from organizations o where o.environment_id = :environment_id),
    (select count(*) from members m where m.environment_id = :environment_id and m.status <> 'deleted')

-- public_tokens
-- The public tokens of an environment, oldest first.
select {public_token} from public_tokens where environment_id = :environment_id order by created_at, public_token

-- delete_public_token
-- One public token of an environment that has another one.
delete from public_tokens
where public_token = :public_token and environment_id = :environment_id and exists (
    select 1 from public_tokens o
    where o.environment_id = :environment_id and o.public_token <> :public_token)

-- create_workspace_key
-- One live workspace key, as the hash of its secret.
insert into workspace_keys ({workspace_key}) values ({:workspace_key})

-- touch_workspace_key
-- When a workspace key was last used; never an earlier time than the one that stands there.
update workspace_keys set used_at = :used_at
where workspace_key_id = :workspace_key_id and (used_at is null or used_at < :used_at)

-- revoke_workspace_key
-- End a workspace key that is live; changes nothing when it is unknown or was revoked before.
update workspace_keys set revoked_at = :revoked_at
where workspace_key_id = :workspace_key_id and revoked_at is null

-- workspace_key
-- One live workspace key.
select {workspace_key} from workspace_keys where workspace_key_id = :workspace_key_id and revoked_at is null

-- workspace_keys
-- All workspace keys, revoked ones included, oldest first.
select {workspace_key} from workspace_keys order by created_at, workspace_key_id

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
