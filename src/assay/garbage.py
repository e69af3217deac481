"""How often Python looks for garbage that refers to itself."""

from __future__ import annotations

import gc

NEW_OBJECTS = 20_000
"""So many objects more than before let Python look for such garbage among them; some megabytes.

Its own default, 700, is passed by the requests of one moment alone, and each look goes over all of them: a twentieth
of the processor time of a busy server. What a request leaves behind in cycles is little, mostly of refusals.
"""


def look_seldom() -> None:
    """Set the whole process up for long service: what is there by now stays, and is looked at no more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, *gc.get_threshold()[1:])
