"""Ids that requests and records carry."""

from __future__ import annotations

import os
import uuid

from assay import ids


def test_a_random_uuid_is_of_version_4_and_never_the_same() -> None:
    made = {ids.random_uuid() for _ in range(1000)}
    assert len(made) == 1000
    for text in made:
        read = uuid.UUID(text)
        assert (str(read), read.version, read.variant) == (text, 4, uuid.RFC_4122)


def test_all_its_other_bits_are_random() -> None:
    made = [uuid.UUID(ids.random_uuid()).int for _ in range(1000)]
    ever, always = 0, (1 << 128) - 1
    for value in made:
        ever |= value
        always &= value
    assert (ever, always) == (
        uuid.UUID("ffffffff-ffff-4fff-bfff-ffffffffffff").int,
        uuid.UUID("00000000-0000-4000-8000-000000000000").int,
    )


def test_a_copy_of_the_process_makes_others() -> None:
    ids.random_uuid()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, "".join(ids.random_uuid() for _ in range(300)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader) as read:
        theirs = read.read()
    assert len(theirs) == 300 * 36
    assert [text for text in (ids.random_uuid() for _ in range(300)) if text in theirs] == []


def test_the_shortest_of_our_ids_has_our_form_and_nothing_shorter() -> None:
    shortest = "a-test-00000000-0000-4000-8000-000000000000"
    assert ids.is_own_form(shortest)
    assert not ids.is_own_form(shortest[1:])
    assert not ids.is_own_form(shortest[:-1])
