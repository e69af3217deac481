"""Refusals about operators: who signs in to the dashboard, and what each may do there."""

from __future__ import annotations

from assay.errors.base import Error


class OperatorNotAllowed(Error):
    """The operator's role does not permit this. An owner can change roles on the Operators page."""

    code = "operator_not_allowed"
    kind = "forbidden"
    default_message = "Your role does not permit this. Ask an owner to change it, or to do it for you."


class ForgedPost(Error):
    """A form came from another site, or from a page opened before signing in. Load the page and send it again."""

    code = "forged_post"
    kind = "forbidden"
    default_message = "This form is out of date, or came from another site. Go back, load the page again and retry."


class WrongOperatorCredentials(Error):
    """The address or the password is wrong. Which of the two is not told, nor whether the address is known."""

    code = "wrong_operator_credentials"
    kind = "unauthenticated"
    default_message = "The e-mail address or the password is wrong."


class TooManySignIns(Error):
    """Too many wrong passwords, for this account or from this address. Wait for the time that the message names."""

    code = "too_many_sign_ins"
    kind = "too many"
    default_message = "Too many tries. Wait a minute, then try again."


class OperatorLinkNotFound(Error):
    """The one-time link is unknown, was used before, or is older than 24 hours. ``assay operator invite`` makes one."""

    code = "operator_link_not_found"
    kind = "not found"
    default_message = "This link does not work: it was used before, or is too old. Ask for another one."


class OperatorNotFound(Error):
    """There is no operator with this address or id. ``assay operator list`` shows those there are."""

    code = "operator_not_found"
    kind = "not found"
    default_message = "There is no such operator."


class OperatorHasNoRole(Error):
    """Who signs in is known and has no role here. An owner must invite the person, or the token must name a role."""

    code = "operator_has_no_role"
    kind = "forbidden"
    default_message = "You have no role here. Ask an owner to invite you."


class LastOwner(Error):
    """There must always be an owner who can sign in. Make somebody else an owner first."""

    code = "last_owner"
    kind = "conflict"
    default_message = "This is the only owner. Make somebody else an owner first."


class WeakPassword(Error):
    """A password has 12 to 256 characters and is not the operator's own address."""

    code = "weak_operator_password"
    kind = "invalid"
    default_message = "Choose a password of 12 to 256 characters that is not your address."
