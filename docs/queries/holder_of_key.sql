-- Who works on this request at this moment?
-- [region: query]
select process, role, application, date_trunc('milliseconds', clock_timestamp() - since) as open_for, foreign_role
from once.request_holder('POST /orders carol', 'c-1', 'shop');
-- [endregion]
