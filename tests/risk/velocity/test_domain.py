import random

import pytest

from risk.velocity.domain import address_key, normal_address
from risk.windows.domain import Level, segments


@pytest.mark.parametrize(
    ("ip", "normal", "key"),
    [
        ("203.0.113.7", "203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7 ", "203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.7"),
        ("2001:DB8::1", "2001:db8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::1%eth0", "fe80::/64"),
        ("", "", ""),
        ("unknown", "", ""),
        ("0.0.0.0", "", ""),  # noqa: S104 - a bad address
        ("::", "", ""),
        ("203.0.113.7:443", "", ""),
        ("1" * 5000, "", ""),
    ],
)
def test_an_address_has_one_spelling_and_one_key(ip: str, normal: str, key: str) -> None:
    assert normal_address(ip) == normal
    assert address_key(ip) == key


def test_a_window_is_whole_buckets_and_less_than_a_minute_at_its_edges() -> None:
    seeded = random.Random(20261128)
    lengths = {Level.MINUTE: 60, Level.HOUR: 3_600, Level.DAY: 86_400}
    for _ in range(300):
        first = seeded.randrange(10**15, 2 * 10**15)
        end = first + seeded.choice([1, 10**6, 90 * 10**6, 10**10, seeded.randrange(1, 10**13)])
        newest = seeded.choice([end, seeded.randrange(first, end), first - 1])
        parts = sorted(segments(first, end, newest), key=lambda it: it.first)

        whole = sorted(segments(first, end, end), key=lambda it: it.first)
        assert [whole[0].first, *(it.end for it in whole)] == [*(it.first for it in whole), end]
        assert whole[0].first == first
        assert parts == [it for it in whole if it.first <= newest]
        for it in whole:
            if it.level is None:
                assert it.end - it.first < 60 * 10**6 or (first, end) == (it.first, it.end)
            else:
                length = lengths[it.level] * 10**6
                assert it.first % length == it.end % length == 0
        assert sum(it.level is None for it in whole) <= 2
