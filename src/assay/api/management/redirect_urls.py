"""Redirect URLs in the management API (contract, management 1.7)."""

from __future__ import annotations

import msgspec

from assay.api.calls import Route, managed
from assay.api.management.paths import ENVIRONMENT
from assay.api.wire.answers import Answer, done
from assay.model import RedirectUrl, RedirectUse
from assay.stories import redirect_urls
from assay.stories.environments import EnvironmentRef

_REDIRECT_URLS = f"{ENVIRONMENT}/redirect_urls"


class ValidType(msgspec.Struct, frozen=True):
    """A use that a URL is valid for, and whether it is its default."""

    type: RedirectUse
    is_default: bool


class RedirectUrlRecord(msgspec.Struct, frozen=True):
    """A redirect URL, character by character as it was given."""

    url: str
    valid_types: tuple[ValidType, ...]


class RedirectUrlAnswer(Answer, kw_only=True):
    """One redirect URL."""

    redirect_url: RedirectUrlRecord


class RedirectUrlsAnswer(Answer, kw_only=True):
    """All redirect URLs of an environment."""

    redirect_urls: tuple[RedirectUrlRecord, ...]


def _record(url: RedirectUrl) -> RedirectUrlRecord:
    return RedirectUrlRecord(url.url, tuple(ValidType(each.type, each.is_default) for each in url.valid_types))


def redirect_url(found: RedirectUrl, request_id: str) -> RedirectUrlAnswer:
    """Answer to whatever makes, shows or changes one."""
    return RedirectUrlAnswer(request_id=request_id, redirect_url=_record(found))


def all_redirect_urls(found: tuple[RedirectUrl, ...], request_id: str) -> RedirectUrlsAnswer:
    """Answer to a listing."""
    return RedirectUrlsAnswer(request_id=request_id, redirect_urls=tuple(map(_record, found)))


ROUTES: tuple[Route, ...] = (
    managed(
        "GET",
        f"{_REDIRECT_URLS}/all",
        EnvironmentRef,
        redirect_urls.list_redirect_urls,
        all_redirect_urls,
    ),
    managed("POST", _REDIRECT_URLS, redirect_urls.RedirectUrlCreate, redirect_urls.create_redirect_url, redirect_url),
    managed("GET", _REDIRECT_URLS, redirect_urls.RedirectUrlRef, redirect_urls.get_redirect_url, redirect_url),
    managed("PUT", _REDIRECT_URLS, redirect_urls.RedirectUrlUpdate, redirect_urls.update_redirect_url, redirect_url),
    managed("DELETE", _REDIRECT_URLS, redirect_urls.RedirectUrlDelete, redirect_urls.delete_redirect_url, done),
)
