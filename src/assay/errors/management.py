"""Refusals about what operators manage: projects, environments, their credentials, and what configures them."""

from __future__ import annotations

from assay.errors.base import Error


class EnvironmentNotFound(Error):
    """The project has no environment with this slug. The environments of a project are listed by its slug."""

    code = "environment_not_found"
    kind = "not found"
    default_message = "The environment could not be found."


class UnsupportedVertical(Error):
    """A project is of one vertical, CONSUMER or B2B. Make two projects where you would have made one of ALL."""

    code = "invalid_project_vertical"
    kind = "invalid"
    default_message = "A project is either CONSUMER or B2B. Make one project of each instead of one of ALL."


class InvalidProjectSlug(Error):
    """A slug that is chosen has 1 to 128 lower-case letters, digits and hyphens. It cannot be changed later."""

    code = "invalid_project_slug"
    kind = "invalid"
    default_message = "A project slug has 1 to 128 characters out of a-z, 0-9 and -."


class InvalidEnvironmentSlug(Error):
    """A slug that is chosen has 1 to 128 lower-case letters, digits and hyphens. It cannot be changed later."""

    code = "invalid_environment_slug"
    kind = "invalid"
    default_message = "An environment slug has 1 to 128 characters out of a-z, 0-9 and -."


class EnvironmentSlugAlreadyUsed(Error):
    """Another environment of the project has this slug. Choose another one."""

    code = "environment_slug_already_used"
    kind = "conflict"
    default_message = "Another environment of the project has this slug already."


class InvalidEnvironmentName(Error):
    """An environment needs a name of 1 to 128 printable characters."""

    code = "invalid_environment_name"
    kind = "invalid"
    default_message = "An environment name has 1 to 128 printable characters."


class InvalidEnvironmentSetting(Error):
    """A setting of an environment is too long or out of range. The message names it."""

    code = "invalid_environment_setting"
    kind = "invalid"
    default_message = "A setting of the environment is not valid."


class LiveEnvironmentAlreadyExists(Error):
    """A project has one LIVE environment. Make a TEST environment, or another project."""

    code = "live_environment_already_exists"
    kind = "conflict"
    default_message = "The project has a LIVE environment already; there is at most one."


class LiveEnvironmentRequired(Error):
    """The first environment of a project is its LIVE one. Make that before any TEST environment."""

    code = "live_environment_required"
    kind = "invalid"
    default_message = "The project has no LIVE environment yet. Make that one first."


class CannotDeleteLiveEnvironment(Error):
    """The LIVE environment goes only with its project. Delete the project if nothing of it is needed any more."""

    code = "unable_to_delete_live_environment"
    kind = "invalid"
    default_message = "The LIVE environment cannot be deleted by itself, only together with its project."


class PublicTokenNotFound(Error):
    """The environment has no such public token. The list of its public tokens shows those there are."""

    code = "public_token_not_found"
    kind = "not found"
    default_message = "There is no such public token."


class UnableToDeleteLastPublicToken(Error):
    """An environment keeps at least one public token. Make the next one before deleting the last."""

    code = "unable_to_delete_last_public_token"
    kind = "invalid"
    default_message = "This is the environment's only public token. Make another one before deleting it."


class WorkspaceKeyNotFound(Error):
    """No live workspace key has this id. ``assay workspace-key list`` shows those there are."""

    code = "workspace_key_not_found"
    kind = "not found"
    default_message = "There is no live workspace key with this id."


class InvalidWorkspaceKeyName(Error):
    """The name of a workspace key has at most 128 printable characters."""

    code = "invalid_workspace_key_name"
    kind = "invalid"
    default_message = "The name of a workspace key has at most 128 printable characters."
