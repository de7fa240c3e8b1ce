"""Where calls to payment providers may go."""

import pytest

from order.outbound import check_base_url


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com",
        "https://api.example.com/v1",
        "http://127.0.0.1:9000",
        "http://[::1]:9000",
        "http://localhost:9000",
    ],
)
def test_https_and_this_very_machine_are_reached(url: str):
    check_base_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example.com",
        "http://api.example.com",
        "http://10.0.0.1",
        "http://169.254.169.254",
        "http://127.0.0.1.example.com",
        "ftp://127.0.0.1",
        "https://user:word@api.example.com",
        "https://api.example.com?x=1",
        "https://api.example.com:port",
        "https://api.example.com:65536",
        "https://[api.example.com",
    ],
)
def test_anything_else_is_refused(url: str):
    with pytest.raises(ValueError, match=r"base URL|https is required"):
        check_base_url(url)
