"""Which organization a row of an import means, and the ones that are made for it."""

from __future__ import annotations

import secrets
from typing import NamedTuple

import msgspec

from assay import errors, ids, store
from assay.model import Environment, Organization
from assay.rules import names
from assay.stories.changes import TRIES
from assay.stories.context import Context, Operator
from assay.stories.import_rows import Place, RowFault

MOST_REMEMBERED = 1024

NO_ORGANIZATION = (
    "it names no organization: give organization_external_id, organization_slug or organization_id, or --organization"
)
UNKNOWN = "there is no such organization: make it first, or run with --create-organizations"
FOREIGN_ID = (
    "organization_id is that of another system: give organization_external_id, organization_slug or organization_name"
    " with each row, or --organization for all"
)
OTHER_NAME = "another organization has the slug of this name: give organization_slug or organization_external_id"
OTHER_EXTERNAL_ID = "the organization with this slug has another external id"


class Planned(NamedTuple):
    """An organization that the import will make. ``slug`` None: one is made from the name."""

    name: str
    slug: str | None
    external_id: str | None

    @property
    def key(self) -> str:
        """What tells it from other ones: the external id, else the slug."""
        return f"external id {self.external_id}" if self.external_id else f"slug {self.slug}"


class Places:
    """Finds organizations, and remembers the last ones: most files name one organization in many rows."""

    def __init__(self, ctx: Context, environment: Environment, default: Organization | None, *, create: bool) -> None:
        self._ctx = ctx
        self._environment = environment
        self._default = default
        self._create = create
        self._known: dict[Place, Organization] = {}

    async def find(self, place: Place) -> Organization | Planned:
        """The organization, or the one to make. Raises RowFault."""
        known = self._default or self._known.get(place)
        if known is not None:
            return known
        found = await self._existing(place)
        if found is None:
            return self._planned(place)
        self.remember(place, found)
        return found

    def remember(self, place: Place, organization: Organization) -> None:
        """Answer with this organization from now on."""
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[place] = organization

    async def _existing(self, place: Place) -> Organization | None:
        if place.external_id is not None:
            found = await self._look(place.external_id, by_slug=False)
            if found is not None and not ids.is_own_form(place.external_id):
                return found
        slug = place.slug or (_slug_of(place) if place.external_id is None else None)
        if slug is not None:
            found = await self._look(slug, by_slug=True)
            if found is not None and found.slug == slug:
                return _checked(place, found)
        return None if place.organization_id is None else await self._look(place.organization_id, by_slug=True)

    async def _look(self, reference: str, *, by_slug: bool) -> Organization | None:
        return await self._ctx.store.organization(self._environment.environment_id, reference, by_slug=by_slug)

    def _planned(self, place: Place) -> Planned:
        if place == Place(None, None, None, None):
            raise RowFault(NO_ORGANIZATION)
        named = place.external_id or place.slug or place.name
        if named is None:
            foreign = ids.is_own_form(place.organization_id or "")
            raise RowFault(FOREIGN_ID if foreign or self._create else UNKNOWN)
        if not self._create:
            raise RowFault(UNKNOWN)
        try:
            return Planned(
                name=names.organization_name(place.name or named),
                slug=names.slug(place.slug) if place.slug else _slug_of(place) if place.external_id is None else None,
                external_id=names.organization_external_id(place.external_id) if place.external_id else None,
            )
        except errors.Error as error:
            raise RowFault(error.message) from None


async def make(ctx: Context, environment: Environment, planned: Planned, by: Operator) -> Organization:
    """Store the organization; without a slug of its own it gets a free one. Raises RowFault."""
    now = int(ctx.clock())
    organization = Organization(
        environment_id=environment.environment_id,
        organization_id=ids.new("organization", environment.kind),
        name=planned.name,
        slug=planned.slug or names.slug_from(planned.name),
        external_id=planned.external_id,
        created_at=now,
        updated_at=now,
    )
    for _ in range(TRIES):
        event = by.event(
            environment.environment_id, "organization.created", organization.organization_id, now, by="import"
        )
        try:
            await ctx.store.write(store.CreateOrganization(organization=organization, events=(event,)))
        except store.Conflict as conflict:
            if conflict.key == "organization_external_id":
                raise RowFault("another organization has this external id by now; run the import again") from None
            if planned.slug is not None:
                raise RowFault("another organization has this slug by now; run the import again") from None
            slug = names.unique_slug(planned.name, secrets.token_hex(4))
            organization = msgspec.structs.replace(organization, slug=slug)
        else:
            return organization
    raise errors.StoreUnavailable(detail=f"no free slug was found in {TRIES} tries")


def _slug_of(place: Place) -> str | None:
    return names.slug_from(place.name) if place.name else None


def _checked(place: Place, found: Organization) -> Organization:
    """The organization with the slug, if it is the one that is meant."""
    if place.external_id is not None and found.external_id not in {None, place.external_id}:
        raise RowFault(OTHER_EXTERNAL_ID)
    if place.slug is None and found.name != place.name:
        raise RowFault(OTHER_NAME)
    return found
