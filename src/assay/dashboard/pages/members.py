"""Members of the organizations of a B2B project."""

from __future__ import annotations

from typing import cast, get_args

from assay import errors
from assay.dashboard import people
from assay.dashboard.page import Answer, Page
from assay.dashboard.people import Faults, FormFault
from assay.dashboard.table import Row, get, post
from assay.model import MemberStatus
from assay.stories import authority, members, organizations, people_search, roles, session_search
from assay.stories.member_changes import MemberUpdate
from assay.stories.members import MemberCreate, MemberDangerousGet, MemberPage, MemberRef, MemberView
from assay.stories.organizations import OrganizationRef
from assay.stories.session_search import SessionQuery

_HERE = "{project_slug}/{environment_slug}/members"
_STATUSES = [("", "All but deleted"), *((status, status) for status in get_args(MemberStatus))]


async def list_members(page: Page) -> Answer:
    """The members of one organization or of all, or those that are looked for."""
    fault, found = "", MemberPage(members=[], organizations={}, next_cursor=None, total=0)
    status = page.query.text("status")
    try:
        found = await people_search.find_members(
            page.ctx,
            page.call,
            page.query.text("q"),
            organization=page.query.text("organization"),
            status=cast("MemberStatus", status) if status in get_args(MemberStatus) else None,
            cursor=page.query.text("cursor") or None,
        )
    except (errors.InvalidSearch, errors.InvalidCursor, errors.OrganizationNotFound) as refused:
        fault = refused.message
    return page.render("members/list.html", found=found, fault=fault, statuses=_STATUSES)


async def show(page: Page) -> Answer:
    """One member, also a deleted one, and the newest sessions."""
    view = await _view(page)
    query = SessionQuery(person=view.member.member_id)
    found = await session_search.recent(page.ctx, page.call, query)
    held = authority.roles_of(view.member)
    return page.render("members/show.html", member=view.member, organization=view.organization, found=found, held=held)


async def ask_create(page: Page) -> Answer:
    """The form of a new member, in the organization that the address names."""
    return await _form(page, None, {})


async def create(page: Page) -> Answer:
    """Make one."""
    try:
        made = await members.create(
            page.ctx,
            page.call,
            MemberCreate(
                organization_id=page.form.text("organization"),
                email_address=page.form.text("email"),
                name=page.form.text("name"),
                external_id=page.form.text("external_id") or None,
                roles=page.form.all("roles"),
                trusted_metadata=people.metadata(page, "trusted_metadata", {}),
                untrusted_metadata=people.metadata(page, "untrusted_metadata", {}),
            ),
        )
    except (errors.Error, FormFault) as fault:
        return await _form(page, None, people.faults_of(fault))
    return page.redirect(page.within("members", made.member.member_id), "Created the member.")


async def ask_edit(page: Page) -> Answer:
    """The form to change one."""
    return await _form(page, await _view(page), {})


async def edit(page: Page) -> Answer:
    """Change it."""
    view = await _view(page)
    try:
        await _change(page, view)
    except (errors.Error, FormFault) as fault:
        return await _form(page, view, people.faults_of(fault))
    return page.redirect(page.within("members", view.member.member_id), "Saved.")


async def ask_delete(page: Page) -> Answer:
    """What deleting would mean, and the form that does it."""
    view = await _view(page)
    return page.render("members/delete.html", member=view.member, organization=view.organization)


async def delete(page: Page) -> Answer:
    """Delete the member."""
    view = await _view(page)
    member_id = await members.delete(page.ctx, page.call, _ref(view))
    return page.redirect(page.within("members", member_id), "Deleted the member. The sessions ended.")


async def reactivate(page: Page) -> Answer:
    """Make a deleted member active again."""
    view = await _view(page)
    path = page.within("members", view.member.member_id)
    try:
        await members.reactivate(page.ctx, page.call, _ref(view))
    except (errors.ReactivationEmailTaken, errors.DuplicateMemberExternalId) as fault:
        return page.redirect(path, fault.message, "bad")
    return page.redirect(path, "The member is active again.")


async def _change(page: Page, view: MemberView) -> None:
    member = view.member
    request = MemberUpdate(
        organization_id=member.organization_id,
        member_id=member.member_id,
        # Who came in by a token without an address may go on without one.
        email_address=people.changed(page, "email", member.email),
        name=people.changed(page, "name", member.name),
        external_id=people.changed(page, "external_id", member.external_id) or None,
        roles=people.ticked_roles(page, member.roles),
        trusted_metadata=people.metadata(page, "trusted_metadata", member.trusted_metadata),
        untrusted_metadata=people.metadata(page, "untrusted_metadata", member.untrusted_metadata),
    )
    await members.update(page.ctx, page.call, request)
    if member.external_id and not page.form.text("external_id"):
        await members.drop_external_id(page.ctx, page.call, _ref(view))


async def _view(page: Page) -> MemberView:
    request = MemberDangerousGet(member_id=page.parameters["member_id"], include_deleted=True)
    return await members.dangerously_get(page.ctx, page.call, request)


def _ref(view: MemberView) -> MemberRef:
    return MemberRef(organization_id=view.member.organization_id, member_id=view.member.member_id)


async def _form(page: Page, view: MemberView | None, faults: Faults) -> Answer:
    policy = await authority.policy_of(page.ctx, page.environment)
    return page.render(
        "members/form.html",
        400 if faults else 200,
        member=view.member if view else None,
        organization=view.organization if view else await _named_organization(page),
        roles=roles.choices("b2b", policy),
        faults=faults,
    )


async def _named_organization(page: Page) -> object:
    reference = page.form.text("organization") or page.query.text("organization")
    try:
        return await organizations.get(page.ctx, page.call, OrganizationRef(organization_id=reference))
    except errors.OrganizationNotFound:
        return None


PAGES: tuple[Row, ...] = (
    get(_HERE, list_members, "members"),
    get(f"{_HERE}/new", ask_create, "members", role="editor"),
    post(f"{_HERE}/new", create),
    get(f"{_HERE}/{{member_id}}", show, "members"),
    get(f"{_HERE}/{{member_id}}/edit", ask_edit, "members", role="editor"),
    post(f"{_HERE}/{{member_id}}/edit", edit),
    get(f"{_HERE}/{{member_id}}/delete", ask_delete, "members", role="editor"),
    post(f"{_HERE}/{{member_id}}/delete", delete),
    post(f"{_HERE}/{{member_id}}/reactivate", reactivate),
)
