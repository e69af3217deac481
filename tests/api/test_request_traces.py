"""Traces: which spans a request makes, whose children they are, and what is never in them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
from opentelemetry import trace

from assay import config
from assay.config import ConfigFault
from assay.observing import opening
from assay.observing.opentelemetry import _parent
from tests.collector import Collector, Span, collecting
from tests.issuer import AUDIENCE, make_key, serving
from tests.process import Assay

CALLERS_TRACE, CALLERS_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{CALLERS_TRACE}-{CALLERS_SPAN}-01"
ATTEST = "/v1/b2b/sessions/attest"
ORGANIZATION = "/v1/b2b/organizations/{organization_id}"
SERVER, INTERNAL = 2, 1
UNSET, ERROR = 0, 2


class Run(NamedTuple):
    """What a server sent that answered four requests, and everything that must not be in it."""

    collector: Collector
    project_id: str
    attested: dict[str, Any]
    refused: dict[str, Any]
    secrets: dict[str, str]

    def server_span(self, request_id: str) -> Span:
        (found,) = [each for each in self.collector.spans if each.attributes.get("assay.request_id") == request_id]
        return found

    def children(self, parent: Span) -> list[Span]:
        return [each for each in self.collector.spans if each.parent_id == parent.span_id]

    def child(self, parent: Span, name: str) -> Span:
        (found,) = [each for each in self.children(parent) if each.name == name]
        return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    assay = Assay(tmp_path_factory.mktemp("traces"))
    project = assay.create_project("Acme", "b2b")
    credentials = project["project_id"], project["secret"]
    with serving([make_key("RSA")]) as issuer, collecting() as collector:
        mapping = {"email": "email", "organization_id": "org"}
        options = "--jwks-url", issuer.jwks_url, "--jit"
        assay.create_profile(
            project["project_id"], *options, issuer=issuer.url, audience=AUDIENCE, mapping=mapping, profile_id="idp"
        )
        token = issuer.mint({"email": "ada@example.com", "email_verified": True, "org": "engines"})
        body = {"profile_id": "idp", "token": token}
        with assay.serving(environ={"ASSAY_TRACES_ENDPOINT": f"{collector.url}/"}) as server:

            def call(method: str, path: str, traceparent: str = "", **how: Any) -> Any:
                headers = {"traceparent": traceparent, "tracestate": "vendor=free-text-of-the-caller"}
                url = f"{server.url}{path}"
                return requests.request(method, url, auth=credentials, headers=headers, timeout=30, **how).json()

            attested = call("POST", ATTEST, TRACEPARENT, json=body)
            refused = call("POST", ATTEST, "00-zz-zz-01", json=body | {"token": token[:-4] + "AAAA"})
            call("GET", "/v1/b2b/organizations/organization-of-a-path?q=query-of-a-caller")
            call("PROPFIND", "/made-up")
        secrets = {
            "token": token,
            "signature of the token": token.rpartition(".")[2],
            "claims of the token": token.split(".")[1],
            "session token": attested["session_token"],
            "session JWT": attested["session_jwt"].rpartition(".")[2],
            "secret": project["secret"],
            "mail address": "ada@example.com",
            "address of the issuer": issuer.url.removeprefix("http://"),
            "query": "query-of-a-caller",
            "path": "organization-of-a-path",
            "tracestate": "free-text-of-the-caller",
        }
        yield Run(collector, project["project_id"], attested, refused, secrets)


def test_they_go_to_the_collector_and_say_who_sent_them(run: Run) -> None:
    assert {path for path, _ in run.collector.received} == {"/v1/traces"}
    assert run.collector.resource["service.name"] == "assay"
    assert run.collector.resource["service.version"]


def test_a_request_is_one_span_of_the_callers_trace(run: Run) -> None:
    span = run.server_span(run.attested["request_id"])
    assert (span.name, span.kind, span.status) == (f"POST {ATTEST}", SERVER, UNSET)
    assert (span.trace_id, span.parent_id) == (CALLERS_TRACE, CALLERS_SPAN)
    assert span.attributes == {
        "http.request.method": "POST",
        "http.route": ATTEST,
        "http.response.status_code": 200,
        "assay.request_id": run.attested["request_id"],
        "assay.project_id": run.project_id,
    }


def test_the_steps_of_an_attest_are_its_children(run: Run) -> None:
    span = run.server_span(run.attested["request_id"])
    steps = [each.name for each in run.children(span) if each.name != "write"]
    assert sorted(steps) == ["find keys", "read profile", "sign", "verify"]
    writes = [each.attributes["assay.kind"] for each in run.children(span) if each.name == "write"]
    made = ["CreateOrganization", "CreateMember", "StartSession", "Observe"]
    assert [kind for kind in writes if kind != "TouchSecret"] == made
    looking = run.child(span, "find keys")
    assert run.child(looking, "fetch keys").kind == INTERNAL
    assert {"LeaseKeys", "KeepKeys"} == {
        each.attributes["assay.kind"] for each in run.children(looking) if each.name == "write"
    }
    assert {each.trace_id for each in [*run.children(span), *run.children(looking)]} == {CALLERS_TRACE}


def test_a_refusal_tells_its_code_and_a_bad_traceparent_is_ignored(run: Run) -> None:
    span = run.server_span(run.refused["request_id"])
    assert span.trace_id != CALLERS_TRACE
    assert span.parent_id == ""
    assert span.attributes["http.response.status_code"] == 400
    assert span.attributes["error.type"] == run.refused["error_type"] == "invalid_trusted_auth_token"
    assert span.status == UNSET
    failed = run.child(span, "verify")
    assert (failed.status, failed.attributes["error.type"]) == (ERROR, "invalid_trusted_auth_token")


def test_what_a_caller_made_up_is_in_no_name(run: Run) -> None:
    names = {each.name for each in run.collector.spans if each.kind == SERVER}
    assert names == {f"POST {ATTEST}", f"GET {ORGANIZATION}", "_OTHER unmatched"}


@pytest.mark.parametrize(
    "what",
    [
        "token",
        "signature of the token",
        "claims of the token",
        "session token",
        "session JWT",
        "secret",
        "mail address",
        "address of the issuer",
        "query",
        "path",
        "tracestate",
    ],
)
def test_nothing_secret_is_sent(run: Run, what: str) -> None:
    assert run.secrets[what].encode() not in run.collector.raw


def test_no_text_of_an_exception_is_sent(run: Run) -> None:
    assert [each for each in run.collector.spans if each.events] == []


# ---------------------------------------------------------------- traceparent


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([], id="none"),
        pytest.param([b""], id="empty"),
        pytest.param([TRACEPARENT.encode()] * 2, id="two"),
        pytest.param([b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01"], id="no trace"),
        pytest.param([b"00-0af7651916cd43dd8448eb211c80319c-" + b"0" * 16 + b"-01"], id="no span"),
        pytest.param([b"ff" + TRACEPARENT.encode()[2:]], id="a version that is forbidden"),
        pytest.param([TRACEPARENT.encode() + b"-more"], id="more than this version has"),
        pytest.param([TRACEPARENT.encode() + b"-" + b"a" * 5000], id="long"),
        pytest.param(["00-äaf7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".encode()], id="not ASCII"),
    ],
)
def test_a_bad_traceparent_begins_a_new_trace(values: list[bytes]) -> None:
    assert not trace.get_current_span(_parent(values)).get_span_context().is_valid


def test_a_good_traceparent_is_taken() -> None:
    found = trace.get_current_span(_parent([TRACEPARENT.encode()])).get_span_context()
    assert (found.trace_id, found.span_id) == (int(CALLERS_TRACE, 16), int(CALLERS_SPAN, 16))


# ---------------------------------------------------------------- off, missing, away


def test_the_library_is_not_even_imported_unless_traces_are_configured() -> None:
    script = (
        "import sys; from assay import cli, config, serving; from assay.observing import opening, tracer;"
        "assert opening.open_tracer(config.read({})) is tracer.NO_TRACER;"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)


def test_a_missing_library_is_a_fault_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "assay.observing.opentelemetry", raising=False)
    settings = config.read({"ASSAY_TRACES_ENDPOINT": "http://127.0.0.1:4318"})
    with pytest.raises(ConfigFault, match=r"pip install assay\[traces\]"):
        opening.open_tracer(settings)


@pytest.mark.parametrize(
    "endpoint",
    ["127.0.0.1:4318", "ftp://collector", "http://", "http://user:pass@collector", "http://collector/?key=1"],
)
def test_an_endpoint_that_cannot_be_used_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigFault, match="ASSAY_TRACES_ENDPOINT must"):
        config.read({"ASSAY_TRACES_ENDPOINT": endpoint})


def test_a_collector_that_is_away_disturbs_nobody(tmp_path: Path) -> None:
    server = Assay(tmp_path).start(environ={"ASSAY_TRACES_ENDPOINT": "http://127.0.0.1:9"})
    assert requests.get(f"{server.url}/healthz", timeout=30).status_code == 200
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 10
    assert "Traceback" not in "".join(server.log)
