"""The pages of the reference: templates and a style sheet of our own, filled from the OpenAPI document."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

import assay
from assay.api.reference import views

HOME = "/docs"

_HTML = b"text/html; charset=utf-8"
_CSS = b"text/css; charset=utf-8"
_FOLDER = Path(__file__).parent / "templates"
_STYLE = "style.css"

_CODE = re.compile(r"`([^`]+)`")
_PARAMETER = re.compile(r"({\w+})")


def all_pages(document: dict[str, Any]) -> dict[str, tuple[bytes, str]]:
    """Every page by its path: its content type and its text."""
    render = _environment(document)
    areas = views.areas(document)
    made = {HOME: render("index.html", areas, here="")}
    for area in areas:
        made[f"{HOME}/{area.tag.slug}"] = render("area.html", areas, here=area.tag.slug, area=area)
    made[f"{HOME}/errors"] = render("errors.html", areas, here="errors", errors=views.all_errors())
    made[f"{HOME}/types"] = render("types.html", areas, here="types", types=views.types(document))
    pages = {path: (_HTML, text) for path, text in made.items()}
    return pages | {f"{HOME}/{_STYLE}": (_CSS, (_FOLDER / _STYLE).read_text(encoding="utf-8"))}


def _environment(document: dict[str, Any]) -> Any:  # noqa: ANN401 - a function of any keywords
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"prose": _prose, "line": _line, "path": _path, "words": _words}
    environment.globals |= {"version": assay.__version__, "style": _STYLE}
    environment.globals["base_url"] = document["servers"][0]["url"]

    def render(template: str, areas: list[views.AreaView], *, here: str, **values: object) -> str:
        # Links are relative, so that the pages also work below a path of a proxy.
        to = "" if here else "docs/"
        return environment.get_template(template).render(areas=areas, here=here, to=to, **values)

    return render


def _prose(text: str) -> Markup:
    """Our own CommonMark, of which it uses paragraphs and code alone, as HTML."""
    return Markup("").join(Markup("<p>{}</p>").format(_line(part)) for part in text.split("\n\n") if part)


def _line(text: str) -> Markup:
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped just before


def _path(text: str) -> Markup:
    """A path that may break after each of its parts, with its ids marked."""
    parts = str(escape(text)).replace("/", "/<wbr>")
    return Markup(_PARAMETER.sub(r"<var>\1</var>", parts))  # noqa: S704 - as above


def _words(text: str) -> Markup:
    """A long name that may break after each of its words."""
    return Markup("_<wbr>").join(text.split("_"))
