-- Removes what has expired, 1000 at a time; 0 means that nothing is left.
-- [region: query]
select once.purge();
-- [endregion]
