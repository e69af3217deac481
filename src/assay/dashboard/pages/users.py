"""Users of a consumer project."""

from __future__ import annotations

from assay import errors
from assay.dashboard import people
from assay.dashboard.page import Answer, Page
from assay.dashboard.people import Faults, FormFault
from assay.dashboard.table import Row, get, post
from assay.model import User
from assay.stories import authority, people_search, roles, session_search, users
from assay.stories.session_search import SessionQuery
from assay.stories.users import NameFields, UserCreate, UserPage, UserRef, UserUpdate

_HERE = "{project_slug}/{environment_slug}/users"


async def list_users(page: Page) -> Answer:
    """All users, or those that are looked for."""
    fault, found = "", UserPage(users=[], next_cursor=None, total=0)
    try:
        cursor = page.query.text("cursor") or None
        found = await people_search.find_users(page.ctx, page.call, page.query.text("q"), cursor)
    except (errors.InvalidSearch, errors.InvalidCursor) as refused:
        fault = refused.message
    return page.render("users/list.html", found=found, fault=fault)


async def show(page: Page) -> Answer:
    """One user and the newest sessions."""
    user = await _user(page)
    found = await session_search.recent(page.ctx, page.call, SessionQuery(person=user.user_id))
    return page.render("users/show.html", user=user, found=found, held=authority.roles_of(user))


async def ask_create(page: Page) -> Answer:
    """The form of a new user."""
    return await _form(page, None, {})


async def create(page: Page) -> Answer:
    """Make one."""
    try:
        made = await users.create(
            page.ctx,
            page.call,
            UserCreate(
                email=page.form.text("email") or None,
                phone_number=page.form.text("phone_number") or None,
                name=_name(page),
                external_id=page.form.text("external_id") or None,
                roles=page.form.all("roles"),
                trusted_metadata=people.metadata(page, "trusted_metadata", {}),
                untrusted_metadata=people.metadata(page, "untrusted_metadata", {}),
            ),
        )
    except (errors.Error, FormFault) as fault:
        return await _form(page, None, people.faults_of(fault))
    return page.redirect(page.within("users", made.user_id), "Created the user.")


async def ask_edit(page: Page) -> Answer:
    """The form to change one."""
    return await _form(page, await _user(page), {})


async def edit(page: Page) -> Answer:
    """Change it."""
    user = await _user(page)
    try:
        await _change(page, user)
    except (errors.Error, FormFault) as fault:
        return await _form(page, user, people.faults_of(fault))
    return page.redirect(page.within("users", user.user_id), "Saved.")


async def ask_delete(page: Page) -> Answer:
    """What deleting would mean, and the form that does it."""
    return page.render("users/delete.html", user=await _user(page))


async def delete(page: Page) -> Answer:
    """Delete the user for good."""
    await users.delete(page.ctx, page.call, _ref(page))
    return page.redirect(page.within("users"), "Deleted the user and all sessions.")


async def _change(page: Page, user: User) -> None:
    request = UserUpdate(
        user_id=user.user_id,
        name=_name(page),
        external_id=people.changed(page, "external_id", user.external_id) or None,
        roles=people.ticked_roles(page, user.roles),
        trusted_metadata=people.metadata(page, "trusted_metadata", user.trusted_metadata),
        untrusted_metadata=people.metadata(page, "untrusted_metadata", user.untrusted_metadata),
    )
    await users.update(page.ctx, page.call, request)
    if user.external_id and not page.form.text("external_id"):
        await users.drop_external_id(page.ctx, page.call, _ref(page))


async def _user(page: Page) -> User:
    return await users.get(page.ctx, page.call, _ref(page))


def _ref(page: Page) -> UserRef:
    return UserRef(user_id=page.parameters["user_id"])


def _name(page: Page) -> NameFields:
    names = ("first_name", "middle_name", "last_name")
    return NameFields(**{name: page.form.text(name) for name in names})


async def _form(page: Page, user: User | None, faults: Faults) -> Answer:
    policy = await authority.policy_of(page.ctx, page.environment)
    values = {"user": user, "faults": faults, "roles": roles.choices("consumer", policy)}
    return page.render("users/form.html", 400 if faults else 200, **values)


PAGES: tuple[Row, ...] = (
    get(_HERE, list_users, "users"),
    get(f"{_HERE}/new", ask_create, "users", role="editor"),
    post(f"{_HERE}/new", create),
    get(f"{_HERE}/{{user_id}}", show, "users"),
    get(f"{_HERE}/{{user_id}}/edit", ask_edit, "users", role="editor"),
    post(f"{_HERE}/{{user_id}}/edit", edit),
    get(f"{_HERE}/{{user_id}}/delete", ask_delete, "users", role="editor"),
    post(f"{_HERE}/{{user_id}}/delete", delete),
)
