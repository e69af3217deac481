"""The OpenAPI document: valid, whole, and as true as the types that it is made of."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from assay import errors
from assay.api import management, openapi, server
from assay.api.calls import Route
from assay.api.openapi import fields, prose, refusals, schemas, tags
from assay.api.wire import access, keys, organizations
from assay.api.wire.answers import STATUSES

DOCUMENT = openapi.document("")
ROWS = (*server.ROUTES, *management.ROUTES)
CALLS = [(method, path, call) for path, found in DOCUMENT["paths"].items() for method, call in found.items()]
NAMES = [f"{method} {path}" for method, path, _ in CALLS]
JSON = "application/json"


def named(row: Route) -> str:
    return f"{row.method} {row.path}"


def call(method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][path][method]
    return found


def body(method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = call(method, path)["requestBody"]["content"][JSON]["schema"]
    return found


def codes(operation: dict[str, Any]) -> dict[str, set[str]]:
    """The error codes of a call, by status."""
    return {
        status: set(answer["content"][JSON]["schema"]["allOf"][1]["properties"]["error_type"]["enum"])
        for status, answer in operation["responses"].items()
        if status != "200"
    }


def validator(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator(schema | {"components": DOCUMENT["components"]})


# ---------------------------------------------------------------- the whole


def test_the_document_is_valid_openapi_3_1() -> None:
    assert [fault.message for fault in OPENAPI_31_VALIDATOR.iter_errors(DOCUMENT)] == []


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_every_row_of_both_tables_is_described(row: Route) -> None:
    described = call(row.method.lower(), row.path)
    assert described["summary"]
    assert all(f"`{path}`" in described["description"] for path in row.also)


def test_nothing_is_described_but_the_tables_and_the_public_calls() -> None:
    public = {("get", path) for path in (*server.JWKS_PATHS, "/healthz", "/readyz")}
    rows = {(row.method.lower(), row.path) for row in ROWS}
    assert {(method, path) for method, path, _ in CALLS} == rows | public


def test_every_call_has_a_name_of_its_own() -> None:
    names = [described["operationId"] for _, _, described in CALLS]
    assert len(set(names)) == len(names)


def test_every_call_belongs_to_an_area() -> None:
    assert {described["tags"][0] for _, _, described in CALLS} <= {tag.name for tag in tags.TAGS} - {tags.OTHER.name}
    assert [tag["name"] for tag in DOCUMENT["tags"]] == [tag.name for tag in tags.TAGS if tag != tags.OTHER]


def test_the_document_is_the_same_each_time_it_is_made() -> None:
    again = openapi.document.__wrapped__("")
    assert list(again["components"]["schemas"]) == sorted(again["components"]["schemas"])
    assert repr(again) == repr(DOCUMENT)  # the order of members included


def test_the_public_url_is_the_server_of_the_document() -> None:
    assert DOCUMENT["servers"] == [{"url": "/"}]
    assert openapi.document("https://auth.example.com")["servers"] == [{"url": "https://auth.example.com"}]


# ---------------------------------------------------------------- requests


@pytest.mark.parametrize(("method", "path", "described"), CALLS, ids=NAMES)
def test_ids_of_the_path_are_parameters_and_nothing_else(method: str, path: str, described: dict[str, Any]) -> None:
    inside = {each["name"] for each in described.get("parameters", []) if each["in"] == "path"}
    assert inside == {piece[1:-1] for piece in path.split("/") if piece.startswith("{")}
    if "requestBody" in described:
        assert not inside & body(method, path)["properties"].keys()


@pytest.mark.parametrize(("method", "path", "described"), CALLS, ids=NAMES)
def test_the_example_of_a_body_fits_its_schema(method: str, path: str, described: dict[str, Any]) -> None:
    if "requestBody" not in described:
        return
    example = described["requestBody"]["content"][JSON]["example"]
    assert example or not described["requestBody"]["required"]
    assert [fault.message for fault in validator(body(method, path)).iter_errors(example)] == []


def test_what_a_get_asks_for_stands_in_the_query() -> None:
    described = call("get", "/v1/b2b/sessions")
    assert {(each["name"], each["in"], each["required"]) for each in described["parameters"]} == {
        ("organization_id", "query", True),
        ("member_id", "query", True),
    }


def test_a_query_never_says_null() -> None:
    described = call("get", "/v1/b2b/organizations/{organization_id}/member")
    (email,) = (each for each in described["parameters"] if each["name"] == "email_address")
    assert email["schema"] == {"type": "string"}


def test_what_a_call_is_about_stands_in_the_query_where_the_path_does_not_say_it() -> None:
    path = "/pwa/v3/projects/{project_slug}/environments/{environment_slug}/redirect_urls"
    for method in ("get", "put", "delete"):
        assert "url" in {each["name"] for each in call(method, path)["parameters"] if each["in"] == "query"}
    assert "url" not in body("put", path)["properties"]
    assert "url" in body("post", path)["properties"]


@pytest.mark.parametrize("name", ["profile_id", "token_profile_id"])
def test_either_name_of_the_profile_will_do(name: str) -> None:
    attest = validator(body("post", "/v1/b2b/sessions/attest"))
    assert attest.is_valid({"token": "t", name: "idp"})
    assert not attest.is_valid({"token": "t"})


def test_only_calls_that_take_a_member_session_show_its_headers() -> None:
    for row in ROWS:
        parameters = call(row.method.lower(), row.path).get("parameters", [])
        assert any(each["in"] == "header" for each in parameters) == row.member_session


def test_credentials_are_those_of_the_table() -> None:
    schemes = DOCUMENT["components"]["securitySchemes"]
    for row in ROWS:
        (needed,) = call(row.method.lower(), row.path)["security"]
        assert needed == {"workspaceKey" if row.api == "management" else "projectCredentials": []}
        assert schemes[next(iter(needed))]["scheme"] == "basic"
    assert call("get", "/healthz")["security"] == []


# ---------------------------------------------------------------- answers


def test_what_an_answer_always_has_is_required() -> None:
    made = schemas.Schemas([], [organizations.Member, keys.KeySetState])
    member, key_set = made.components["Member"], made.components["KeySetState"]
    assert set(member["required"]) == set(member["properties"])  # those with a default value too
    assert "url" not in key_set["required"]  # its Struct leaves it out when it has none


def test_an_id_is_explained_to_those_who_send_it() -> None:
    asked = call("get", "/v1/users/{user_id}")["parameters"][0]
    assert asked["description"] == fields.FIELDS["user_id"].meaning
    assert "description" not in DOCUMENT["components"]["schemas"]["User"]["properties"]["user_id"]


def test_a_record_beside_the_members_of_every_answer_is_one_object() -> None:
    schema = DOCUMENT["components"]["schemas"]["UserShown"]
    assert {"status_code", "request_id", "user_id", "emails"} <= set(schema["required"])


def test_types_of_the_same_name_are_told_apart() -> None:
    made = schemas.Schemas([], [access.Role, organizations.Role])
    assert [name for name in made.components if name.endswith("Role")] == ["AccessRole", "OrganizationsRole"]
    assert made.reference(access.Role) == {"$ref": "#/components/schemas/AccessRole"}


def test_every_field_that_is_explained_exists() -> None:
    shown = {name for schema in DOCUMENT["components"]["schemas"].values() for name in schema.get("properties", {})}
    for method, path, described in CALLS:
        shown |= {each["name"] for each in described.get("parameters", [])}
        shown |= set(body(method, path)["properties"]) if "requestBody" in described else set()
    assert set(fields.FIELDS) <= shown


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_the_story_of_every_call_names_its_errors_one_by_one(row: Route) -> None:
    assert "…" not in prose.told(row.story).raised


@pytest.mark.parametrize(("method", "path", "described"), CALLS, ids=NAMES)
def test_every_code_stands_under_its_status(method: str, path: str, described: dict[str, Any]) -> None:
    statuses = {error.code: str(STATUSES[error.kind]) for error in errors.all_errors()}
    for status, found in codes(described).items():
        assert {statuses[code] for code in found} == {status}, (method, path)


REFUSALS = {
    "of the steps before any story": (
        ("post", "/v1/b2b/sessions/attest"),
        {
            "401": {"unauthorized_credentials"},
            "413": {"request_too_large"},
            "503": {"server_unavailable", "internal_server_error", "trusted_token_keys_unavailable"},
            "400": {"bad_request", "invalid_b2b_endpoint", "member_session_header_not_supported"},
        },
    ),
    "named by the story": (("get", "/v1/users/{user_id}"), {"404": {"user_not_found"}}),
    "of another function that the docstring names": (
        ("post", "/v1/sessions/attest"),
        {"400": {"jwt_invalid_audience", "trusted_auth_token_identity_conflict", "invalid_session_token"}},
    ),
    "of the member session": (
        ("delete", "/v1/b2b/organizations/{organization_id}"),
        {"404": {"session_not_found", "organization_not_found"}, "403": {"session_authorization_error"}},
    ),
    "of an operator's call": (
        ("get", "/pwa/v3/projects/{project_slug}"),
        {"404": {"project_not_found"}, "401": {"unauthorized_credentials"}},
    ),
}


@pytest.mark.parametrize(("which", "expected"), REFUSALS.values(), ids=REFUSALS)
def test_a_call_tells_the_refusals(which: tuple[str, str], expected: dict[str, set[str]]) -> None:
    found = codes(call(*which))
    assert {status: expected[status] - found[status] for status in expected} == {status: set() for status in expected}


def test_a_call_tells_no_refusal_that_it_cannot_give() -> None:
    found = set().union(*codes(call("get", "/v1/users/{user_id}")).values())
    assert not found & {"request_too_large", "invalid_b2b_endpoint", "member_not_found", "session_not_found"}
    assert codes(call("get", "/healthz")) == {}


# ---------------------------------------------------------------- docstrings


def with_doc(text: str) -> object:
    def documented() -> None: ...

    documented.__doc__ = text
    return documented


TOLD = {
    "one sentence": ("One user. Raises UserNotFound.", ("One user", "", "UserNotFound.")),
    "more of it": ("End it. It is over.\n\nRaises Gone.", ("End it", "It is over.", "Gone.")),
    "text after what is raised": ("Do.\n\n    Raises Gone.\n\n    More.", ("Do", "More.", "Gone.")),
    "roles and literals": ("As :func:`get`, with ``x``.", ("As `get`, with `x`", "", "")),
    "citations": ("Told (decisions D17) here (R44). And (contract §6.4) there.", ("Told here", "And there.", "")),
    "lines": ("One\n    line.\n\n    Two\n    lines.", ("One line", "Two lines.", "")),
}


@pytest.mark.parametrize(("text", "expected"), TOLD.values(), ids=TOLD)
def test_a_docstring_is_told_to_callers(text: str, expected: tuple[str, str, str]) -> None:
    assert prose.told(with_doc(text)) == expected


def test_no_text_of_the_document_speaks_of_the_code() -> None:
    texts = [text for _, _, described in CALLS for text in (described["summary"], described["description"])]
    texts += [schema.get("description", "") for schema in DOCUMENT["components"]["schemas"].values()]
    assert [
        text for text in texts if ":func:" in text or "``" in text or "contract" in text or "decisions D" in text
    ] == []


def test_functions_that_name_each_other_end() -> None:
    assert refusals.raised(first) == {errors.UserNotFound, errors.MemberNotFound}


def first() -> None:
    """Raises UserNotFound, and as :func:`second`."""


def second() -> None:
    """Raises MemberNotFound, and as :func:`first`."""
