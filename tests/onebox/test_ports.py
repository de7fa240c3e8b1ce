"""A port in use is one sentence that helps."""

import os
import socket
import subprocess
import sys

import pytest

from onebox import ports
from onebox.errors import PortInUse


def test_free_ports_are_different_and_free() -> None:
    found = ports.free_ports(5)
    assert len(set(found)) == 5
    assert all(ports.is_free(port) for port in found)


def test_a_port_given_to_another_process_is_its_own_until_it_ends() -> None:
    ask = "from onebox import ports; print(ports.free_ports(1)[0], flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", ask], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        given = int(other.stdout.readline())
        while_it_lives = ports.claim(given)
        other.communicate("\n")

    assert not while_it_lives
    assert ports.claim(given)


def test_a_port_in_use_names_the_port_its_holder_and_the_variable() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(PortInUse) as caught:
            ports.require_free(port, "service order", "ORDER_PORT")
    text = str(caught.value)
    assert text.startswith(f"Port {port} (service order) is in use by process {os.getpid()} (")
    assert text.endswith("end it or set ORDER_PORT to a free port.")
    assert "\n" not in text


def test_a_port_held_on_every_address_counts_as_taken() -> None:
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))  # noqa: S104 - what the test is about
        listener.listen()
        assert not ports.is_free(listener.getsockname()[1])
