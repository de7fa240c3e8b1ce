#!/bin/sh
# Makes the secret files of docker-compose.yml, once; an existing file is never changed.
# The folder is closed; the files can be read by the containers' accounts they are mounted for.
set -eu
umask 077
folder="$(cd "$(dirname "$0")" && pwd)/secrets"
mkdir -p "$folder"

write() { # name, content
  if [ ! -e "$folder/$1" ]; then
    printf '%s\n' "$2" >"$folder/$1.making"
    chmod 0444 "$folder/$1.making"
    mv "$folder/$1.making" "$folder/$1"
  fi
}

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

write postgres_password "$(random)"
for service in order inventory_vault fulfillment risk ledger; do
  write "postgres_$service" "$(random)"
  password=$(cat "$folder/postgres_$service")
  write "${service}_database_url" \
    "postgresql+asyncpg://lockstock_$service:$password@postgres:5432/lockstock_$service"
done
for name in internal_secret inventory_vault_fingerprint_key vault_master_key vault_audit_key \
  fulfillment_link_secret fulfillment_safe_key order_contact_key order_account_key; do
  write "$name" "$(random)"
done
echo "secrets are in $folder; back up vault_master_key, vault_audit_key and inventory_vault_fingerprint_key apart from the database"
