from kit.service import main
from ledger.app import create_service
from ledger.settings import Settings

if __name__ == "__main__":
    main(Settings, create_service)
