"""What every payment provider with accounts must pass, held against its peer.

`class TestX(Conformance): provider = "x"` in the provider's own test file is all it takes.
"""

from tests.order.providers.rules.accounts import Accounts
from tests.order.providers.rules.asking import Asking
from tests.order.providers.rules.beginning import Beginning
from tests.order.providers.rules.callbacks import Callbacks
from tests.order.providers.rules.refunds import Refunds
from tests.order.providers.rules.refusals import Refusals


class Conformance(Beginning, Callbacks, Asking, Refunds, Refusals, Accounts):
    """All of them."""
