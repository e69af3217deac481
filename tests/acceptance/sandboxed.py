"""``python sandboxed.py UNIT COMMAND…``: run a command under what a systemd unit forbids, without systemd as init.

Applies SystemCallFilter=, RestrictAddressFamilies= and MemoryDenyWriteExecute= of the unit, by libseccomp and prctl(2).
Exit code 77, with a sentence, where the machine cannot do that.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Never

CANNOT = 77

_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000  # SCMP_ACT_ALLOW, SCMP_ACT_ERRNO; the low 16 bits are the errno
_EQUAL = 4  # SCMP_CMP_EQ
_SET_MDWE, _REFUSE_EXEC_GAIN = 65, 1  # PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, since Linux 6.3


class _Compare(ctypes.Structure):
    """``struct scmp_arg_cmp``."""

    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


def values(unit: Path, name: str) -> list[str]:
    """All that the unit sets under this name, line by line."""
    lines = (line.partition("=") for line in unit.read_text(encoding="utf-8").splitlines())
    return [value for found, _, value in lines if found == name]


def calls(unit: Path) -> set[str]:
    """Names of the system calls that the unit leaves."""
    allowed: set[str] = set()
    for value in values(unit, "SystemCallFilter"):
        named = {call for word in value.removeprefix("~").split() for call in _expanded(word)}
        allowed = allowed - named if value.startswith("~") else allowed | named
    # systemd adds these itself (systemd.exec(5)): without them no program could even begin.
    return allowed | _expanded("@default") | {"execve"}


def _expanded(word: str) -> set[str]:
    if not word.startswith("@"):
        return {word}
    arguments = ["systemd-analyze", "syscall-filter", word]
    listed = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.splitlines()
    return {call for line in listed[1:] if line.strip() and "#" not in line for call in _expanded(line.strip())}


def families(unit: Path) -> set[int]:
    """Numbers of the address families that the unit leaves."""
    return {getattr(socket, name) for value in values(unit, "RestrictAddressFamilies") for name in value.split()}


def confine(unit: Path) -> None:
    """Put this process under the unit's rules, and all that it starts."""
    # MemoryDenyWriteExecute first: the filter knows nothing of prctl.
    if "yes" in values(unit, "MemoryDenyWriteExecute") and ctypes.CDLL(None).prctl(
        _SET_MDWE, _REFUSE_EXEC_GAIN, 0, 0, 0
    ):
        give_up("the kernel is older than 6.3 and has no PR_SET_MDWE")
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        give_up("libseccomp.so.2 is not installed")
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_rule_add_array.argtypes = (
        *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint),
        ctypes.POINTER(_Compare),
    )
    library.seccomp_load.argtypes = (ctypes.c_void_p,)
    rules = library.seccomp_init(_REFUSE | errno.EPERM)
    for name, compares in _rules(unit):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # names of other processors have none here
            array = (_Compare * len(compares))(*compares)
            assert library.seccomp_rule_add_array(rules, _ALLOW, number, len(compares), array) == 0, name
    if library.seccomp_load(rules):
        give_up("seccomp filters cannot be loaded here")


def _rules(unit: Path) -> Iterator[tuple[str, list[_Compare]]]:
    for name in calls(unit) - {"socket"}:
        yield name, []
    for family in families(unit):
        yield "socket", [_Compare(0, _EQUAL, family, 0)]


def give_up(reason: str) -> Never:
    """Say why this machine cannot do it."""
    sys.stderr.write(f"{reason}\n")
    raise SystemExit(CANNOT)


if __name__ == "__main__":
    confine(Path(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
