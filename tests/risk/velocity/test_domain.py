import pytest

from risk.velocity.domain import address_key, normal_address


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
