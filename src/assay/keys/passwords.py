"""Passwords of operators: Argon2id, in threads, few at a time.

Parameters are those that OWASP's Password Storage Cheat Sheet names: 19 MiB, two passes, one lane. The standard text
holds them, so that they can grow later and old passwords still open.
"""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1
LENGTH = 32
_SALT_BYTES = 16
# Each takes 19 MiB: a crowd that guesses must not take all memory, nor all threads.
_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="password")

# Compared with when there is no password to compare with, so that it takes as long (security R44).
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdCBvZiBub2JvZHkhIQ$" + "A" * 43


async def hashed(password: str) -> str:
    """What is kept of a password."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _hashed, password.encode())


async def is_right(password: str, kept: str | None) -> bool:
    """Whether this is the password that was kept; never for None, which takes as long."""
    shown = password.encode("utf-8", "surrogatepass")
    same = await asyncio.get_running_loop().run_in_executor(_THREADS, _is_same, shown, kept or _NOBODY)
    return same and kept is not None


def _hashed(password: bytes) -> str:
    salt = secrets.token_bytes(_SALT_BYTES)
    return Argon2id(
        salt=salt, length=LENGTH, iterations=PASSES, lanes=LANES, memory_cost=MEMORY_KIB
    ).derive_phc_encoded(password)


def _is_same(password: bytes, kept: str) -> bool:
    try:
        Argon2id.verify_phc_encoded(password, kept)
    except InvalidKey:
        return False
    return True
