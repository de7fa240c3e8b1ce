"""`python -m fulfillment` with connectors of the tests' own, `tests/suppliers/more_connectors`."""

from pathlib import Path

import fulfillment.connectors
from fulfillment.app import create_service
from fulfillment.settings import Settings
from kit.service import main

MORE = Path(__file__).parents[2] / "suppliers" / "more_connectors"

if __name__ == "__main__":
    fulfillment.connectors.__path__.append(str(MORE))
    main(Settings, create_service)
