"""Hosts that are network namespaces on one bridge, each with an address of its own, and cuts between them.

Needs root, ``ip`` (iproute2) and ``nft`` (nftables). Nothing outside of these namespaces can be reached from them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from tests.history import machine
from tests.history.machine import CannotDoThat, run

_NETWORKS: Final = "10.213"

# What comes from the hosts in the set, or goes to them, is lost without a word.
_CUTS: Final = """
add table inet cuts
add set inet cuts gone { type ipv4_addr; }
add chain inet cuts incoming { type filter hook input priority 0; }
add rule inet cuts incoming ip saddr @gone drop
add chain inet cuts outgoing { type filter hook output priority 0; }
add rule inet cuts outgoing ip daddr @gone drop
"""


class Host:
    """One of them. ``address`` is where the others, and whoever made the network, reach it."""

    def __init__(self, name: str, namespace: str, cable: str, address: str) -> None:
        self.name = name
        self.namespace = namespace
        self.address = address
        self._cable = cable

    def command(self, *command: str) -> list[str]:
        """The command as it is run on this host."""
        return ["ip", "netns", "exec", self.namespace, *command]

    def pids(self) -> list[int]:
        """All of its processes."""
        return [int(pid) for pid in run("ip", "netns", "pids", self.namespace).split()]

    def kill(self) -> None:
        """End all of its processes at once, as when the power fails, and wait until they are gone."""
        while pids := self.pids():  # one of them may be starting another
            machine.kill(*pids)
            machine.wait_for_end(pids)

    def unplug(self) -> None:
        """Nobody reaches it any more, and it reaches nobody."""
        run("ip", "link", "set", self._cable, "down")

    def cut_off_from(self, others: Iterable[Host]) -> None:
        """Lose everything between it and these hosts."""
        addresses = ", ".join(other.address for other in others)
        run(*self.command("nft", f"add element inet cuts gone {{ {addresses} }}"))

    def mend(self) -> None:
        """Let it reach everybody again, and everybody it."""
        run(*self.command("nft", "flush set inet cuts gone"))
        run("ip", "link", "set", self._cable, "up")

    def remove(self) -> None:
        """Take it away."""
        with suppress(CannotDoThat):  # it may have no cable yet
            run("ip", "link", "delete", self._cable)
        run("ip", "netns", "delete", self.namespace)


class Network:
    """A bridge, and the hosts on it. Raises machine.CannotDoThat. ``remove`` takes everything away again."""

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise CannotDoThat("only root can make network namespaces")
        self._number = os.getpid() % 10_000
        self._bridge = f"ha{self._number}"
        self._subnet = f"{_NETWORKS}.{self._number % 250}"
        self.hosts: list[Host] = []
        run("ip", "link", "add", self._bridge, "type", "bridge")
        try:
            run("ip", "address", "add", f"{self._subnet}.1/24", "dev", self._bridge)
            run("ip", "link", "set", self._bridge, "up")
        except CannotDoThat:
            self.remove()
            raise

    def add(self, name: str) -> Host:
        """One host more, which reaches all others."""
        place = len(self.hosts) + 11
        host = Host(name, f"assay-ha-{os.getpid()}-{name}", f"{self._bridge}-{place}", f"{self._subnet}.{place}")
        cable, inner = f"{self._bridge}-{place}", "eth0"
        run("ip", "netns", "add", host.namespace)
        self.hosts.append(host)
        run("ip", "link", "add", cable, "type", "veth", "peer", "name", inner, "netns", host.namespace)
        run("ip", "link", "set", cable, "master", self._bridge, "up")
        run(*host.command("ip", "address", "add", f"{host.address}/24", "dev", inner))
        for link in ("lo", inner):
            run(*host.command("ip", "link", "set", link, "up"))
        for line in _CUTS.strip().splitlines():
            run(*host.command("nft", line))
        return host

    def remove(self) -> None:
        """End all processes on the hosts, and take the network away."""
        for host in self.hosts:
            host.kill()
            host.remove()
        self.hosts.clear()
        run("ip", "link", "delete", self._bridge)
