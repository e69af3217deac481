"""Sockets to listen on: one, several that share an address, and an address that is taken."""

from __future__ import annotations

import socket

import pytest

from assay.listening import AddressFault, address_of, listening

HOST = "127.0.0.1"


def test_several_sockets_share_one_address() -> None:
    with listening(HOST, 0, 3) as sockets:
        assert len({each.fileno() for each in sockets}) == 3
        assert len({address_of(each) for each in sockets}) == 1


def test_every_one_of_them_gets_connections() -> None:
    with listening(HOST, 0, 2) as sockets:
        address = sockets[0].getsockname()
        connections = [socket.create_connection(address) for _ in range(64)]
        for listener in sockets:
            listener.setblocking(False)
            listener.accept()[0].close()
        for each in connections:
            each.close()


@pytest.mark.parametrize("before", [1, 2], ids=["one alone", "several"])
@pytest.mark.parametrize("after", [1, 2], ids=["by one", "by several"])
def test_an_address_that_is_taken_is_not_shared_with_another_server(before: int, after: int) -> None:
    with listening(HOST, 0, before) as sockets:
        port = sockets[0].getsockname()[1]
        with pytest.raises(AddressFault, match=f"cannot listen on {HOST} port {port}"), listening(HOST, port, after):
            raise AssertionError("it was shared")


@pytest.mark.parametrize("count", [1, 2])
def test_an_address_is_free_again_at_the_end(count: int) -> None:
    with listening(HOST, 0, count) as sockets:
        port = sockets[0].getsockname()[1]
    with listening(HOST, port, count) as sockets:
        assert sockets[0].getsockname()[1] == port
