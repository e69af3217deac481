"""What ``assay profile create`` and ``update`` take beyond a name, keys and a mapping (decisions D8)."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from assay import jsontext
from assay.model.base import IssuerCheck, Replay
from assay.stories.profiles import NO_LIMIT

Fields = dict[str, Any]
"""Members of a profile by name: those whose options were given."""

_SECONDS = "SECONDS"
_OPTIONS: dict[str, Any] = {
    "conditions": Annotated[
        list[str] | None,
        typer.Option(
            "--condition",
            metavar="CEL",
            help="A CEL expression over claims and header that must be true, such as"
            " 'claims.hd == \"acme.example\"'. Up to 20 times.",
        ),
    ],
    "additional_audiences": Annotated[
        list[str] | None,
        typer.Option(
            "--additional-audience", metavar="AUDIENCE", help="Another audience that is accepted; once per audience."
        ),
    ],
    "single_audience": Annotated[
        bool | None,
        typer.Option(
            "--single-audience/--no-single-audience", help="Refuse tokens that are for other audiences as well."
        ),
    ],
    "audience_claim": Annotated[
        str | None,
        typer.Option(
            "--audience-claim",
            metavar="CLAIM",
            help="Where the audience stands, usually aud: a claim such as azp or client_id, a JSON pointer,"
            " header:NAME, or none, which needs a condition.",
        ),
    ],
    "issuer_check": Annotated[
        IssuerCheck | None,
        typer.Option(
            "--issuer-check",
            help="exact, as usual: iss is the issuer. template: the issuer holds one {claim}, which is filled in from"
            " the token first. none: iss is not looked at. The last two need a condition.",
        ),
    ],
    "typ": Annotated[
        list[str] | None,
        typer.Option(
            "--typ",
            metavar="TYPE",
            help="What the header's typ may be, once per type; absent stands for none. Without it: absent, JWT,"
            " at+jwt and id_token+jwt.",
        ),
    ],
    "max_age_seconds": Annotated[
        int | None,
        typer.Option("--max-age-seconds", metavar=_SECONDS, min=1, help="How long after its iat a token is taken."),
    ],
    "max_lifetime_seconds": Annotated[
        int | None,
        typer.Option(
            "--max-lifetime-seconds",
            metavar=_SECONDS,
            min=1,
            help="How long a token may live, from its iat to its exp; usually 366 days.",
        ),
    ],
    "require_exp": Annotated[
        bool | None,
        typer.Option(
            "--require-exp/--no-require-exp", help="Whether a token must have exp. Without it --max-age-seconds."
        ),
    ],
    "replay": Annotated[
        Replay | None,
        typer.Option(
            "--replay",
            help="What may be used once only: nothing (off, as usual), each token_id, or each token (fingerprint).",
        ),
    ],
    "trust_email": Annotated[
        bool | None,
        typer.Option(
            "--trust-email/--no-trust-email",
            help="Whether an address counts of which the token does not say that it is verified; usually it does.",
        ),
    ],
    "organizations": Annotated[
        list[str] | None,
        typer.Option(
            "--organization",
            metavar="ID",
            help="An organization that its tokens are for, by id or external id; once per organization, up to 100"
            " times. Without it: all. b2b only.",
        ),
    ],
    "session_ends_with_token": Annotated[
        bool | None,
        typer.Option(
            "--session-ends-with-token/--session-outlives-token",
            help="Whether a session ends when the token ends that started it; usually it lives on.",
        ),
    ],
    "rotate_session_token": Annotated[
        bool | None,
        typer.Option(
            "--rotate-session-token/--no-rotate-session-token",
            help="Whether to give out a new session token when a token adds to a session.",
        ),
    ],
    "kept_claims": Annotated[
        list[str] | None,
        typer.Option(
            "--kept-claim",
            metavar="CLAIM",
            help="A top-level claim that the records of attempts may hold; once per claim, up to 50 times.",
        ),
    ],
    "enabled": Annotated[
        bool | None,
        typer.Option("--enable/--disable", help="Whether its tokens start sessions; --disable refuses all."),
    ],
}

_NOTHING: Fields = {
    "attribute_mapping": {},
    "additional_audiences": (),
    "conditions": (),
    "kept_claims": (),
    "max_age_seconds": NO_LIMIT,
    "organizations": (),
}
Clear = Annotated[
    list[str] | None,
    typer.Option(
        "--clear", metavar="FIELD", help=f"Take away a mapping, a list or a limit; one of {', '.join(_NOTHING)}."
    ),
]
Mapping = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="ATTRIBUTE=CLAIM",
        help="Which claim says what; once per attribute. Attributes: email, email_verified, token_id, role_ids, name,"
        " trusted_metadata.KEY; b2b also external_member_id, organization_id, organization_name; consumer also"
        " external_user_id. Claim names are taken literally; /a/b is a JSON pointer.",
    ),
]
MappingCel = Annotated[
    list[str] | None,
    typer.Option(
        "--map-cel",
        metavar="ATTRIBUTE=CEL",
        help="The same with a CEL expression over claims and header, such as 'email=claims.upn.lowerAscii()'.",
    ),
]
MappingJson = Annotated[
    list[str] | None,
    typer.Option(
        "--map-json",
        metavar="ATTRIBUTE=JSON",
        help="""The same as JSON, such as 'role_ids={"from": "roles", "default": []}'.""",
    ),
]


def taking_fields(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command every option above, in the place of its parameter ``fields``, and there those that were given."""
    own = inspect.signature(command, eval_str=True)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in _OPTIONS.items()
    ]
    parameters = [each for name, kept in own.parameters.items() for each in (added if name == "fields" else [kept])]

    @functools.wraps(command)
    def run(**given: Any) -> None:  # noqa: ANN401 - whatever the options are
        found = {name: given.pop(name) for name in _OPTIONS}
        fields = {name: _frozen(value) for name, value in found.items() if value is not None and value != []}
        command(**given, fields=fields)

    # The command line is read off the signature.
    vars(run).pop("__wrapped__")
    run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined] # known to inspect, not to mypy
    run.__annotations__ = {each.name: each.annotation for each in parameters} | {"return": None}
    return run


def _frozen(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def cleared(names: Sequence[str], fields: Fields) -> Fields:
    """What an update has to say to take these fields away. Raises BadParameter for one that is also given."""
    for name in names:
        if name not in _NOTHING:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(_NOTHING)}", param_hint="--clear")
        if fields.get(name) is not None:
            raise typer.BadParameter(f"{name} is given as well", param_hint="--clear")
    return {name: _NOTHING[name] for name in names}


def read_mapping(plain: Sequence[str] | None, cel: Sequence[str] | None, as_json: Sequence[str] | None) -> Fields:
    """The mapping that ``--map``, ``--map-cel`` and ``--map-json`` make, each attribute once. Raises BadParameter."""
    mapping: Fields = {}
    for option, texts, value_of in (
        ("--map", plain, lambda text: text),
        ("--map-cel", cel, lambda text: {"cel": text}),
        ("--map-json", as_json, _json),
    ):
        for text in texts or ():
            attribute, value = _split(option, text)
            if attribute in mapping:
                raise typer.BadParameter(f"{attribute} is mapped twice", param_hint=option)
            mapping[attribute] = value_of(value)
    return mapping


def _split(option: str, text: str) -> tuple[str, str]:
    """Attribute and the rest, in which there may be further equals signs."""
    attribute, equals, value = text.partition("=")
    if not (attribute and equals and value):
        form = {"--map": "CLAIM", "--map-cel": "CEL", "--map-json": "JSON"}[option]
        raise typer.BadParameter(f"{text!r} does not look like ATTRIBUTE={form}", param_hint=option)
    return attribute, value


def _json(text: str) -> Any:  # noqa: ANN401 - a JSON value
    try:
        return jsontext.loads(text.encode())
    except (jsontext.JsonFault, UnicodeEncodeError) as fault:
        raise typer.BadParameter(f"what follows the = is not JSON: {fault}", param_hint="--map-json") from None
