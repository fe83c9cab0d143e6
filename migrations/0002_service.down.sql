-- 0002 service, reversed.
--
-- Locks: ACCESS EXCLUSIVE on service_role, for an instant. The mapping of roles to services is lost.

do $file$ begin
perform begin_removal('0002_service');

drop function time_given(timestamptz);
drop function is_operator();
drop function current_service();
drop function service_of_session();
drop function service_role_digest();
drop table service_role;
drop function service_role_changed();
drop function write_mapped_service();
drop function mapped_service(name);
drop function any_mapped_service();
drop function service_by_membership();
end $file$;
