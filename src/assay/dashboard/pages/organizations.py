"""Organizations: the customers of a B2B project."""

from __future__ import annotations

from typing import Literal, cast

from assay import errors
from assay.dashboard import people
from assay.dashboard.page import Answer, Page
from assay.dashboard.people import Faults, FormFault
from assay.dashboard.table import Row, get, post
from assay.model import Organization
from assay.stories import organizations, people_search
from assay.stories.organizations import OrganizationCreate, OrganizationPage, OrganizationRef, OrganizationUpdate

_HERE = "{project_slug}/{environment_slug}/organizations"
_SHOWN = 10
MFA_POLICIES = (
    ("OPTIONAL", "Optional: one factor is enough"),
    ("REQUIRED_FOR_ALL", "Required for all: a token has to say that a second factor was used"),
)
Mfa = Literal["OPTIONAL", "REQUIRED_FOR_ALL"]


async def list_organizations(page: Page) -> Answer:
    """All organizations, or those that are looked for."""
    fault, found = "", OrganizationPage(organizations=[], next_cursor=None, total=0)
    try:
        cursor = page.query.text("cursor") or None
        found = await people_search.find_organizations(page.ctx, page.call, page.query.text("q"), cursor)
    except (errors.InvalidSearch, errors.InvalidCursor) as refused:
        fault = refused.message
    return page.render("organizations/list.html", found=found, fault=fault)


async def show(page: Page) -> Answer:
    """One organization and the first of its members."""
    organization = await _organization(page)
    found = await people_search.find_members(page.ctx, page.call, "", organization=organization.organization_id)
    members = found.members[:_SHOWN]
    return page.render("organizations/show.html", organization=organization, members=members, total=found.total)


async def ask_create(page: Page) -> Answer:
    """The form of a new organization."""
    return _form(page, None, {})


async def create(page: Page) -> Answer:
    """Make one."""
    try:
        made = await organizations.create(
            page.ctx,
            page.call,
            OrganizationCreate(
                organization_name=page.form.text("name"),
                organization_slug=page.form.text("slug") or None,
                organization_external_id=page.form.text("external_id") or None,
                mfa_policy=_mfa(page),
                trusted_metadata=people.metadata(page, "trusted_metadata", {}),
            ),
        )
    except (errors.Error, FormFault) as fault:
        return _form(page, None, people.faults_of(fault))
    return page.redirect(page.within("organizations", made.organization_id), f"Created “{made.name}”.")


async def ask_edit(page: Page) -> Answer:
    """The form to change one."""
    return _form(page, await _organization(page), {})


async def edit(page: Page) -> Answer:
    """Change it."""
    organization = await _organization(page)
    try:
        await _change(page, organization)
    except (errors.Error, FormFault) as fault:
        return _form(page, organization, people.faults_of(fault))
    return page.redirect(page.within("organizations", organization.organization_id), "Saved.")


async def ask_delete(page: Page) -> Answer:
    """What deleting would mean, and the form that does it."""
    return await _delete_form(page, await _organization(page))


async def delete(page: Page) -> Answer:
    """Delete the organization, if its slug was typed."""
    organization = await _organization(page)
    if page.form.text("slug") != organization.slug:
        return await _delete_form(page, organization, fault="This is not the slug of the organization.", status=400)
    await organizations.delete(page.ctx, page.call, _ref(organization))
    return page.redirect(page.within("organizations"), f"Deleted “{organization.name}” and its members.")


async def _change(page: Page, organization: Organization) -> None:
    request = OrganizationUpdate(
        organization_id=organization.organization_id,
        organization_name=people.changed(page, "name", organization.name),
        organization_slug=people.changed(page, "slug", organization.slug),
        organization_external_id=people.changed(page, "external_id", organization.external_id) or None,
        mfa_policy=_mfa(page),
        trusted_metadata=people.metadata(page, "trusted_metadata", organization.trusted_metadata),
    )
    await organizations.update(page.ctx, page.call, request)
    if organization.external_id and not page.form.text("external_id"):
        await organizations.drop_external_id(page.ctx, page.call, _ref(organization))


async def _organization(page: Page) -> Organization:
    reference = OrganizationRef(organization_id=page.parameters["organization_id"])
    return await organizations.get(page.ctx, page.call, reference)


def _ref(organization: Organization) -> OrganizationRef:
    return OrganizationRef(organization_id=organization.organization_id)


def _mfa(page: Page) -> Mfa | None:
    text = page.form.text("mfa_policy")
    return cast("Mfa", text) if text in dict(MFA_POLICIES) else None


def _form(page: Page, organization: Organization | None, faults: Faults) -> Answer:
    values = {"organization": organization, "faults": faults, "mfa_policies": MFA_POLICIES}
    return page.render("organizations/form.html", 400 if faults else 200, **values)


async def _delete_form(page: Page, organization: Organization, *, fault: str = "", status: int = 200) -> Answer:
    members = await organizations.metrics(page.ctx, page.call, _ref(organization))
    return page.render("organizations/delete.html", status, organization=organization, members=members, fault=fault)


PAGES: tuple[Row, ...] = (
    get(_HERE, list_organizations, "organizations"),
    get(f"{_HERE}/new", ask_create, "organizations", role="editor"),
    post(f"{_HERE}/new", create),
    get(f"{_HERE}/{{organization_id}}", show, "organizations"),
    get(f"{_HERE}/{{organization_id}}/edit", ask_edit, "organizations", role="editor"),
    post(f"{_HERE}/{{organization_id}}/edit", edit),
    get(f"{_HERE}/{{organization_id}}/delete", ask_delete, "organizations", role="editor"),
    post(f"{_HERE}/{{organization_id}}/delete", delete),
)
