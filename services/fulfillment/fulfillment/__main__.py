from fulfillment.app import create_service
from fulfillment.settings import Settings
from kit.service import main

if __name__ == "__main__":
    main(Settings, create_service)
