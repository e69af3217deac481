"""The root key: sealing, where it is found, and how it is changed."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from assay import config
from assay.keys import sealing
from assay.keys.minting import mint, private_key_of
from assay.keys.sealing import RootKey, WrongRootKey, check, rewrap
from assay.model import Environment
from assay.store import Stale
from tests.unit.memory_store import MemoryStore

ENVIRONMENT = Environment(
    environment_id="project-test-1",
    project_id="p",
    slug="s",
    kind="test",
    name="n",
    vertical="b2b",
    created_at=0,
)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def settings(tmp_path: Path) -> config.Settings:
    return config.read({}, database=f"sqlite:///{tmp_path}/assay.db")


def with_variable(settings: config.Settings, root_key: str) -> config.Settings:
    return config.read({"ASSAY_ROOT_KEY": root_key}, database=settings.database)


def key_file(settings: config.Settings) -> Path:
    return sealing.root_key_file(settings)


# ---------------------------------------------------------------- sealing


def test_what_is_sealed_opens_for_the_same_purpose_only() -> None:
    root_key = RootKey.generate()
    sealed = root_key.seal(b"private", "signing-key/a/1")

    assert root_key.open(sealed, "signing-key/a/1") == b"private"
    with pytest.raises(WrongRootKey):
        root_key.open(sealed, "signing-key/a/2")
    with pytest.raises(WrongRootKey):
        RootKey.generate().open(sealed, "signing-key/a/1")


def test_sealing_the_same_text_twice_gives_other_bytes_that_do_not_hold_the_text() -> None:
    root_key = RootKey.generate()
    first, second = (root_key.seal(b"private text", "p") for _ in range(2))

    assert first != second
    assert first[1:13] != second[1:13], "the nonce repeats"
    assert b"private" not in first


@pytest.mark.parametrize("position", [0, 1, 12, 13, -1], ids=["version", "nonce", "nonce end", "text", "tag"])
def test_changed_bytes_do_not_open(position: int) -> None:
    root_key = RootKey.generate()
    sealed = bytearray(root_key.seal(b"private", "p"))
    sealed[position] ^= 1
    with pytest.raises(WrongRootKey):
        root_key.open(bytes(sealed), "p")


@pytest.mark.parametrize("length", [0, 1, 5, 13, 20])
def test_short_bytes_do_not_open(length: int) -> None:
    root_key = RootKey.generate()
    with pytest.raises(WrongRootKey):
        root_key.open(root_key.seal(b"private", "p")[:length], "p")


def test_derived_keys_differ_by_purpose_and_root_key_and_are_not_the_root_key() -> None:
    root_key = RootKey(bytes(range(32)))
    assert root_key.derive("cursors") == RootKey(bytes(range(32))).derive("cursors")
    assert len({root_key.derive("cursors"), root_key.derive("other"), RootKey.generate().derive("cursors")}) == 3
    assert len(root_key.derive("cursors")) == 32
    assert bytes(range(32)) != root_key.derive("cursors")


def test_the_representation_does_not_show_the_key() -> None:
    root_key = RootKey.generate()
    assert root_key.text() not in f"{root_key!r} {root_key}"


# ---------------------------------------------------------------- where it is found


@pytest.mark.parametrize("decorate", [str, "{}=".format, " {}\n".format], ids=["bare", "padded", "spaces around"])
def test_the_variable_wins_over_the_file(settings: config.Settings, decorate: type[str]) -> None:
    wanted = RootKey.generate()
    sealing.find_root_key(settings)

    found = sealing.find_root_key(with_variable(settings, decorate(wanted.text())))

    assert found.text() == wanted.text()


@pytest.mark.parametrize(
    "text",
    ["short", "A" * 42, "A" * 44, "!" * 43, "é" * 43, "AAAA AAAA" * 5],
    ids=["short", "31 bytes", "33 bytes", "alphabet", "not ASCII", "spaces inside"],
)
def test_a_malformed_variable_is_refused_without_being_quoted(settings: config.Settings, text: str) -> None:
    with pytest.raises(config.ConfigFault, match=r"ASSAY_ROOT_KEY.*32 bytes.*base64url") as caught:
        sealing.find_root_key(with_variable(settings, text))
    assert text not in str(caught.value)
    assert not key_file(settings).exists()


def test_the_first_need_makes_a_file_for_the_owner_alone_and_the_second_reads_it(settings: config.Settings) -> None:
    first = sealing.find_root_key(settings)

    assert stat.S_IMODE(key_file(settings).stat().st_mode) == 0o600
    assert sealing.find_root_key(settings).text() == first.text()
    assert [file.name for file in key_file(settings).parent.iterdir()] == ["assay.db.root-key"], "a draft was left"


def test_the_file_is_private_whatever_the_umask(settings: config.Settings) -> None:
    before = os.umask(0)
    try:
        sealing.find_root_key(settings)
    finally:
        os.umask(before)
    assert stat.S_IMODE(key_file(settings).stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_can_reach_is_refused(settings: config.Settings, mode: int) -> None:
    sealing.find_root_key(settings)
    key_file(settings).chmod(mode)
    with pytest.raises(config.ConfigFault, match="chmod 600"):
        sealing.find_root_key(settings)


@pytest.mark.parametrize("content", [b"", b"garbage\n", b"\xff\xfe"], ids=["empty", "garbage", "not text"])
def test_a_damaged_file_is_refused_and_not_overwritten(settings: config.Settings, content: bytes) -> None:
    key_file(settings).write_bytes(content)
    key_file(settings).chmod(0o600)
    with pytest.raises(config.ConfigFault, match="root-key"):
        sealing.find_root_key(settings)
    assert key_file(settings).read_bytes() == content


def test_a_directory_that_is_not_there_is_a_clear_fault(tmp_path: Path) -> None:
    settings = config.read({}, database=f"sqlite:///{tmp_path}/absent/assay.db")
    with pytest.raises(config.ConfigFault, match="cannot be made"):
        sealing.find_root_key(settings)


def test_processes_that_race_make_one_file(settings: config.Settings) -> None:
    found: list[str] = []
    start = threading.Barrier(8)

    def run() -> None:
        start.wait()
        found.append(sealing.find_root_key(settings).text())

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [key_file(settings).read_text().strip()] * 8


# ---------------------------------------------------------------- the check value


async def test_the_first_check_ties_the_store_to_the_key(store: MemoryStore) -> None:
    root_key = RootKey.generate()
    await sealing.check(store.as_store(), root_key)
    assert store.check_value is not None

    await sealing.check(store.as_store(), root_key)
    with pytest.raises(WrongRootKey):
        await sealing.check(store.as_store(), RootKey.generate())


async def test_of_two_first_checks_with_different_keys_one_fails(store: MemoryStore) -> None:
    winner, other = RootKey.generate(), MemoryStore()
    await sealing.check(other.as_store(), winner)

    def win() -> None:
        store.check_value = other.check_value

    store.race = win
    with pytest.raises(WrongRootKey):
        await sealing.check(store.as_store(), RootKey.generate())
    await sealing.check(store.as_store(), winner)


async def test_a_wrong_key_does_not_open_the_store_and_says_what_to_do(
    settings: config.Settings, store: MemoryStore
) -> None:
    await sealing.open_root_key(settings, store.as_store())
    wrong = with_variable(settings, RootKey.generate().text())
    with pytest.raises(WrongRootKey, match=r"ASSAY_ROOT_KEY holds another root key.*Set ASSAY_ROOT_KEY to"):
        await sealing.open_root_key(wrong, store.as_store())

    key_file(settings).write_text(RootKey.generate().text())
    with pytest.raises(WrongRootKey, match=r"root-key holds another root key.*Put back"):
        await sealing.open_root_key(settings, store.as_store())


async def test_a_lost_file_is_not_replaced_by_a_fresh_key(settings: config.Settings, store: MemoryStore) -> None:
    await sealing.open_root_key(settings, store.as_store())
    key_file(settings).unlink()
    with pytest.raises(WrongRootKey, match="missing"):
        await sealing.open_root_key(settings, store.as_store())
    assert not key_file(settings).exists()


# ---------------------------------------------------------------- changing it


async def test_rewrapping_seals_every_key_anew(settings: config.Settings, store: MemoryStore) -> None:
    old = await sealing.open_root_key(settings, store.as_store())
    store.keys = [mint(ENVIRONMENT, "active", old, 1), mint(ENVIRONMENT, "next", old, 1)]
    before = [private_key_of(key, old).public_key() for key in store.keys]

    assert await sealing.rewrap_file(settings, store.as_store()) == 2

    new = await sealing.open_root_key(settings, store.as_store())
    assert new.text() != old.text()
    assert [private_key_of(key, new).public_key() for key in store.keys] == before
    with pytest.raises(WrongRootKey):
        private_key_of(store.keys[0], old)
    with pytest.raises(WrongRootKey):
        await sealing.check(store.as_store(), old)
    assert stat.S_IMODE(key_file(settings).stat().st_mode) == 0o600


async def test_rewrapping_with_a_key_that_is_not_the_stores_changes_nothing(store: MemoryStore) -> None:
    right = RootKey.generate()
    await sealing.check(store.as_store(), right)
    with pytest.raises(WrongRootKey):
        await sealing.rewrap(store.as_store(), RootKey.generate(), RootKey.generate())
    await sealing.check(store.as_store(), right)


async def test_a_crash_before_the_commit_leaves_the_old_key_in_force(
    settings: config.Settings, store: MemoryStore
) -> None:
    old = await sealing.open_root_key(settings, store.as_store())
    store.keys = [mint(ENVIRONMENT, "active", old, 1)]

    def crash() -> None:
        raise Stale

    store.race = crash
    with pytest.raises(Stale):
        await sealing.rewrap_file(settings, store.as_store())

    assert (await sealing.open_root_key(settings, store.as_store())).text() == old.text()
    assert await sealing.rewrap_file(settings, store.as_store()) == 1, "a second try goes through"
    await sealing.open_root_key(settings, store.as_store())


async def test_a_crash_between_commit_and_renaming_is_finished_at_the_next_start(
    settings: config.Settings, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await sealing.open_root_key(settings, store.as_store())
    store.keys = [mint(ENVIRONMENT, "active", old, 1)]

    def crash(_path: Path) -> None:
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(sealing, "_promote", crash)
        with pytest.raises(InterruptedError):
            await sealing.rewrap_file(settings, store.as_store())
    assert key_file(settings).read_text().strip() == old.text()

    new = await sealing.open_root_key(settings, store.as_store())

    private_key_of(store.keys[0], new)
    assert key_file(settings).read_text().strip() == new.text()
    assert [file.name for file in key_file(settings).parent.iterdir()] == ["assay.db.root-key"]


async def test_the_stores_own_secret_survives_a_change_of_root_key() -> None:
    """What is derived from it, such as the seal of session tokens, must open after a rewrap."""
    store, old, new = MemoryStore(), RootKey.generate(), RootKey.generate()
    before = await check(store.as_store(), old)
    await rewrap(store.as_store(), old, new)
    after = await check(store.as_store(), new)
    assert after.derive("anything") == before.derive("anything")


def test_whoever_has_a_secret_can_ask_whether_it_is_the_sealed_one() -> None:
    key = RootKey.generate()
    sealed = key.seal(b"secret", "purpose")
    assert key.holds(sealed, "purpose", b"secret")
    assert not key.holds(sealed, "purpose", b"other")
    assert not key.holds(sealed, "another purpose", b"secret")
    assert not key.holds(b"damaged", "purpose", b"secret")
