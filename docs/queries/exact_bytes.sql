-- The stored response byte for byte, as a repeat gets it. Needs a role of that service.
-- [region: query]
select outcome, status, headers, content_type, convert_from(body, 'UTF8') as body
from once.lookup('POST /orders bob', 'b-1', sha256('{"item": "coffee"}'));
-- [endregion]
