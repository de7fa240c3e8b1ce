#!/bin/sh
# Run once by the container of PostgreSQL on an empty volume: a role and a database per service,
# each closed to the others. Passwords come from the files postgres_<service>.
set -eu
secrets=${LOCKSTOCK_SECRETS:-/run/secrets}
for service in order inventory_vault fulfillment risk ledger; do
  name="lockstock_$service"
  # The password goes through a psql variable, so that it stands in no argument list.
  LOCKSTOCK_PASSWORD=$(cat "$secrets/postgres_$service")
  export LOCKSTOCK_PASSWORD
  psql -v ON_ERROR_STOP=1 -v name="$name" --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv password LOCKSTOCK_PASSWORD
CREATE ROLE :"name" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name" TEMPLATE template0;
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
done
