from kit.service import main
from ledger.app import create_service
from ledger.commands import rebuild_reports
from ledger.settings import Settings

if __name__ == "__main__":
    main(Settings, create_service, {"rebuild-reports": rebuild_reports})
