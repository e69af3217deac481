"""Refusals about files of people, and about ending what many people have."""

from __future__ import annotations

from assay.errors.base import Error


class PeopleFileUnreadable(Error):
    """The file to import cannot be read any further. The message names the line and what is wrong there; mend it."""

    code = "people_file_unreadable"
    kind = "invalid"
    default_message = "The file cannot be read."


class PeopleFileChanged(Error):
    """The file to import was changed between its check and its writing. Import it again when nobody writes to it."""

    code = "people_file_changed"
    kind = "conflict"
    default_message = "The file was changed while it was imported; run the import again."


class WrongVertical(Error):
    """Members were asked of a consumer project, or users of a B2B project. Use the other kind of person."""

    code = "wrong_vertical"
    kind = "invalid"
    default_message = "This project has no people of this kind."
