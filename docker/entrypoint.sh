#!/bin/bash
# Start PostgreSQL with the tables installed. Every start installs again, which brings a database of an
# older image up to date and takes over changed options and passwords; that takes two seconds.
#
# PGDATA                    where the databases are; made when it is empty
# PGPORT                    default 5432
# what init.sh reads        see there
# AWS_*, HTTPS_PROXY, …     seen by the server's Python, as by any AWS client
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

if [[ "${1:-postgres}" != postgres ]]; then
    exec "$@"
fi

if [[ ! -s "$PGDATA/PG_VERSION" ]]; then
    # Who is in the container is its only user. Over TCP roles have passwords, and the superuser is
    # refused.
    initdb --pgdata="$PGDATA" --username=postgres --encoding=UTF8 --locale=C.UTF-8 \
        --auth-local=trust --auth-host=scram-sha-256
    printf '%s\n' \
        'local all all trust' \
        'host all postgres all reject' \
        'host all all all scram-sha-256' >"$PGDATA/pg_hba.conf"
fi

# While the tables are installed, nobody else is let in.
private="$(mktemp -d)"
chmod 0700 "$private"
pg_ctl --pgdata="$PGDATA" --wait --silent --log="$PGDATA/init.log" \
    --options="-c listen_addresses='' -c unix_socket_directories='$private'" start \
    || { cat "$PGDATA/init.log" >&2; exit 1; }
stop() { pg_ctl --pgdata="$PGDATA" --wait --silent --mode=fast stop; }
trap stop EXIT
PGHOST="$private" PGUSER=postgres "$here/init.sh"
trap - EXIT
stop
rm -rf "$private"

exec "$@" -c listen_addresses='*' -c log_destination=stderr -c logging_collector=off -c max_connections=50
