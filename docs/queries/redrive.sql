-- The customer is there now: try the dead messages again.
-- [region: query]
select once.redrive('billing', '5f0c0000-0000-4000-8000-000000000016', p_service => 'shop');
-- [endregion]
