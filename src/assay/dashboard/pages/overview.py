"""Overview: how the environment is doing, at a glance."""

from __future__ import annotations

from assay.dashboard import charts
from assay.dashboard.page import Answer, Page
from assay.dashboard.table import Row, get
from assay.stories import attempt_series
from assay.stories.attempt_series import Period


async def show(page: Page) -> Answer:
    """How many attests there were, how long they took, and how old the keys are."""
    period: Period = "day" if page.query.text("period") == "day" else "hour"
    series = await attempt_series.lately(page.ctx, page.environment_id, period)
    names = await attempt_series.profile_names(page.ctx, page.environment_id)
    return page.render(
        "overview/show.html",
        period=period,
        series=series,
        names=names,
        took=series.percentiles(),
        charts=(charts.by_outcome(series), charts.by_profile(series, names), charts.durations(series)),
        most_ages=attempt_series.MOST_PROFILES,
        ages=await attempt_series.key_ages(page.ctx, page.environment_id, series.profile_ids()),
    )


PAGES: tuple[Row, ...] = (get("{project_slug}/{environment_slug}/overview", show, "overview"),)
