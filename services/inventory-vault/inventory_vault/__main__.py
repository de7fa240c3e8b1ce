from inventory_vault.app import create_service
from inventory_vault.auditor.commands import audit_new_origin, audit_verify
from inventory_vault.opener.commands import attest_lots, rewrap_keys
from inventory_vault.opener.compromise import compromise
from inventory_vault.opener.hygiene import leave_no_core_file
from inventory_vault.opener.server import run_opener
from inventory_vault.settings import Settings
from kit.service import main

leave_no_core_file()
main(
    Settings,
    create_service,
    {
        "opener": run_opener,
        "attest-lots": attest_lots,
        "audit-verify": audit_verify,
        "audit-new-origin": audit_new_origin,
        "compromise": compromise,
        "rewrap-keys": rewrap_keys,
    },
)
