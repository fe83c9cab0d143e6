-- What the janitor and the monitoring do. Every statement must do its work.
\set ON_ERROR_STOP on
select once.purge(), once.purge_tokens(), once.purge_inbox(), once.purge_operations(), once.purge_windows(), once.purge_leases();
select count(*) from once.metrics;
select count(*) from once.subscription_lag;
select count(*) from once.ring_usage;
select count(*) from once.oldest_transaction;
select * from once.trim_outbox('0');
