from kit.service import main

from inventory_vault.app import create_service
from inventory_vault.opener.server import run_opener
from inventory_vault.settings import Settings

main(Settings, create_service, {"opener": run_opener})
