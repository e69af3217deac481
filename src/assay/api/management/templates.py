"""JWT templates in the management API (contract, management 1.7)."""

from __future__ import annotations

from typing import Literal

import msgspec

from assay.api.calls import Route, managed
from assay.api.management.paths import ENVIRONMENT
from assay.api.wire.answers import Answer
from assay.model import JwtTemplate
from assay.stories import jwt_templates
from assay.stories.environments import EnvironmentRef

_TEMPLATES = f"{ENVIRONMENT}/jwt_templates"
_TEMPLATE = _TEMPLATES + "/{jwt_template_type}"


class JwtTemplateRecord(msgspec.Struct, frozen=True):
    """A template, character by character as it was given."""

    template_content: str
    custom_audience: str
    jwt_template_type: Literal["SESSION", "M2M"]


class JwtTemplateAnswer(Answer, kw_only=True):
    """One template."""

    jwt_template: JwtTemplateRecord


class JwtTemplatesAnswer(Answer, kw_only=True):
    """Both templates of an environment."""

    jwt_templates: tuple[JwtTemplateRecord, ...]


def _record(template: JwtTemplate) -> JwtTemplateRecord:
    return JwtTemplateRecord(template.template_content, template.custom_audience, template.template_type)


def jwt_template(found: JwtTemplate, request_id: str) -> JwtTemplateAnswer:
    """Answer to whatever shows or sets one."""
    return JwtTemplateAnswer(request_id=request_id, jwt_template=_record(found))


def all_jwt_templates(found: tuple[JwtTemplate, ...], request_id: str) -> JwtTemplatesAnswer:
    """Answer to a listing."""
    return JwtTemplatesAnswer(request_id=request_id, jwt_templates=tuple(map(_record, found)))


def deleted(_nothing: None, request_id: str) -> Answer:
    """Answer to a deletion: clients read JSON here too."""
    return Answer(request_id=request_id)


ROUTES: tuple[Route, ...] = (
    managed("GET", _TEMPLATES, EnvironmentRef, jwt_templates.list_templates, all_jwt_templates),
    managed("GET", _TEMPLATE, jwt_templates.JwtTemplateRef, jwt_templates.get_template, jwt_template),
    managed("PUT", _TEMPLATE, jwt_templates.JwtTemplateSet, jwt_templates.set_template, jwt_template),
    managed("DELETE", _TEMPLATE, jwt_templates.JwtTemplateRef, jwt_templates.delete_template, deleted),
)
