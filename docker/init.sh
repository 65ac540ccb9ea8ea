#!/bin/bash
# Make the database, install the tables, set the roles' passwords. May run again.
# The server is the one that PGHOST, PGPORT, PGUSER and PGPASSWORD name; the user a superuser.
#
# CLOUDTRAIL_FDW_DATABASE               name of the database
# CLOUDTRAIL_FDW_OPTIONS                options of the server cloudtrail: name=value name=value …
# CLOUDTRAIL_FDW_READER_PASSWORD_FILE   password of cloudtrail_reader, in a file
# CLOUDTRAIL_FDW_GRAFANA_PASSWORD_FILE  password of grafana, in a file; without it there is no such role
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
role="${CLOUDTRAIL_FDW_ROLE_SQL:-$here/role.sql}"
database="${CLOUDTRAIL_FDW_DATABASE:-security}"

run_psql() { psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 "$@"; }

# The statement, which holds the password, is kept out of the server's log.
set_password() {
    if [[ ! -s "$2" ]]; then
        echo "init.sh: $2 cannot be read or is empty: the password of $1" >&2
        exit 1
    fi
    PASSWORD_FILE="$2" run_psql --dbname="$database" --set=role="$1" <<'SQL'
\set password `cat "$PASSWORD_FILE"`
SET log_min_error_statement = panic;
SET log_statement = none;
SET log_min_duration_statement = -1;
ALTER ROLE :"role" PASSWORD :'password';
SQL
}

run_psql --dbname=postgres --set=name="$database" <<'SQL'
SELECT format('CREATE DATABASE %I ENCODING ''UTF8'' TEMPLATE template0', :'name')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
SQL

options=()
read -ra given <<<"${CLOUDTRAIL_FDW_OPTIONS:-}"
for option in ${given[@]+"${given[@]}"}; do
    options+=(--option "$option")
done
cloudtrail-fdw install "dbname='$database'" ${options[@]+"${options[@]}"}

if [[ -n "${CLOUDTRAIL_FDW_READER_PASSWORD_FILE:-}" ]]; then
    set_password cloudtrail_reader "$CLOUDTRAIL_FDW_READER_PASSWORD_FILE"
fi
if [[ -n "${CLOUDTRAIL_FDW_GRAFANA_PASSWORD_FILE:-}" ]]; then
    run_psql --dbname="$database" --file="$role"
    set_password grafana "$CLOUDTRAIL_FDW_GRAFANA_PASSWORD_FILE"
fi
