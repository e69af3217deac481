"""Redirect URLs: what may be one, and who becomes the default when something changes."""

from __future__ import annotations

import pytest

from assay import errors
from assay.model import RedirectUrl, RedirectUrlType, RedirectUse
from assay.rules import redirects

TAKEN = [
    "https://app.example/callback",
    "http://localhost:3000",
    "http://[::1]:3000/callback",
    "HTTPS://APP.example/Path#part",
    "https://localhost:3002/login?expires_at={}",
    "https://*.preview.example/callback",
    "com.example.app:/oauth",
    "my-app://callback?x=1",
    "https://app.example/" + "a" * (2048 - 20),
]
REFUSED = {
    "nothing": "",
    "too long": "https://app.example/" + "a" * (2048 - 19),
    "a path": "/callback",
    "a host": "app.example/callback",
    "a host and port that lack their scheme": "localhost:3000/callback",
    "no scheme before the slashes": "//app.example/callback",
    "no host": "https:///callback",
    "no host but a query": "http://?next=1",
    "one slash": "https:/app.example",
    "a backslash for a host": "https://\\app.example",
    "a script": "javascript:/*x*/alert(1)",
    "a script in capitals": "JavaScript:/*x*/alert(1)",
    "what the URL itself holds": "data:/text/html,x",
    "a file": "file:///etc/passwd",
    "a blank": "https://app.example/call back",
    "a line break": "https://app.example/\ncallback",
    "NUL": "https://app.example/\x00",
    "a tab": "\thttps://app.example",
    "a blank of another script": "https://app.example/\u3000",
    "a mark that turns the reading direction": "https://app.example/\u202ecallback",
    "a scheme that begins with a digit": "1app://callback",
}


@pytest.mark.parametrize("url", TAKEN)
def test_absolute_urls_of_the_web_and_of_apps_are_taken(url: str) -> None:
    redirects.check(url)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_absolute_url_or_runs_in_a_browser_is_refused(name: str) -> None:
    with pytest.raises(errors.InvalidRedirectUrl):
        redirects.check(REFUSED[name])


# One letter is a use; a capital is the default for it. "a:lS b:s" are two URLs.
USES: dict[str, RedirectUse] = {"l": "LOGIN", "s": "SIGNUP", "i": "INVITE"}


def read(text: str) -> tuple[RedirectUrl, ...]:
    parts = (part.partition(":") for part in text.split())
    return tuple(RedirectUrl(url=name, valid_types=types(uses)) for name, _, uses in parts)


def types(uses: str) -> tuple[RedirectUrlType, ...]:
    return tuple(RedirectUrlType(type=USES[use.lower()], is_default=use.isupper()) for use in uses)


CHANGED = {
    "the first of a use becomes its default": ("", "a:l", "a:L"),
    "a second does not": ("a:L", "b:l", "a:L b:l"),
    "a default takes it from the other": ("a:LS", "b:L", "a:lS b:L"),
    "a new one takes what is vacant": ("a:l", "b:l", "a:l b:L"),
    "other uses stay as they are": ("a:LSI b:s", "b:sl", "a:LSI b:sl"),
    "a use that is dropped goes to the oldest other": ("a:L b:l c:l", "a:", "a: b:L c:l"),
    "a default that is given up goes to another": ("a:L b:l", "a:l", "a:l b:L"),
    "a default cannot be given up by the only one": ("a:L", "a:l", "a:L"),
    "a use nobody else has simply goes": ("a:LS", "a:S", "a:S"),
    "a change keeps the place": ("a:L b:S", "a:LI", "a:LI b:S"),
    "the order of the uses is kept": ("", "a:SIL", "a:SIL"),
}


@pytest.mark.parametrize("name", CHANGED)
def test_each_use_has_one_default_after_a_change(name: str) -> None:
    before, change, after = CHANGED[name]
    assert redirects.changed(read(before), read(change)[0], promote=True) == read(after)


UNPROMOTED = {
    "nothing becomes the default by itself": ("", "a:l", "a:l"),
    "a default takes it from the other all the same": ("a:L", "b:L", "a:l b:L"),
    "a use that is dropped is left without": ("a:L b:l", "a:", "a: b:l"),
    "a default can be given up": ("a:L", "a:l", "a:l"),
}


@pytest.mark.parametrize("name", UNPROMOTED)
def test_nothing_is_promoted_when_the_caller_says_so(name: str) -> None:
    before, change, after = UNPROMOTED[name]
    assert redirects.changed(read(before), read(change)[0], promote=False) == read(after)


def test_the_oldest_other_inherits_the_defaults_of_one_that_is_removed() -> None:
    urls = read("a:LS b:l c:ls")
    assert redirects.removed(urls, urls[0], promote=True) == read("b:L c:lS")
    assert redirects.removed(urls, urls[0], promote=False) == read("b:l c:ls")
    assert redirects.removed(urls, urls[1], promote=True) == read("a:LS c:ls")


def test_uses_are_merged_in_order_and_the_newest_word_counts() -> None:
    assert redirects.merged(types("LS"), types("si")) == types("Lsi")


def test_a_url_is_found_only_as_it_is_written() -> None:
    urls = (RedirectUrl(url="https://app.example/", valid_types=()),)
    assert redirects.find(urls, "https://app.example/") is urls[0]
    for other in ("https://app.example", "https://APP.example/", "https://app.example/?"):
        with pytest.raises(errors.RedirectUrlNotFound):
            redirects.find(urls, other)
