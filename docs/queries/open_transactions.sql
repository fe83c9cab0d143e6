-- Who holds a transaction open, and does it matter to the messages?
-- [region: query]
select pid, gid, application_name, state, open_for, stages, matters
from once.oldest_transaction
where database = current_database();
-- [endregion]
