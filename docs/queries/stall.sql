-- Why does the subscription billing not move?
-- [region: query]
select slice, reason, detail, fix
from once.explain_stall('billing')
order by slice, reason;
-- [endregion]
