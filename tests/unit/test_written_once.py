"""Objects that many answers hold are written once for each record, and never for another one."""

from __future__ import annotations

import msgspec

from assay.api.wire.answers import Once


class Thing(msgspec.Struct, frozen=True):
    """A record."""

    thing_id: str
    name: str


def shown(record: Thing) -> dict[str, str]:
    return {"name": record.name}


def written(once: Once[Thing, dict[str, str]], record: Thing) -> bytes:
    return msgspec.json.encode({"thing": once(record.thing_id, record)})


def test_the_same_record_is_rendered_once() -> None:
    rendered: list[Thing] = []

    def render(record: Thing) -> dict[str, str]:
        rendered.append(record)
        return shown(record)

    once, record = Once(render, 10), Thing("1", "Ada")
    assert {written(once, record) for _ in range(3)} == {b'{"thing":{"name":"Ada"}}'}
    assert rendered == [record]


def test_another_record_of_the_same_id_is_rendered_anew() -> None:
    once = Once(shown, 10)
    assert written(once, Thing("1", "Ada")) == b'{"thing":{"name":"Ada"}}'
    assert written(once, Thing("1", "Grace")) == b'{"thing":{"name":"Grace"}}'
    assert written(once, Thing("1", "Ada")) == b'{"thing":{"name":"Ada"}}'


def test_only_so_many_are_kept() -> None:
    once = Once(shown, 10)
    for number in range(100):
        assert written(once, Thing(str(number), f"N{number}")) == b'{"thing":{"name":"N%d"}}' % number
    assert len(once) == 10
