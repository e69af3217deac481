-- doomed
-- The one environment that is deleted, or all environments of the project that is.
select d.environment_id from environments d where d.environment_id = :environment_id or d.project_id = :project_id

-- delete_all_sessions
-- Sessions, ended ones included.
delete from sessions where environment_id in ({doomed})

-- delete_all_attempts
-- What became of attests.
delete from attempts where environment_id in ({doomed})

-- delete_all_organizations
-- Organizations, and with them their members and the addresses of those.
delete from organizations where environment_id in ({doomed})

-- delete_all_users
-- Users.
delete from users where environment_id in ({doomed})

-- delete_all_profiles
-- Profiles, and with them their PEM files and the keys fetched for them.
delete from profiles where environment_id in ({doomed})

-- delete_all_deleted_profiles
-- Where the counts of deleted profiles stood: nobody reads them any more.
delete from deleted_profiles where environment_id in ({doomed})

-- delete_all_signing_keys
-- Signing keys: session JWTs of the environment verify nowhere from now on.
delete from signing_keys where environment_id in ({doomed})

-- delete_all_secrets
-- Secrets, revoked ones included.
delete from secrets where environment_id in ({doomed})

-- delete_all_public_tokens
-- Public tokens.
delete from public_tokens where environment_id in ({doomed})

-- delete_all_rbac_policies
-- The policy.
delete from rbac_policies where environment_id in ({doomed})

-- delete_all_jwt_templates
-- JWT templates.
delete from jwt_templates where environment_id in ({doomed})

-- delete_all_redirect_urls
-- Redirect URLs.
delete from redirect_urls where environment_id in ({doomed})

-- delete_environments
-- The environments themselves, after everything in them.
delete from environments where environment_id in ({doomed})
