"""No request makes the server stumble, or answer in a way that its own description does not allow."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
from schemathesis.core.failures import FailureGroup
from schemathesis.openapi.checks import JsonSchemaError

from assay.api import openapi
from tests.hostile.openapi_fuzz import Found, Fuzz, opened

EXAMPLES = 8
OPERATIONS = [call["operationId"] for path in openapi.document("")["paths"].values() for call in path.values()]


@pytest.fixture(scope="module")
def fuzz(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzz]:
    with opened(tmp_path_factory.mktemp("fuzz")) as made:
        yield made


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_answer_is_one_that_the_document_describes(fuzz: Fuzz, operation: str) -> None:
    fuzz.run(operation, EXAMPLES, derandomize=True)
    statuses = {status for name, status in fuzz.answers if name == operation}
    assert statuses  # something was sent
    assert 401 not in statuses  # and the run kept its credentials


def test_the_requests_that_are_aimed_get_through_to_the_stories(fuzz: Fuzz) -> None:
    for operation in ("b2b_attest_attest", "consumer_users_update", "management_managed_profiles_update_profile"):
        fuzz.run(operation, EXAMPLES * 2, derandomize=True)
        assert fuzz.answers[operation, 200] > 0, operation


def test_an_answer_outside_its_schema_is_found(fuzz: Fuzz) -> None:
    wrong = copy.deepcopy(fuzz.document)
    wrong["components"]["schemas"]["Health"]["properties"]["status"] = {"const": "unwell"}
    with pytest.raises(FailureGroup) as found:
        fuzz.of(wrong).run("alive", 1, derandomize=True)
    assert found.group_contains(JsonSchemaError)


def test_a_fault_is_found(fuzz: Fuzz, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.api.application.wire_access.Health", None)
    with pytest.raises(Found, match="internal_server_error"):
        fuzz.run("alive", 1, derandomize=True)
