"""A plan: steps of one write each, and the changes that each of them makes, as people read them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from assay.model import Environment, JwtTemplate, Profile, Project, RedirectUrl
from assay.rules.permissions import Policy
from assay.rules.policies import PolicyParts
from assay.stories.declared.wanted import WantedEnvironment, WantedProfile, WantedProject

Action = Literal["create", "change", "delete"]


class FieldChange(msgspec.Struct, frozen=True):
    """One field, from old to new, as it may be shown: of secrets and long texts only what tells them apart."""

    name: str
    old: Any
    new: Any


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one entry. ``place`` is the slugs it stands under and its own name."""

    action: Action
    kind: str
    place: tuple[str, ...]
    fields: tuple[FieldChange, ...] = ()
    notes: tuple[str, ...] = ()


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all steps. A step carries what it was decided upon, so that it is not taken on something else."""

    changes: tuple[Change, ...]


class MakeProject(Step, frozen=True, kw_only=True):
    """A new project, without environments."""

    wanted: WantedProject


class RenameProject(Step, frozen=True, kw_only=True):
    """Another name for a project."""

    before: Project
    name: str


class DeleteProject(Step, frozen=True, kw_only=True):
    """A project and everything in it."""

    before: Project


class InProject(Step, frozen=True, kw_only=True):
    """Base of steps within a project."""

    project_slug: str


class MakeEnvironment(InProject, frozen=True, kw_only=True):
    """A new environment with its settings."""

    wanted: WantedEnvironment


class ChangeEnvironment(InProject, frozen=True, kw_only=True):
    """Another name, other settings."""

    before: Environment
    wanted: WantedEnvironment


class DeleteEnvironment(InProject, frozen=True, kw_only=True):
    """An environment and everything in it."""

    before: Environment


class InEnvironment(InProject, frozen=True, kw_only=True):
    """Base of steps within an environment."""

    environment_slug: str


class SetPolicy(InEnvironment, frozen=True, kw_only=True):
    """The RBAC policy as a whole."""

    before: Policy | None
    parts: PolicyParts


class SetTemplate(InEnvironment, frozen=True, kw_only=True):
    """One JWT template."""

    before: JwtTemplate | None
    template: JwtTemplate


class DeleteTemplate(InEnvironment, frozen=True, kw_only=True):
    """No JWT template of this type any more."""

    before: JwtTemplate


class SetRedirectUrl(InEnvironment, frozen=True, kw_only=True):
    """One redirect URL, and what it is valid for."""

    before: RedirectUrl | None
    wanted: RedirectUrl


class DeleteRedirectUrl(InEnvironment, frozen=True, kw_only=True):
    """One redirect URL less."""

    before: RedirectUrl


class MakeProfile(InEnvironment, frozen=True, kw_only=True):
    """A new profile."""

    wanted: WantedProfile


class ChangeProfile(InEnvironment, frozen=True, kw_only=True):
    """The fields of a profile in which it differs."""

    before: Profile
    wanted: WantedProfile
    fields: tuple[str, ...]


class DeleteProfile(InEnvironment, frozen=True, kw_only=True):
    """One profile less."""

    before: Profile


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All steps in their order, what cannot be done, and what is worth knowing."""

    steps: tuple[Step, ...] = ()
    refusals: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes of all steps."""
        return tuple(change for step in self.steps for change in step.changes)
