#!/usr/bin/env bash
# Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#
# For check_blocks and check_commands, which set root and command: a server with the database that the pages speak of, and
# login roles with exactly the rights of the roles that they name.
[[ -n ${ONCE_CLUSTER_DIR:-} ]] || { echo "${0##*/}: run it by tools/dev/cluster run --"; exit 2; }

: "${root:?}" "${command:?}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PGHOST=$ONCE_CLUSTER_DIR PGPORT=5432 PGUSER=postgres PGDATABASE=postgres PGTZ=UTC LC_ALL=C
export PGOPTIONS='-c client_min_messages=warning'
unset ONCE_DATABASE ONCE_SCHEMA ONCE_CONFIG
mkdir -p "$work/bin" "$work/checkout"
ln -s "$command" "$work/bin/once"
ln -s "$root/tools/migrations/convert" "$work/bin/convert"
ln -s "$root/migrations" "$root/docs" "$work/checkout/"
export PATH=$work/bin:$PATH
# shellcheck disable=SC2034 # for those who source this
failures=0 ran=0
say() { printf '%s\n' "$*"; failures=$((failures + 1)); }
as_superuser() { psql -U postgres -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

# login_of ROLE: the name of a login role with exactly these rights
login_of() {
    local login member
    case $1 in
    superuser) login=postgres ;;
    owner) login=deployer ;;
    once_janitor) login=once_janitor ;;
    *)
        login="with $1"
        if [[ -z $(as_superuser -c "select 1 from pg_roles where rolname = '$login'") ]]; then
            as_superuser -c "create role \"$login\" login"
            for member in ${1//,/ }; do
                case $member in
                service) as_superuser -c "grant once_producer, once_consumer to \"$login\"" ;;
                *) as_superuser -c "grant $member to \"$login\"" ;;
                esac
            done
        fi
        ;;
    esac
    printf '%s' "$login"
}

new_database() { # new_database [TEMPLATE]
    as_superuser -c 'drop database if exists shop with (force)' \
        -c "create database shop owner deployer${1:+ template $1}"
    # As docs/queries/records.sql does for the superuser: these act for that service, and see its subscriptions.
    [[ -z ${1:-} ]] || as_superuser -d shop -c "insert into once.service_role (role, service)
        select 'with ' || role, 'shop' from unnest(array['service', 'once_consumer', 'once_consumer, once_inspector']) as role
        on conflict do nothing"
}

make_world() { # make_world GRANTS: yes or no, whether docs/queries/grants.sql is applied
    local file
    as_superuser -c 'create role deployer login createrole' -c 'create database world owner deployer'
    PGUSER=deployer PGDATABASE=world once migrate up --create-schema >"$work/said" 2>&1 || { cat "$work/said"; exit 1; }
    for file in "$root/docs/queries/records.sql" "$root/docs/queries/messages.sql" "$root/tests/docs/world.sql"; do
        as_superuser -d world -f "$file" >/dev/null
    done
    [[ $1 == no ]] || psql -U deployer -X -q -v ON_ERROR_STOP=1 -d world -f "$root/docs/queries/grants.sql"
}
