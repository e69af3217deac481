-- configure_environment
-- The next revision of an environment; changes nothing when it has moved on since it was read.
update environments set name = :name, settings = :settings, revision = revision + 1
where environment_id = :environment_id and revision = :revision

-- set_rbac_policy
-- The policy of an environment from now on.
insert into rbac_policies (environment_id, policy) values (:environment_id, :policy)
on conflict (environment_id) do update set policy = excluded.policy

-- create_jwt_template
-- One JWT template; an environment has at most one of each type.
insert into jwt_templates (environment_id, {jwt_template}) values (:environment_id, {:jwt_template})

-- delete_jwt_templates
-- All JWT templates of an environment, before the new ones are written.
delete from jwt_templates where environment_id = :environment_id

-- create_redirect_url
-- One redirect URL, in its place of the list.
insert into redirect_urls (environment_id, position, {redirect_url}) values (:environment_id, :position, {:redirect_url})

-- delete_redirect_urls
-- All redirect URLs of an environment, before its new list is written.
delete from redirect_urls where environment_id = :environment_id

-- environment_revision
-- How often what configures an environment has changed.
select revision from environments where environment_id = :environment_id

-- rbac_policy
-- The policy that was set for an environment, if any.
select policy from rbac_policies where environment_id = :environment_id

-- jwt_templates
-- The JWT templates of an environment.
select {jwt_template} from jwt_templates where environment_id = :environment_id order by template_type

-- redirect_urls
-- The redirect URLs of an environment, in the order of its list.
select {redirect_url} from redirect_urls where environment_id = :environment_id order by position

-- configuration_version
-- How often anything that configures any environment has changed, as triggers count (see the migration), in more rows
-- than one: as long as the further ones are not read, SQLite keeps the snapshot.
select version from configuration_version, (values (1), (2), (3))
