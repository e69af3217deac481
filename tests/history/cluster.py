"""Debian's PostgreSQL under Patroni with etcd: three members, each on a host of its own.

    cluster = Cluster(network, folder, synchronous=True)
    cluster.start()
    old = cluster.primary()
    old.host.kill()
    cluster.wait_for_another(old)
    cluster.repair()
    cluster.wait_until_whole()

The settings are those that the how-to about production on PostgreSQL recommends.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import httpx

from tests.history import machine
from tests.history.machine import CannotDoThat
from tests.history.network import Host, Network

T = TypeVar("T")

MEMBERS: Final = 3
TTL, LOOP_WAIT, RETRY_TIMEOUT = 20, 5, 5
"""Patroni's, in seconds; a leader that hears nothing steps down within loop_wait + 2 × retry_timeout, before ttl."""

DATABASE: Final = "assay"
OWNER, SERVER = "postgres", "assay_server"

_PROGRAMS: Final = Path("/usr/lib/postgresql")
_USER: Final = "postgres"
_WITHIN: Final = 180.0
_ASK_SECONDS: Final = 2.0


class State(NamedTuple):
    """A member as Patroni tells of it."""

    name: str
    role: str
    state: str
    timeline: int
    lag: int

    @property
    def leads(self) -> bool:
        return self.role == "leader" and self.state == "running"

    @property
    def follows(self) -> bool:
        return self.role in {"replica", "sync_standby"} and self.state in {"running", "streaming"}


class Member:
    """One PostgreSQL server with the Patroni that looks after it, and one etcd."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.host = host
        self.name = host.name
        self.folder = folder
        folder.mkdir(mode=0o700)
        shutil.chown(folder, _USER, _USER)
        self._children: list[subprocess.Popen[bytes]] = []

    def start(self, peers: dict[str, str]) -> None:
        """Start etcd and Patroni, as when the host is switched on; ``peers`` are the addresses of all by name."""
        self._run("etcd", *_etcd(self, peers))
        self._run("patroni", str(self.folder / "patroni.json"))

    def pids(self, name: str) -> list[int]:
        """Its processes whose title begins so."""
        return [pid for pid in self.host.pids() if _title(pid).startswith(name)]

    def kill(self, *names: str) -> None:
        """SIGKILL its processes whose titles begin with one of these."""
        pids = [pid for name in names for pid in self.pids(name)]
        if not pids:
            raise AssertionError(f"{self.name} has no process {names}")
        machine.kill(*pids)
        machine.wait_for_end(pids)

    def signal(self, name: str, number: signal.Signals) -> int:
        """Send a signal to its processes whose title begins so; how many there are."""
        pids = self.pids(name)
        for pid in pids:
            os.kill(pid, number)
        return len(pids)

    def start_missing(self, peers: dict[str, str]) -> None:
        """Start whichever of etcd and Patroni is not there any more."""
        for child in self._children:
            child.poll()
        if not self.pids("etcd"):
            self._run("etcd", *_etcd(self, peers))
        if not self.pids(PATRONI):
            self._run("patroni", str(self.folder / "patroni.json"))

    def reap(self) -> None:
        """Take note of the end of its processes."""
        for child in self._children:
            child.wait(_WITHIN)

    def _run(self, program: str, *arguments: str) -> None:
        as_user = ("setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", "--")
        command = self.host.command(*as_user, program, *arguments)
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}
        with (self.folder / f"{program}.log").open("ab") as log:
            self._children.append(
                subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ, cwd="/")
            )


PATRONI: Final = "/usr/bin/python3 /usr/bin/patroni"
POSTGRES: Final = ("/usr/lib/postgresql", "postgres:")
WALSENDER: Final = "postgres: assay: walsender"


class Cluster:
    """All members. ``folder`` takes their data; ``synchronous`` is Patroni's synchronous mode, strict.

    ``dcs`` names the interface of etcd that Patroni uses: ``etcd`` (v2) or ``etcd3``.
    """

    def __init__(self, network: Network, folder: Path, *, synchronous: bool, dcs: str = "etcd") -> None:
        self.members = [Member(network.add(f"db{number}"), folder / f"db{number}") for number in range(1, MEMBERS + 1)]
        self._peers = {member.name: member.host.address for member in self.members}
        self._synchronous = synchronous
        for member in self.members:
            path = member.folder / "patroni.json"
            settings = _patroni(member, programs(), synchronous=synchronous)
            settings[dcs] = {"hosts": [f"{address}:2379" for address in self._peers.values()]}
            path.write_text(json.dumps(settings))
            shutil.chown(path, _USER, _USER)

    def start(self) -> None:
        """Start all members, and wait until the cluster is whole. Raises TimeoutError."""
        for member in self.members:
            member.start(self._peers)
        self.wait_until_whole()

    def url(self, user: str, database: str = DATABASE) -> str:
        """The address of a database, with all members in it."""
        hosts = ",".join(f"{member.host.address}:5432" for member in self.members)
        return f"postgresql://{user}@{hosts}/{database}"

    def repair(self) -> None:
        """Mend every cut, and start what is not running."""
        for member in self.members:
            member.host.mend()
            member.signal(PATRONI, signal.SIGCONT)
            member.start_missing(self._peers)

    def states(self) -> dict[str, State]:
        """What the members say of each other; the one that knows of the newest timeline is believed."""
        told = [states for member in self.members if (states := _ask(member))]
        return max(told, key=_newest, default={})

    def primary(self) -> Member:
        """The member that leads. Raises TimeoutError."""
        return wait_for(lambda: self._with(lambda state: state.leads), "no member leads")

    def wait_for_another(self, old: Member | None) -> None:
        """Wait until a member leads that is not the ``old`` one. Raises TimeoutError."""
        wait_for(
            lambda: self._with(lambda state: state.leads and state.name != getattr(old, "name", "")), "no other leads"
        )

    def standbys(self) -> list[Member]:
        """The others."""
        leader = self.primary()
        return [member for member in self.members if member is not leader]

    def synchronous(self) -> Member:
        """The standby that commits wait for. Raises TimeoutError."""
        return wait_for(lambda: self._with(lambda state: state.role == "sync_standby"), "no standby is synchronous")

    def wait_until_whole(self) -> None:
        """Wait until one leads, all others follow it closely, and one of them is synchronous where one should be."""
        wait_for(self._is_whole, "the cluster is not whole")

    def _with(self, wanted: Callable[[State], bool]) -> Member | None:
        names = [state.name for state in self.states().values() if wanted(state)]
        return next((member for member in self.members if member.name in names), None)

    def _is_whole(self) -> bool:
        states = self.states().values()
        followers = [state for state in states if state.follows and state.lag == 0]
        leaders = [state for state in states if state.leads]
        whole = len(leaders) == 1 and len(followers) == MEMBERS - 1
        same = len({state.timeline for state in states}) == 1
        return whole and same and (not self._synchronous or any(each.role == "sync_standby" for each in followers))


def programs() -> Path:
    """The folder of the newest PostgreSQL of Debian's. Raises machine.CannotDoThat."""
    found = [*_PROGRAMS.glob("*/bin/postgres")]
    if not found:
        raise CannotDoThat(f"there is no PostgreSQL in {_PROGRAMS}")
    return max(found, key=lambda path: int(path.parts[-3])).parent


def wait_for(found: Callable[[], T | None], otherwise: str) -> T:
    """What it finds, as soon as it finds something. Raises TimeoutError."""
    deadline = time.monotonic() + _WITHIN
    while time.monotonic() < deadline:
        if answer := found():
            return answer
        time.sleep(0.25)
    raise TimeoutError(otherwise)


def _ask(member: Member) -> dict[str, State]:
    try:
        answer = httpx.get(f"http://{member.host.address}:8008/cluster", timeout=_ASK_SECONDS, trust_env=False)
    except httpx.TransportError:
        return {}
    return {each["name"]: _state(each) for each in answer.json().get("members", [])}


def _state(told: dict[str, Any]) -> State:
    lag = told.get("lag", 0)
    return State(
        name=told["name"],
        role=told["role"],
        state=told["state"],
        timeline=told.get("timeline") or 0,
        lag=lag if isinstance(lag, int) else 1,
    )


def _newest(states: dict[str, State]) -> int:
    return max((state.timeline for state in states.values()), default=0)


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _etcd(member: Member, peers: dict[str, str]) -> list[str]:
    own = f"http://{member.host.address}"
    return [
        "--enable-v2",
        f"--name={member.name}",
        f"--data-dir={member.folder / 'etcd'}",
        f"--listen-peer-urls={own}:2380",
        f"--initial-advertise-peer-urls={own}:2380",
        f"--listen-client-urls={own}:2379",
        f"--advertise-client-urls={own}:2379",
        f"--initial-cluster={','.join(f'{name}=http://{address}:2380' for name, address in peers.items())}",
    ]


def _patroni(member: Member, programs: Path, *, synchronous: bool) -> dict[str, Any]:
    """Patroni's configuration. Nobody but the hosts of this network reaches the servers, so they trust each other."""
    own = member.host.address
    shared = {
        "ttl": TTL,
        "loop_wait": LOOP_WAIT,
        "retry_timeout": RETRY_TIMEOUT,
        "synchronous_mode": synchronous,
        "synchronous_mode_strict": synchronous,
        "maximum_lag_on_failover": 1024**3,
        "postgresql": {"use_pg_rewind": True, "use_slots": True, "parameters": _SETTINGS},
    }
    return {
        "scope": "assay",
        "name": member.name,
        "restapi": {"listen": f"{own}:8008", "connect_address": f"{own}:8008"},
        "bootstrap": {
            "dcs": shared,
            "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums"],
        },
        "postgresql": {
            "listen": f"{own}:5432",
            "connect_address": f"{own}:5432",
            "data_dir": str(member.folder / "data"),
            "bin_dir": str(programs),
            "pgpass": str(member.folder / "pgpass"),
            "pg_hba": ["host all all 10.0.0.0/8 trust", "host replication all 10.0.0.0/8 trust"],
            "authentication": {"superuser": {"username": OWNER}, "replication": {"username": "replicator"}},
            "parameters": {"unix_socket_directories": str(member.folder)},
        },
        "watchdog": {"mode": "off"},
    }


_SETTINGS: Final = {
    "max_connections": 100,
    "shared_buffers": "64MB",
    "synchronous_commit": "on",
    "wal_sender_timeout": "10s",
    "wal_receiver_timeout": "10s",
    "tcp_user_timeout": "10s",
    "timezone": "UTC",
}
