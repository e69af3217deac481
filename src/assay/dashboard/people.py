"""What the forms for organizations, members and users have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay import errors, jsontext
from assay.dashboard.page import Page

Faults = dict[str, str]
"""Name of a field → what is wrong with it; "" stands for the form as a whole."""

_FIELDS: dict[type[errors.Error], str] = {
    errors.OrganizationNotFound: "organization",
    errors.InvalidOrganizationName: "name",
    errors.InvalidOrganizationSlug: "slug",
    errors.OrganizationSlugAlreadyUsed: "slug",
    errors.OrganizationExternalIdAlreadyUsed: "external_id",
    errors.ExternalOrganizationIdSame: "external_id",
    errors.InvalidExternalId: "external_id",
    errors.DuplicateMemberExternalId: "external_id",
    errors.DuplicateUserExternalId: "external_id",
    errors.InvalidEmail: "email",
    errors.DuplicateMemberEmail: "email",
    errors.DuplicateEmail: "email",
    errors.InvalidPhoneNumber: "phone_number",
    errors.DuplicatePhoneNumber: "phone_number",
    errors.DuplicateMemberPhoneNumber: "phone_number",
}
_OF_FORMS = frozenset({"invalid", "conflict"})


class FormFault(Exception):
    """What was typed cannot be read."""

    def __init__(self, faults: Faults) -> None:
        super().__init__(", ".join(faults))
        self.faults = faults


def faults_of(fault: errors.Error | FormFault) -> Faults:
    """Where in the form to show the refusal. Raises it again when it is not about what was typed."""
    if isinstance(fault, FormFault):
        return fault.faults
    if fault.kind not in _OF_FORMS and type(fault) not in _FIELDS:
        raise fault
    return {_FIELDS.get(type(fault), ""): fault.message}


def metadata(page: Page, name: str, current: Mapping[str, Any]) -> dict[str, Any] | None:
    """What makes the JSON text of a field out of ``current``, as stories take it; None when it is that already.

    Raises FormFault.
    """
    try:
        wanted = jsontext.loads((page.form.text(name) or "{}").encode())
    except jsontext.JsonFault as fault:
        raise FormFault({name: f"This cannot be used: {fault}."}) from None
    if not isinstance(wanted, dict):
        raise FormFault({name: "This has to be a JSON object: { … }."})
    if wanted == current:
        return None
    # Stories merge, and null deletes: what is not in the text any more has to be named.
    return {key: None for key in current if key not in wanted} | wanted


def ticked_roles(page: Page, current: tuple[str, ...]) -> list[str] | None:
    """The roles that are ticked; None when they are those that the person has already.

    Roles that the policy does not know any more have no box, so they go with the next change.
    """
    ticked = page.form.all("roles")
    return None if set(ticked) == set(current) else ticked


def changed(page: Page, name: str, current: str | None) -> str | None:
    """The text of a field; None when it is what is there already."""
    text = page.form.text(name)
    return None if text == (current or "") else text
