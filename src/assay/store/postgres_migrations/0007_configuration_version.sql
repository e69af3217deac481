-- compatible from 6
-- Processes over one SQLite file ask a counter whether what they have decoded still stands; here nothing is kept.

select 1;
