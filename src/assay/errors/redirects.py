"""Refusals about redirect URLs."""

from __future__ import annotations

from assay.errors.base import Error


class RedirectUrlNotFound(Error):
    """The environment has no redirect URL that is written exactly like this one. The list shows those there are."""

    code = "redirect_url_not_found"
    kind = "not found"
    default_message = "The redirect URL could not be found."


class InvalidRedirectUrl(Error):
    """A redirect URL is absolute: http or https with a host, or an app's own scheme. The message says what is wrong."""

    code = "invalid_redirect_url"
    kind = "invalid"
    default_message = "The redirect URL is not valid."


class TooManyRedirectUrls(Error):
    """The environment holds as many redirect URLs as it may. Delete one that is no longer used first."""

    code = "too_many_redirect_urls"
    kind = "invalid"
    default_message = "The environment has the most redirect URLs that there may be. Delete one first."
