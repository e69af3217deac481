-- lease_keys
-- Let one worker fetch a source for all; changes nothing while another one's lease runs.
insert into kept_keys (environment_id, profile_id, source, failures, lease_until)
values (:environment_id, :profile_id, :source, 0, :until)
on conflict (environment_id, profile_id, source) do update set lease_until = excluded.lease_until
where kept_keys.lease_until <= :now

-- keep_keys
-- What a fetch brought, good or bad; the lease ends with it. A bad one leaves the last good document.
insert into kept_keys ({kept_keys}) values ({:kept_keys})
on conflict (environment_id, profile_id, source) do update set
    document = coalesce(excluded.document, kept_keys.document),
    good_at = coalesce(excluded.good_at, kept_keys.good_at),
    fresh_until = coalesce(excluded.fresh_until, kept_keys.fresh_until),
    tried_at = excluded.tried_at, failures = excluded.failures, fault = excluded.fault,
    lease_until = excluded.lease_until

-- forget_kept_keys
-- Documents of the profile that were last fetched long ago: it has no source any more that asks for them.
delete from kept_keys
where environment_id = :environment_id and profile_id = :profile_id and source <> :source
    and coalesce(tried_at, 0) < :forgotten_before and lease_until < :forgotten_before

-- kept_keys
-- What is remembered of a profile's fetched sources.
select {kept_keys} from kept_keys
where environment_id = :environment_id and profile_id = :profile_id
order by source
