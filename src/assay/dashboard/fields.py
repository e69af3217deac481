"""What a form or a query string carries, read strictly."""

from __future__ import annotations

from urllib.parse import parse_qsl

from assay import errors

MOST_FIELDS = 400


class Fields:
    """Names and values, in the order in which they came."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    @classmethod
    def read(cls, text: bytes) -> Fields:
        """Out of the urlencoded form. Raises BadRequest for what is not UTF-8, too much, or holds a NUL character."""
        try:
            pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
        except ValueError:
            raise errors.BadRequest("The form is not UTF-8, or has too many fields.") from None
        if any("\x00" in part for pair in pairs for part in pair):
            raise errors.BadRequest("The form holds a NUL character.")
        return cls(pairs)

    def all(self, name: str) -> list[str]:
        """Every value of this name, stripped."""
        return [_lines(value).strip() for key, value in self._pairs if key == name]

    def raw(self, name: str) -> str:
        """The value as it came, empty when there is none. Raises BadRequest when it comes twice."""
        found = [value for key, value in self._pairs if key == name]
        if len(found) > 1:
            raise errors.BadRequest(f"The form has the field {name} twice.")
        return found[0] if found else ""

    def text(self, name: str) -> str:
        """The value without white space around it, lines ending in a single newline. Raises as :meth:`raw`."""
        return _lines(self.raw(name)).strip()

    def flag(self, name: str) -> bool:
        """Whether a box of this name is ticked."""
        return bool(self.raw(name))

    def number(self, name: str) -> int | None:
        """A whole number that is not negative; None for everything else."""
        text = self.text(name)
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None  # noqa: PLR2004 - no id or time is longer

    def given(self) -> dict[str, str]:
        """All fields that have a value, for the links of a list; of a name that comes twice the last one."""
        return {name: value for name, value in self._pairs if value}


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
