-- What became of the attests of the last hours is counted without reading the attempts themselves.

create index attempts_time on attempts (environment_id, created_at, profile_id, outcome);
