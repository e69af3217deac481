"""What a page is handed, and what it answers with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal, NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from assay.dashboard import navigation, templating
from assay.dashboard.fields import Fields
from assay.model import Caller, Environment, Project, Secret
from assay.stories import internal, operators
from assay.stories.context import Call, Context, Operator
from assay.stories.operators import Role, SignedIn

ROOT = "/dashboard"

Theme = Literal["auto", "light", "dark"]
Tone = Literal["good", "info", "warning", "bad"]

_HTML = (b"content-type", b"text/html; charset=utf-8")


class Notice(msgspec.Struct, frozen=True):
    """A sentence about what was just done."""

    tone: Tone
    text: str


class Entry(NamedTuple):
    """One link of the navigation; ``section`` is what the rows of its pages name."""

    section: str
    title: str
    path: str


class Answer(msgspec.Struct, kw_only=True):
    """What goes back. ``notice`` is shown by the next page; ``cookies`` are Set-Cookie headers."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes | AsyncIterator[bytes] = b""
    notice: Notice | None = None
    cookies: list[bytes] = []


class Page(msgspec.Struct, kw_only=True):
    """One request for a page, after everything that could refuse it.

    ``parameters`` come from the path, ``query`` from behind it and ``form`` from the body. ``csrf`` is the
    anti-forgery token of this visitor. ``environments`` are those of the chosen project. ``address`` is the host that
    the request came from, ``secure`` whether the browser speaks https, ``origin`` how it names us (``https://host``).
    """

    ctx: Context
    path: str
    section: str
    request_id: str
    address: str
    secure: bool
    origin: str
    parameters: dict[str, str]
    query: Fields
    form: Fields
    csrf: str
    theme: Theme = "auto"
    notice: Notice | None = None
    signed_in: SignedIn | None = None
    session_token: str = ""
    chosen_project: Project | None = None
    chosen: Environment | None = None
    environments: tuple[Environment, ...] = ()

    # ---------------------------------------------------------------- who and where

    @property
    def operator(self) -> SignedIn:
        """Who is signed in. Only for pages whose row asks for a role."""
        if self.signed_in is None:
            raise AssertionError("a page for nobody in particular asked for the operator")
        return self.signed_in

    @property
    def by(self) -> Operator:
        """The operator, for stories and their audit events."""
        return Operator(name=self.operator.email, request_id=self.request_id)

    @property
    def call(self) -> Call:
        """The operator as a caller of the server API, for stories that take a :class:`Call`; it may do everything.

        It has no secret, so stories that start sessions find it revoked; audit events name the operator.
        """
        nobody = Secret(
            secret_id=self.operator.email,
            environment_id=self.environment_id,
            secret_hash=b"",
            last_four="",
            created_at=0,
        )
        caller = Caller(environment=self.environment, secret=nobody, signing_kid=None)
        return Call(caller=caller, request_id=self.request_id)

    @property
    def environment(self) -> Environment:
        """The environment that the path names. Only for pages whose path names one."""
        if self.chosen is None:
            raise AssertionError("a page outside environments asked for the environment")
        return self.chosen

    @property
    def environment_id(self) -> str:
        """The id of the environment that the path names."""
        return self.environment.environment_id

    @property
    def project(self) -> Project:
        """The project of :attr:`environment`."""
        if self.chosen_project is None:
            raise AssertionError("a page outside environments asked for the project")
        return self.chosen_project

    @property
    def now(self) -> int:
        """Whole seconds since the epoch."""
        return int(self.ctx.clock())

    def may(self, role: Role) -> bool:
        """Whether the operator has this role or a greater one; nobody signed in has none."""
        return self.signed_in is not None and operators.reaches(self.signed_in.role, role)

    # ---------------------------------------------------------------- addresses

    def at(self, *parts: str, **arguments: object) -> str:
        """The path of a page outside environments; None and "" among ``arguments`` are left out."""
        return _address((ROOT, *(quote(part, safe="") for part in parts)), arguments)

    def within(self, *parts: str, **arguments: object) -> str:
        """The path of a page in the chosen environment."""
        return self.at(self.project.slug, self.environment.slug, *parts, **arguments)

    def again(self, **arguments: object) -> str:
        """This page with its query arguments, some of them changed; None and "" leave one out."""
        return _address((self.path,), self.query.given() | arguments)

    @property
    def place(self) -> str:
        """The section that a switch to another environment of the project leads to."""
        return self.section if navigation.is_section(self.section, self.environment.vertical) else "overview"

    @property
    def navigation(self) -> list[list[Entry]]:
        """The navigation of this operator, in groups."""
        outside = [Entry("projects", "Projects", self.at("projects"))]
        if self.may("owner"):
            outside.append(Entry("workspace-keys", "Workspace keys", self.at("workspace-keys")))
            outside.append(Entry("operators", "Operators", self.at("operators")))
            outside.append(Entry("all-activity", "All activity", self.at("activity")))
        if self.chosen is None:
            return [outside]
        found = navigation.sections(self.chosen.vertical)
        if internal.is_internal(self.project):
            found = tuple(each for each in found if each[0] in navigation.OF_OPERATORS)
        return [[Entry(section, title, self.within(section)) for section, title in found], outside]

    # ---------------------------------------------------------------- answers

    def render(self, template: str, status: int = 200, **values: object) -> Answer:
        """This page, out of a template and these values."""
        text = templating.environment().get_template(template).render(page=self, **values)
        return Answer(status=status, headers=[_HTML], body=text.encode("utf-8", "replace"))

    def redirect(self, path: str, notice: str = "", tone: Tone = "good") -> Answer:
        """Go on with GET at ``path``, which shows the notice once (POST, redirect, GET)."""
        told = Notice(tone, notice) if notice else None
        return Answer(status=303, headers=[(b"location", path.encode("latin-1"))], notice=told)

    def download(self, name: str, content_type: str, chunks: AsyncIterator[bytes]) -> Answer:
        """A file to be saved, sent piece by piece. ``name`` is plain ASCII of our own."""
        disposition = f'attachment; filename="{name}"'.encode("ascii")
        kind = content_type.encode("ascii")
        return Answer(status=200, headers=[(b"content-type", kind), (b"content-disposition", disposition)], body=chunks)


def _address(parts: tuple[str, ...], arguments: dict[str, object]) -> str:
    given = {name: value for name, value in arguments.items() if value not in {None, ""}}
    return "/".join(parts) + (f"?{urlencode(given)}" if given else "")
