"""``assay serve --workers 2``: one server for its callers, whatever happens to one of its processes."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from assay import config, serving
from assay.workers.post import WorkerFault
from tests.certificates import server_files
from tests.hostile.certificates import issued
from tests.issuer import AUDIENCE, Issuer, make_key
from tests.process import Assay, Server

ATTEST = "/v1/sessions/attest"
AUTHENTICATE = "/v1/sessions/authenticate"
REVOKE = "/v1/sessions/revoke"
SEARCH = "/v1/users/search"
WHOAMI = "/v1/debug/whoami"
OPTIONS = ("--workers", "2", "--metrics", "127.0.0.1:0")
CONNECTIONS = 64
FEWEST = 12
"""Of 64 connections spread by chance over two workers, one gets fewer than twelve once in some millions of times."""


class Backend:
    """A caller with many connections, who knows which worker each of them leads to."""

    def __init__(self, server: Server, auth: tuple[str, str], stack: ExitStack, connections: int) -> None:
        self._server = server
        self._clients = [
            stack.enter_context(httpx.Client(base_url=server.url, auth=auth, trust_env=False))
            for _ in range(connections)
        ]
        self.workers: dict[int, list[httpx.Client]] = {}
        for client in self._clients:
            self.workers.setdefault(self.worker_of(client.get(WHOAMI)), []).append(client)

    def worker_of(self, answer: httpx.Response) -> int:
        """The number of the worker that gave this answer, by its line in the log."""
        line = json.loads(self._server.line_with(answer.json()["request_id"]))
        number: int = line["worker"]
        return number

    def answers(self, path: str, body: dict[str, Any]) -> set[tuple[int, int, str]]:
        """How this is answered on each connection: worker, status and code."""
        return {
            (worker, answer.status_code, answer.json().get("error_type", ""))
            for worker, clients in self.workers.items()
            for answer in (client.post(path, json=body) for client in clients)
        }


class Tenant:
    """A project that trusts an issuer."""

    def __init__(self, assay: Assay, folder: Path) -> None:
        self.assay = assay
        self.issuer = Issuer(keys=[make_key("RSA")])
        made = assay.create_project("Acme", "consumer")
        self.project_id: str = made["project_id"]
        self.auth = self.project_id, made["secret"]
        (folder / "key.pem").write_text(self.issuer.keys[0].pem())
        assay.create_profile(
            self.project_id,
            *("--pem", str(folder / "key.pem"), "--jit"),
            issuer=self.issuer.url,
            audience=AUDIENCE,
            mapping={"email": "email", "token_id": "jti"},
            profile_id="idp",
        )

    def body(self) -> dict[str, Any]:
        """A request to attest."""
        token = self.issuer.mint({"email_verified": True})
        return {"profile_id": "idp", "token": token, "session_duration_minutes": 60}


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Tenant:
    folder = tmp_path_factory.mktemp("workers")
    return Tenant(Assay(folder), folder)


@pytest.fixture(scope="module")
def server(tenant: Tenant) -> Iterator[Server]:
    """One for all tests that leave it as they found it."""
    with tenant.assay.serving(*OPTIONS) as running:
        yield running


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def backend(server: Server, tenant: Tenant, stack: ExitStack) -> Backend:
    return Backend(server, tenant.auth, stack, 16)


def pid_of(server: Server, worker: int, number: int = 1) -> int:
    """The process that held the place of this worker first, second …."""
    pattern = re.compile(rf'"worker":{worker},"pid":(\d+),"event":"worker_started"')
    found = pattern.search(server.line_with(pattern, number))
    assert found is not None
    return int(found[1])


def is_there(pid: int) -> bool:
    """Whether a process has this number, and has not ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii")
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def told(server: Server) -> dict[str, float]:
    """The metrics, those of one name together."""
    line: dict[str, str] = json.loads(server.line_with('"metrics"'))
    text = httpx.get(f"http://{line['address']}{line['path']}", trust_env=False).text
    found: dict[str, float] = {}
    for sample in (sample for family in text_string_to_metric_families(text) for sample in family.samples):
        found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


@contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=20)) as connection:
        yield connection


def request(tenant: Tenant, method: str, path: str, length: int = 0) -> bytes:
    """The head of a request whose body has so many bytes."""
    credentials = base64.b64encode(":".join(tenant.auth).encode()).decode()
    lines = f"authorization: Basic {credentials}", "host: assay", f"content-length: {length}"
    return "\r\n".join((f"{method} {path} HTTP/1.1", *lines, "", "")).encode()


def received(connection: socket.socket) -> tuple[int, bool]:
    """The status of one answer, and whether it is the last on its connection."""
    with connection.makefile("rb") as stream:
        status = int(stream.readline().split()[1])
        headers = dict(line.lower().strip().split(b": ", 1) for line in iter(stream.readline, b"\r\n"))
        stream.read(int(headers[b"content-length"]))
        return status, headers.get(b"connection") == b"close"


# ---------------------------------------------------------------- one server


def test_both_workers_answer_and_the_server_says_so_once(server: Server, tenant: Tenant, stack: ExitStack) -> None:
    backend = Backend(server, tenant.auth, stack, CONNECTIONS)
    assert backend.workers.keys() == {1, 2}
    assert min(map(len, backend.workers.values())) >= FEWEST
    assert len([line for line in server.log if '"listening"' in line]) == 1


def test_one_worker_is_the_process_itself(tenant: Tenant) -> None:
    with tenant.assay.serving("--workers", "1") as server:
        httpx.get(f"{server.url}{WHOAMI}", auth=tenant.auth, trust_env=False)
        assert "worker" not in json.loads(server.line_with('"request"'))
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text("ascii")
        assert children.split() == []


def test_how_many_there_are_may_stand_in_the_environment(tenant: Tenant) -> None:
    with tenant.assay.serving(environ={"ASSAY_WORKERS": "2"}) as server:
        assert pid_of(server, 1) != pid_of(server, 2)


def test_no_second_server_shares_the_address(server: Server, tmp_path: Path) -> None:
    done = Assay(tmp_path).command("serve", "--workers", "2", "--port", str(server.port), "--metrics", "none")
    assert (done.returncode, "cannot listen on" in done.stderr) == (1, True)


# ---------------------------------------------------------------- D29: what one is told counts in all


def test_a_session_revoked_through_one_worker_is_refused_by_every_other_at_once(
    backend: Backend, tenant: Tenant
) -> None:
    for clients in backend.workers.values():
        made = clients[0].post(ATTEST, json=tenant.body())
        body = {"session_token": made.json()["session_token"]}
        assert backend.answers(AUTHENTICATE, body) == {(1, 200, ""), (2, 200, "")}
        assert clients[0].post(REVOKE, json=body).status_code == 200
        assert backend.answers(AUTHENTICATE, body) == {(1, 404, "session_not_found"), (2, 404, "session_not_found")}


def test_a_profile_disabled_meanwhile_is_refused_by_every_worker_at_once(backend: Backend, tenant: Tenant) -> None:
    change = "profile", "update", "idp", "--project-id", tenant.project_id
    assert {status for _, status, _ in backend.answers(ATTEST, tenant.body())} == {200}
    tenant.assay.run(*change, "--disable")
    try:
        code = "trusted_token_profile_not_found"
        assert backend.answers(ATTEST, tenant.body()) == {(1, 404, code), (2, 404, code)}
    finally:
        tenant.assay.run(*change, "--enable")
    assert {status for _, status, _ in backend.answers(ATTEST, tenant.body())} == {200}


def test_a_secret_revoked_meanwhile_is_refused_by_every_worker_at_once(
    server: Server, tenant: Tenant, stack: ExitStack
) -> None:
    made = tenant.assay.run("project", "secret", "create", "--project-id", tenant.project_id)
    backend = Backend(server, (tenant.project_id, made["secret"]), stack, 16)
    body = {"session_token": "x" * 44}
    assert {status for _, status, _ in backend.answers(AUTHENTICATE, body)} == {400}  # it is no token
    tenant.assay.run("project", "secret", "revoke", made["secret_id"], "--project-id", tenant.project_id)
    code = "unauthorized_credentials"
    assert backend.answers(AUTHENTICATE, body) == {(1, 401, code), (2, 401, code)}


# ---------------------------------------------------------------- a worker that ends


def test_a_killed_worker_is_replaced_and_nobody_else_notices(
    server: Server, backend: Backend, tenant: Tenant, stack: ExitStack
) -> None:
    before = told(server)["assay_requests_total"]
    os.kill(pid_of(server, 1), signal.SIGKILL)
    line = json.loads(server.line_with('"signal 9"'))
    assert (line["event"], line["worker"], line["level"]) == ("worker_ended", 1, "error")
    meanwhile = Backend(server, tenant.auth, stack, CONNECTIONS)
    assert 2 in meanwhile.workers
    assert all(client.get(WHOAMI).status_code == 200 for client in backend.workers[2])
    assert told(server)["assay_requests_total"] >= before + CONNECTIONS
    assert pid_of(server, 1, 2) != pid_of(server, 1)
    while 1 not in Backend(server, tenant.auth, stack, 4).workers:
        pass
    assert told(server)["assay_requests_total"] > before + CONNECTIONS


def test_a_worker_that_is_told_to_end_finishes_and_is_replaced(server: Server, backend: Backend) -> None:
    before = told(server)["assay_requests_total"]
    os.kill(pid_of(server, 2), signal.SIGTERM)
    assert json.loads(server.line_with('"exit code 0"'))["worker"] == 2
    assert told(server)["assay_requests_total"] == before
    assert is_there(pid_of(server, 2, 2))
    assert backend.workers[1][0].get(WHOAMI).status_code == 200


def test_a_worker_that_cannot_start_again_leaves_its_callers_to_the_others(tenant: Tenant, tmp_path: Path) -> None:
    files = server_files(tmp_path)
    with tenant.assay.serving(*OPTIONS, *files.options) as server:
        files.key.write_text("not a key", "ascii")
        os.kill(pid_of(server, 1), signal.SIGKILL)
        assert "no private key" in json.loads(server.line_with('"worker_cannot_start"'))["reason"]
        for _ in range(CONNECTIONS):
            answer = requests.get(f"{server.url}/readyz", verify=str(files.authority), timeout=20)
            assert answer.status_code == 200
        files.write(issued())
        server.line_with(re.compile(r'"event":"certificate".*"worker":1\b'), 2)


async def test_a_server_whose_workers_cannot_start_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    settings = config.read({"ASSAY_WORKERS": "2"}, database=f"sqlite:///{tmp_path / 'assay.db'}")
    with pytest.raises(WorkerFault, match="ended before it answered"):
        await serving.serve(settings, ("127.0.0.1", 0))


# ---------------------------------------------------------------- the end of all


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_requests_in_flight_are_finished_and_all_processes_end(
    tenant: Tenant, stack: ExitStack, number: signal.Signals
) -> None:
    server = tenant.assay.start(*OPTIONS)
    try:
        backend = Backend(server, tenant.auth, stack, 16)
        halves = [stack.enter_context(connected(server)) for _ in range(16)]
        for half in halves:
            half.sendall(request(tenant, "GET", WHOAMI))
            assert received(half) == (200, False)
            half.sendall(request(tenant, "POST", SEARCH, length=2) + b"{")
        for clients in backend.workers.values():
            clients[0].get(WHOAMI)  # by now the halves have arrived
        server.process.send_signal(number)
        server.line_with('"stopping"')
        _wait_until_closed(server)
        for half in halves:
            half.sendall(b"}")
            assert received(half) == (200, True)
    finally:
        code = server.end(signal.SIGTERM)
    assert code == 0
    assert not any(is_there(pid_of(server, worker)) for worker in (1, 2))


def _wait_until_closed(server: Server) -> None:
    """The first connection that fails shows that nobody listens any more."""
    with suppress(ConnectionError):
        while True:
            with connected(server):
                pass


def test_a_second_signal_waits_for_nobody(tenant: Tenant) -> None:
    server = tenant.assay.start(*OPTIONS)
    with connected(server) as half:
        half.sendall(request(tenant, "GET", WHOAMI))
        assert received(half) == (200, False)
        half.sendall(request(tenant, "POST", SEARCH, length=2) + b"{")
        server.process.send_signal(signal.SIGTERM)
        server.line_with('"stopping"')
        assert server.end(signal.SIGTERM) == 0
    assert not any(is_there(pid_of(server, worker)) for worker in (1, 2))


def test_workers_end_by_themselves_when_nobody_looks_after_them_any_more(tenant: Tenant) -> None:
    server = tenant.assay.start(*OPTIONS)
    assert server.end(signal.SIGKILL) == -signal.SIGKILL
    # The log has come to its end, so that nobody holds it open any more.
    assert len([line for line in server.log if '"left_alone"' in line]) == 2
    with tenant.assay.serving(*OPTIONS, port=server.port):
        pass


def test_a_new_certificate_reaches_every_worker(tenant: Tenant, tmp_path: Path) -> None:
    files = server_files(tmp_path)
    with tenant.assay.serving(*OPTIONS, *files.options) as server:
        files.write(issued())
        server.process.send_signal(signal.SIGHUP)
        for worker in (1, 2):
            server.line_with(re.compile(rf'"event":"certificate".*"worker":{worker}\b'), 2)
        for _ in range(16):
            assert requests.get(f"{server.url}/readyz", verify=str(files.authority), timeout=20).status_code == 200
