"""What `lockstock redeem` does."""

from dataclasses import dataclass
from typing import TextIO

import typer

from lockstock_client.client import Lockstock
from lockstock_client.problems import LockstockError
from lockstock_client.wire import MoneyJson, RedemptionJson
from sealing import Secret

CODE_CHARACTERS_MAX = 200


@dataclass(frozen=True, slots=True)
class Use:
    """How a voucher is used; `reference` makes a repeat safe."""

    reference: str
    amount: int | None
    currency: str
    buyer_id: str | None
    shop_id: str | None
    own_code: bool


def read_code(stdin: TextIO) -> Secret:
    """Asked for without echo, or the first line of what is piped in. Raises typer.BadParameter."""
    if stdin.isatty():
        text = typer.prompt("code", hide_input=True, err=True)
    else:
        text = stdin.readline(CODE_CHARACTERS_MAX + 2)
    code = text.strip()
    if not code or len(code) > CODE_CHARACTERS_MAX:
        raise typer.BadParameter(f"a code of 1 to {CODE_CHARACTERS_MAX} characters is needed")
    return Secret({"code": code})


async def redeem(shop: Lockstock, code: Secret, use: Use) -> RedemptionJson:
    """Raises LockstockError."""
    amount = None if use.amount is None else MoneyJson(amount=use.amount, currency=use.currency)
    return await shop.redemptions.redeem(
        use.reference,
        code=code.disclose()["code"],
        amount=amount,
        buyer_id=use.buyer_id,
        shop_id=use.shop_id,
        own_code=use.own_code,
    )


def lines_of(done: RedemptionJson) -> list[str]:
    """Never the code."""
    if done["status"] != "redeemed":
        raise LockstockError(f"redemption {done['id']} is {done['status']}")
    lines = [f"redeemed {_money(done['amount'])}  redemption {done['id']}"]
    lines.append("used up" if done["is_used_up"] else f"left {_money(done['balance'])}")
    return lines


def _money(money: MoneyJson | None) -> str:
    return "the unit" if money is None else f"{money['amount']} {money['currency']}"
