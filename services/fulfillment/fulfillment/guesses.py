"""How many wrong links one address may try before it has to wait.

A link cannot be guessed (128 bits of signature), so this only keeps the noise down. A right link
always works, from wherever it is opened.
"""

from kit.addresses import Address
from kit.errors import Limited
from kit.misses import Misses


class TooManyGuesses(Limited):
    """Too many wrong links were tried from this address; wait as Retry-After says."""

    code = "too_many_wrong_links"


class Guesses(Misses):
    """Wrong links."""

    def miss(self, address: Address | None) -> None:
        """Notes a wrong link. Raises TooManyGuesses when the address has used up its allowance."""
        wait = self.take(address)
        if wait:
            raise TooManyGuesses(retry_after_seconds=wait)
