"""Drift notices over the wire."""

from __future__ import annotations

from datetime import datetime

import msgspec

from assay import model
from assay.api.wire.answers import Answer, time
from assay.stories.notices import ProfileNotices


class Notice(msgspec.Struct, kw_only=True):
    """Something about an issuer's tokens that was not so before: ``value`` is the claim, the algorithm or the kid."""

    kind: model.DriftKind
    value: str
    noticed_at: datetime


class NoticesAnswer(Answer, kw_only=True):
    """The newest notices of a profile, newest first, and how many tokens have taught what is usual."""

    profile_id: str
    tokens_learned: int
    notices: tuple[Notice, ...]


def notices(found: ProfileNotices, request_id: str) -> NoticesAnswer:
    """Render the notices of a profile."""
    return NoticesAnswer(
        request_id=request_id,
        profile_id=found.profile_id,
        tokens_learned=found.tokens_learned,
        notices=tuple(
            Notice(kind=each.kind, value=each.value, noticed_at=time(each.noticed_at)) for each in found.notices
        ),
    )
