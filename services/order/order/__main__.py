from kit.service import main
from order.app import create_service
from order.seed import platform_key, seed
from order.settings import Settings

if __name__ == "__main__":
    main(Settings, create_service, {"seed": seed, "platform-key": platform_key})
