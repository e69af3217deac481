"""Steps for the JWT templates and redirect URLs of an environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from assay.model import JwtTemplate, RedirectUrl
from assay.rules import redirects
from assay.store import Configuration
from assay.stories.declared.showing import short, uses
from assay.stories.declared.steps import (
    Change,
    DeleteRedirectUrl,
    DeleteTemplate,
    FieldChange,
    SetRedirectUrl,
    SetTemplate,
    Step,
)
from assay.stories.declared.wanted import WantedEnvironment

_TEMPLATE_FIELDS = ("template_content", "custom_audience")


def templates(
    wanted: WantedEnvironment, configuration: Configuration | None, names: Mapping[str, str], *, prune: bool
) -> Iterator[Step]:
    """A step for each JWT template that differs."""
    before = {each.template_type: each for each in (configuration.jwt_templates if configuration else ())}
    for template in wanted.jwt_templates:
        old = before.pop(template.template_type, None)
        if template != old:
            yield SetTemplate(changes=(_template_change(old, template, names),), **names, before=old, template=template)
    for old in before.values() if prune else ():
        place = (*names.values(), old.template_type.lower())
        change = Change(action="delete", kind="JWT template", place=place)
        yield DeleteTemplate(changes=(change,), **names, before=old)


def _template_change(old: JwtTemplate | None, new: JwtTemplate, names: Mapping[str, str]) -> Change:
    fields = tuple(
        FieldChange(name, None if old is None else short(getattr(old, name)), short(getattr(new, name)))
        for name in _TEMPLATE_FIELDS
        if getattr(new, name) != (getattr(old, name) if old else "")
    )
    place = (*names.values(), new.template_type.lower())
    return Change(action="change" if old else "create", kind="JWT template", place=place, fields=fields)


def redirect_urls(
    wanted: WantedEnvironment, configuration: Configuration | None, names: Mapping[str, str], *, prune: bool
) -> Iterator[Step]:
    """A step for each redirect URL that differs, each upon what the steps before it leave."""
    urls = configuration.redirect_urls if configuration else ()
    for url in wanted.redirect_urls:
        old = _find(urls, url.url)
        if old is not None and uses(old) == uses(url):
            continue
        after = redirects.changed(urls, url, promote=False)
        change = Change(
            action="change" if old else "create",
            kind="redirect URL",
            place=(*names.values(), url.url),
            fields=(FieldChange("types", uses(old) if old else None, uses(url)),),
            notes=tuple(_others(urls, after, url.url)),
        )
        yield SetRedirectUrl(changes=(change,), **names, before=old, wanted=url)
        urls = after
    named = {each.url for each in wanted.redirect_urls}
    for old in urls if prune else ():
        if old.url not in named:
            change = Change(action="delete", kind="redirect URL", place=(*names.values(), old.url))
            yield DeleteRedirectUrl(changes=(change,), **names, before=old)


def _find(urls: Sequence[RedirectUrl], url: str) -> RedirectUrl | None:
    return next((each for each in urls if each.url == url), None)


def _others(before: Sequence[RedirectUrl], after: Sequence[RedirectUrl], url: str) -> Iterator[str]:
    """Say which other URLs lose a default: of each use only one is it."""
    for old in before:
        new = _find(after, old.url)
        if old.url != url and new is not None and new != old:
            yield f"{old.url} is the default no longer"
