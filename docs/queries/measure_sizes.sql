-- What one row takes on disk, with its indexes. It makes 2000 of each and leaves them: use a database that you throw
-- away.
-- [region: query]
create temporary table measured (what text, relation text, before bigint, after bigint);

create procedure pg_temp.measure(what text, relation text, statement text) language plpgsql as $$
declare
    -- Partitions have the rows, where there are any.
    sizes constant text :=
        format('select coalesce(sum(pg_total_relation_size(relid)), pg_total_relation_size(%1$L)) '
               'from pg_partition_tree(%1$L)', relation);
    before bigint;
    after  bigint;
begin
    execute sizes into before;
    for i in 1..2000 loop
        execute statement using what || ' ' || i, sha256(convert_to(i::text, 'UTF8')), gen_random_uuid();
        commit; -- a request each, so that what the first version of a row leaves is used again
    end loop;
    execute sizes into after;
    insert into measured values (what, relation, before, after);
    commit;
end $$;

call pg_temp.measure('a record without a response', 'once.idempotency_record',
    $$ with b as materialized (select once.begin_request('POST /orders', $1, $2))
       select once.finish_request('POST /orders', $1, $2, null, null, null, null, null) from b $$);
call pg_temp.measure('a record with a response of 25 bytes', 'once.idempotency_record',
    $$ with b as materialized (select once.begin_request('POST /orders', $1, $2))
       select once.finish_request('POST /orders', $1, $2, 201, null, 'application/json',
                                  '{"order":"A-17","sum":12}', null) from b $$);
call pg_temp.measure('a record with a response of 1000 bytes', 'once.idempotency_record',
    $$ with b as materialized (select once.begin_request('POST /orders', $1, $2))
       select once.finish_request('POST /orders', $1, $2, 201, null, 'text/plain', null,
                                  convert_to(repeat('x', 1000), 'UTF8')) from b $$);
call pg_temp.measure('a message of 25 bytes', 'once.outbox',
    $$ select once.publish('orders.placed', $1, '{"order":"A-17","sum":12}') $$);
call pg_temp.measure('a message of 1000 bytes', 'once.outbox',
    $$ select once.publish('orders.placed', $1, null, convert_to(repeat('x', 1000), 'UTF8')) $$);
call pg_temp.measure('a row of the inbox', 'once.inbox', $$ select once.receive('billing', $3, $2) $$);
call pg_temp.measure('a token', 'once.token', $$ select once.issue_token('alice', 'pay', '1 hour') $$);

select what, (after - before) / 2000 as bytes from measured order by ctid;
-- [endregion]
