"""Rules to begin with. Every merchant starts with the defaults, and may take the others."""

from collections.abc import Mapping

from risk.rules.domain import Action, Limits, Mode, RuleText, Template


def _template(
    name: str,
    title: str,
    why: str,
    condition: str,
    action: Action,
    *,
    priority: int = 100,
    limits: Limits | None = None,
    is_default: bool = False,
) -> Template:
    text = RuleText(title, priority, Mode.ENFORCE, condition, action, limits)
    return Template(name, why, text, is_default)


_ALL = (
    _template(
        "ip-velocity",
        "More than 5 purchases by one address in an hour",
        "One address buying again and again is a script or a stolen card being emptied.",
        "purchases_by_ip_1h > 5",
        Action.HOLD,
        is_default=True,
    ),
    _template(
        "block-list",
        "On the block list",
        "What an operator put on the list `block` is declined before anything else is asked.",
        "'block' in lists",
        Action.DECLINE,
        priority=1,
        is_default=True,
    ),
    _template(
        "allow-list",
        "On the allow list",
        "What an operator put on the list `allow` passes every rule but the block list.",
        "'allow' in lists",
        Action.ALLOW,
        priority=2,
        is_default=True,
    ),
    _template(
        "first-purchase-code",
        "First purchase of a new account needs a code",
        "A code sent to the buyer's phone or mail box costs a real buyer seconds and a thief the "
        "account. An account of unknown age counts as new.",
        "first_purchase && account_age_seconds < 7 * 24 * 3600",
        Action.CHALLENGE,
    ),
    _template(
        "first-purchase-dear",
        "First purchase is a dear one",
        "A new buyer's first order is rarely the dearest. Set the amount to the shop.",
        "first_purchase && amount_minor > 100000",
        Action.HOLD,
    ),
    _template(
        "watch-list",
        "On the watch list",
        "What an operator put on the list `watch` is looked at by a person.",
        "'watch' in lists",
        Action.HOLD,
    ),
    _template(
        "many-cards",
        "Many cards on one device or one contact",
        "Cards that change while the device stays are being tried out.",
        "payers_by_device_1d > 3 || payers_by_contact_1d > 3",
        Action.DECLINE,
    ),
    _template(
        "failed-payments",
        "Payments that fail again and again",
        "A card is guessed, or a limit is being felt for.",
        "failed_payments_by_device_1h > 3 || failed_payments_by_ip_1h > 5 "
        "|| failed_payments_by_customer_1d > 5",
        Action.HOLD,
    ),
    _template(
        "shared-contact",
        "One contact for many buyers",
        "Accounts made in a row often share the mail box or phone that receives the goods.",
        "customers_by_contact_30d > 3 || customers_by_device_30d > 5",
        Action.HOLD,
    ),
    _template(
        "network-burst",
        "Many purchases by one network within minutes",
        "A script that changes its address stays within its provider's network.",
        "purchases_by_ip_24_10m > 20",
        Action.CHALLENGE,
    ),
    _template(
        "unpaid-orders",
        "Who leaves orders unpaid holds little, and briefly",
        "Unpaid orders lock stock for everybody else: after some of them, one unit for 5 minutes. "
        "Those that ended unpaid count, and those that wait for their payment now.",
        "unpaid_by_customer_1d + open_unpaid_of_customer > 2 "
        "|| unpaid_by_device_1d + open_unpaid_of_device > 2 "
        "|| unpaid_by_ip_1d + open_unpaid_of_ip > 5",
        Action.LIMIT,
        limits=Limits(quantity_max=1, hold_seconds=300),
    ),
    _template(
        "resale-quantity",
        "More units in a day than a buyer needs",
        "Cheap offers are bought up to be sold on.",
        "quantity_by_customer_1d > 20 || quantity_by_device_1d > 20",
        Action.HOLD,
    ),
    _template(
        "night-quantity",
        "Many units in the small hours",
        "Stolen cards are used while their owners sleep. Set the zone to where the shop sells.",
        "quantity > 5 && placed_at.getHours('Asia/Shanghai') < 6",
        Action.HOLD,
    ),
)
TEMPLATES: Mapping[str, Template] = {it.name: it for it in _ALL}
DEFAULT_RULES = [it for it in _ALL if it.is_default]
