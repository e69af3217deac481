"""Which keys a configuration file has. The parser, the exporter and the reference are made from these tables."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

import msgspec

from assay.model import EnvironmentSettings
from assay.model.base import IssuerCheck, Replay
from assay.model.trust import DEFAULT_TYPES
from assay.rules.algorithms import DEFAULT_ALGORITHMS

KeyForm = Literal["text", "integer", "boolean", "texts", "table", "tables", "list of tables", "table or JSON text"]


class Key(NamedTuple):
    """One key of a table: its form, what it means, and what holds without it (None: nothing is said)."""

    name: str
    form: KeyForm
    meaning: str
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()


class Section(NamedTuple):
    """A kind of table: how its header looks, what it is for, and its keys. ``name`` is what the words call it."""

    name: str
    header: str
    meaning: str
    keys: tuple[Key, ...]


_ENVIRONMENT = "projects.SLUG.environments.SLUG"

TOP = Section(
    "file",
    "",
    "A file names projects, and nothing else stands at its top.",
    (Key("projects", "tables", "The projects, by slug."),),
)

PROJECT = Section(
    "project",
    "[projects.SLUG]",
    "One product. The slug is made of a-z, 0-9 and -, and never changes.",
    (
        Key("name", "text", "What people call it, 1 to 128 characters.", required=True),
        Key(
            "vertical",
            "text",
            "b2b: members of organizations log in. consumer: users without organizations do. It never changes.",
            required=True,
            choices=("b2b", "consumer"),
        ),
        Key("environments", "tables", "The environments, by slug. The live one comes first; there is at most one."),
    ),
)

ENVIRONMENT = Section(
    "environment",
    f"[{_ENVIRONMENT}]",
    "One tenant of the project, with people, profiles and a policy of its own. The slug never changes.",
    (
        Key("type", "text", "It never changes.", required=True, choices=("live", "test")),
        Key("name", "text", "What people call it, 1 to 128 characters.", required=True),
        Key("settings", "table", "What differs from the default settings. Without this table they stay as they are."),
        Key("profiles", "tables", "The trusted auth token profiles, by profile id."),
        Key("roles", "tables", "The roles of the RBAC policy, by role id, the default ones included."),
        Key("resources", "tables", "Your own resources of the RBAC policy, by resource id."),
        Key("scopes", "tables", "Your own scopes of the RBAC policy, by name."),
        Key("redirect_urls", "tables", "Where browsers may be sent, by URL."),
        Key("jwt_templates", "tables", "What JWTs carry beside their own claims: session, or m2m."),
    ),
)

_SETTINGS = {
    "session_jwt_algorithm": "What session JWTs are signed with. Another one makes new keys; the old ones stay"
    " published for 30 days. The local checks of the official SDKs take RS256 alone.",
    "cross_org_passwords_enabled": "One password for all organizations of a member.",
    "user_impersonation_enabled": "Whether operators may act as somebody else.",
    "zero_downtime_session_migration_url": "Where sessions of another system are looked up.",
    "use_custom_domain_in_magic_link_emails": "Whose domain is in links that are mailed.",
    "user_lock_self_serve_enabled": "Whether locked users can unlock themselves.",
    "user_lock_threshold": "How many failed logins lock a user.",
    "user_lock_ttl": "For how many seconds a user stays locked.",
    "idp_authorization_url": "Where connected applications send people to agree.",
    "idp_dynamic_client_registration_enabled": "Whether applications can register themselves.",
    "idp_dynamic_client_registration_access_token_template_content": "What their access tokens carry.",
}
_FORMS: dict[type, KeyForm] = {bool: "boolean", int: "integer", str: "text"}

SETTINGS = Section(
    "settings",
    f"[{_ENVIRONMENT}.settings]",
    "Settings of the environment. A key that is left out has its default. All but session_jwt_algorithm are kept for"
    " your tools: they do not change what Assay does.",
    tuple(
        Key(
            field.name,
            _FORMS[type(field.default)],
            _SETTINGS[field.name],
            default=field.default,
            choices=get_args(field.type),
        )
        for field in msgspec.structs.fields(EnvironmentSettings)
    ),
)

_JUDGING = (
    Key("enabled", "boolean", "Whether its tokens start sessions; false refuses them all.", default=True),
    Key("max_age_seconds", "integer", "How long after its iat a token is taken. Without it there is no such limit."),
    Key(
        "max_lifetime_seconds",
        "integer",
        "How long a token may live, from its iat, or else from now, to its exp.",
        default=366 * 86_400,
    ),
    Key("require_exp", "boolean", "Whether a token must say when it ends; false needs max_age_seconds.", default=True),
    Key("additional_audiences", "texts", "Other audiences that are accepted beside audience.", default=[]),
    Key("single_audience", "boolean", "Refuse tokens that are for other audiences as well.", default=False),
    Key(
        "audience_claim",
        "text",
        "Where the audience stands: a claim name such as azp or client_id, a JSON pointer, header:NAME, or none, which"
        " needs a condition.",
        default="aud",
    ),
    Key(
        "issuer_check",
        "text",
        "exact compares iss with issuer; template first fills in the one {claim} that issuer holds; none does not look"
        " at it. The last two need a condition.",
        default="exact",
        choices=get_args(IssuerCheck),
    ),
    Key(
        "typ",
        "texts",
        "What a token may call itself in its header, in any case and with or without application/; absent stands for"
        " nothing.",
        default=list(DEFAULT_TYPES),
    ),
    Key("conditions", "texts", "At most 20 CEL expressions over claims and header; each must be true.", default=[]),
    Key(
        "replay",
        "text",
        "Whether a token may be used again: off lets it; token_id and fingerprint take each token id, or each token,"
        " once.",
        default="off",
        choices=get_args(Replay),
    ),
    Key(
        "trust_email",
        "boolean",
        "Whether an address counts of which the token does not say that it is verified.",
        default=True,
    ),
    Key(
        "organizations",
        "texts",
        "The organizations that its tokens are for, by id or external id, at most 100; empty means all. b2b only.",
        default=[],
    ),
    Key("session_ends_with_token", "boolean", "End sessions when the token ends that started them.", default=False),
    Key(
        "rotate_session_token", "boolean", "Give out a new session token when a token adds to a session.", default=False
    ),
    Key("kept_claims", "texts", "The top-level claims that attempt records may hold, at most 50.", default=[]),
)

PROFILE = Section(
    "profile",
    f"[{_ENVIRONMENT}.profiles.PROFILE_ID]",
    "Whose tokens are trusted, by which keys, and what their claims mean. The id has 1 to 128 letters, digits, _ or -."
    " Its keys come from one of jwks_url, pem_files, public_keys and key_sources.",
    (
        Key("name", "text", "What people call it.", required=True),
        Key(
            "issuer",
            "text",
            "What the token's iss must be, exactly. May be left out where a project source gives the keys.",
        ),
        Key(
            "audience",
            "text",
            "What the token's aud must be or contain. May be left out where a project source gives the keys.",
        ),
        Key("jwks_url", "text", "Where the issuer publishes its keys, over https."),
        Key("pem_files", "texts", "One to five files that hold a public key or certificate each, as PEM."),
        Key("public_keys", "texts", "The same as texts in this file."),
        Key("key_sources", "list of tables", "One to eight key sources, for everything else."),
        Key(
            "attribute_mapping",
            "table or JSON text",
            "Which claim says what: attribute = claim. Attributes: email, email_verified, token_id, role_ids, name and"
            " trusted_metadata.KEY; b2b also external_member_id, organization_id, organization_name; consumer also"
            " external_user_id. A claim is its name, a JSON pointer such as /user/email,"
            " { from = CLAIM, default = VALUE }, or { cel = EXPRESSION }.",
            default={},
        ),
        Key("can_jit_provision", "boolean", "Make members, organizations and users that do not exist.", default=False),
        Key("algorithms", "texts", "The signature algorithms that are accepted.", default=list(DEFAULT_ALGORITHMS)),
        Key("leeway_seconds", "integer", "How far clocks may differ, 0 to 300 seconds.", default=30),
        Key(
            "keys_stale_limit",
            "integer",
            "How long the last good keys serve while the issuer is away, 0 to 604800 seconds.",
            default=86_400,
        ),
        *_JUDGING,
        Key(
            "public_key_type",
            "text",
            "Follows from where the keys come from; a file that says it otherwise is refused.",
            choices=("JWK", "PEM", "UNSPECIFIED"),
        ),
    ),
)

_CA = (
    Key("ca_pem", "text", "A private certificate authority for this source alone, as PEM text."),
    Key("ca_pem_file", "text", "The same as a file."),
)
_URL = Key("url", "text", "What is fetched, over https.", required=True)
_KIND = Key("kind", "text", "Which kind of source this is.", required=True)

SOURCES: dict[str, tuple[Key, ...]] = {
    "jwks": (_URL, *_CA),
    "discovery": (_URL._replace(required=False, meaning="Without it, the address below the issuer."), *_CA),
    "pem": (
        Key("public_keys", "texts", "One to five public keys or certificates as PEM texts."),
        Key("public_key_files", "texts", "The same as files."),
    ),
    "inline_jwks": (
        Key("jwks", "text", "A JWK set, as JSON text."),
        Key("jwks_file", "text", "The same as a file."),
    ),
    "x509_map": (_URL,),
    "pem_map": (_URL,),
    "alb": (
        Key("signer", "text", "The ARN of the load balancer.", required=True),
        Key("region", "text", "Its region, or else the url."),
        Key("url", "text", "Where its keys are, when it is not the region's usual place."),
    ),
    "spiffe": (_URL, *_CA),
    "project": (
        Key("project_slug", "text", "The project whose session JWTs are trusted, with environment_slug."),
        Key("environment_slug", "text", "Its environment; another one than the profile's own."),
        Key("project_id", "text", "The same environment by its id, instead of the two slugs."),
    ),
    "hmac": (
        Key("secret_env", "text", "The environment variable that holds the shared secret, as text."),
        Key("secret_base64url_env", "text", "The environment variable that holds it as base64url."),
        Key("secret_file", "text", "The file that holds it; a line break at the end of a text is not part of it."),
    ),
}

SOURCE_SECTIONS = tuple(
    Section(
        f"{kind} source",
        f'key_sources = [{{ kind = "{kind}", … }}]',
        f"A source of kind {kind}.",
        (_KIND._replace(choices=(kind,)), *keys),
    )
    for kind, keys in SOURCES.items()
)

_DESCRIPTION = Key("description", "text", "What people read.", default="")
_PERMISSIONS = Key("permissions", "table", 'Resource id = list of actions; ["*"] stands for all of them.', default={})

ROLE = Section(
    "role",
    f"[{_ENVIRONMENT}.roles.ROLE_ID]",
    "What holders of the role may do. Of the default roles stytch_member, stytch_admin and stytch_user only the"
    " permissions can be said. On default resources that they do not name these roles keep their usual permissions.",
    (_DESCRIPTION, _PERMISSIONS),
)

RESOURCE = Section(
    "resource",
    f"[{_ENVIRONMENT}.resources.RESOURCE_ID]",
    "Something that can be acted upon.",
    (_DESCRIPTION, Key("actions", "texts", "What can be done with it.", required=True)),
)

SCOPE = Section(
    "scope",
    f"[{_ENVIRONMENT}.scopes.SCOPE]",
    "A set of permissions that an application can ask for.",
    (_DESCRIPTION, _PERMISSIONS),
)

REDIRECT_USES = ("LOGIN", "SIGNUP", "INVITE", "RESET_PASSWORD", "DISCOVERY")

REDIRECT_URL = Section(
    "redirect URL",
    f'[{_ENVIRONMENT}.redirect_urls."URL"]',
    "One URL that browsers may be sent to.",
    (
        Key("types", "texts", "What it may be used for.", required=True, choices=REDIRECT_USES),
        Key("default_for", "texts", "For which of these it is the default.", default=[], choices=REDIRECT_USES),
    ),
)

JWT_TEMPLATE = Section(
    "JWT template",
    f"[{_ENVIRONMENT}.jwt_templates.session]",
    "What the session JWTs (session) or machine JWTs (m2m) of the environment carry beside their own claims.",
    (
        Key("template_content", "text", "A JSON object whose texts may hold {{ … }}.", required=True),
        Key("custom_audience", "text", "One more audience.", default=""),
    ),
)

SECTIONS = (
    TOP,
    PROJECT,
    ENVIRONMENT,
    SETTINGS,
    PROFILE,
    *SOURCE_SECTIONS,
    ROLE,
    RESOURCE,
    SCOPE,
    REDIRECT_URL,
    JWT_TEMPLATE,
)
"""Every kind of table, in the order of the reference."""
