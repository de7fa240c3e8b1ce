import pytest

from risk.lists.domain import EntryKind, normal_value


@pytest.mark.parametrize(
    ("kind", "value", "normal"),
    [
        (EntryKind.IP, " ::ffff:203.0.113.7 ", "203.0.113.7"),
        (EntryKind.IP, "2001:DB8::1", "2001:db8::1"),
        (EntryKind.NETWORK, "203.0.113.0/24", "203.0.113.0/24"),
        (EntryKind.NETWORK, "2001:db8::/48", "2001:db8::/48"),
        (EntryKind.NETWORK, "10.0.0.0/8", "10.0.0.0/8"),
        (EntryKind.NETWORK, "::ffff:203.0.113.0/120", "203.0.113.0/24"),
        (EntryKind.CONTACT, "ab" * 32, "ab" * 32),
        (EntryKind.CUSTOMER, " anna ", "anna"),
    ],
)
def test_a_value_has_one_spelling(kind: EntryKind, value: str, normal: str) -> None:
    assert normal_value(kind, value) == normal


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (EntryKind.IP, "203.0.113.0/24"),
        (EntryKind.IP, "0.0.0.0"),  # noqa: S104 - a bad address
        (EntryKind.IP, "fe80::1%eth0"),
        (EntryKind.NETWORK, "203.0.113.7/24"),
        (EntryKind.NETWORK, "0.0.0.0/0"),
        (EntryKind.NETWORK, "10.0.0.0/7"),
        (EntryKind.NETWORK, "::ffff:10.0.0.0/103"),
        (EntryKind.NETWORK, "2001::/18"),
        (EntryKind.NETWORK, "fe80::%eth0/64"),
        (EntryKind.CONTACT, "anna@example.org"),
        (EntryKind.CONTACT, "AB" * 32),
        (EntryKind.DEVICE, "  "),
    ],
)
def test_what_is_not_of_its_kind_is_refused(kind: EntryKind, value: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        normal_value(kind, value)
