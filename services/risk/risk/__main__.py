from kit.service import main
from risk.app import create_service
from risk.settings import Settings

if __name__ == "__main__":
    main(Settings, create_service)
