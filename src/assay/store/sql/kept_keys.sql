-- lease_keys
-- Let one worker fetch a source for all; changes nothing while another one's lease runs.
insert into kept_keys (environment_id, profile_id, source, failures, lease_until)
values (:environment_id, :profile_id, :source, 0, :until)
on conflict (environment_id, profile_id, source) do update set lease_until = excluded.lease_until
where kept_keys.lease_until <= :now

-- keep_keys
-- What a fetch brought, good or bad; the lease ends with it.
insert into kept_keys ({kept_keys}) values ({:kept_keys})
on conflict (environment_id, profile_id, source) do update set
    document = excluded.document, good_at = excluded.good_at, fresh_until = excluded.fresh_until,
    tried_at = excluded.tried_at, failures = excluded.failures, fault = excluded.fault,
    lease_until = excluded.lease_until

-- kept_keys
-- What is remembered of a profile's fetched sources.
select {kept_keys} from kept_keys
where environment_id = :environment_id and profile_id = :profile_id
order by source
