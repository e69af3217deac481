"""The root keys of both sides of a copy: what was sealed under one is sealed under the other (decisions D26).

Private signing keys are sealed under the root key itself. Everything else that is sealed or keyed (session tokens in
session JWTs, cursors, shared secrets of profiles) hangs on the store's own secret, which goes over as it is; so only
the seal on it changes.
"""

from __future__ import annotations

import hmac
from typing import Literal, NamedTuple

from assay.config import ConfigFault, Settings, is_postgres, shown_database
from assay.keys import sealing
from assay.keys.sealing import RootKey, WrongRootKey, signing_key_purpose
from assay.store.opening import StoreFault


class CopiedKeys:
    """Seals of both sides. ``source_id`` is the same for every copy of one store, whatever its root key."""

    def __init__(self, source: SourceKeys, target: RootKey) -> None:
        self._keys = {"source": source.root_key, "target": target}
        self._fingerprint_key = source.secret.derive("copy/fingerprint")
        self.source_id = source.secret.derive("copy/source")
        self.check_value = source.secret.sealed_under(target)

    def fingerprint(self, side: Literal["source", "target"], environment_id: str, kid: str, sealed: bytes) -> bytes:
        """The same for the same private key, however it is sealed, and of no use to find it.

        Empty for what does not open in the target; in the source that raises WrongRootKey.
        """
        try:
            opened = self._keys[side].open(sealed, signing_key_purpose(environment_id, kid))
        except WrongRootKey:
            if side == "source":
                raise
            return b""
        return hmac.digest(self._fingerprint_key, opened, "sha256")

    def resealed(self, environment_id: str, kid: str, sealed: bytes) -> bytes:
        """A private key of the source, sealed under the target's root key. Raises WrongRootKey."""
        purpose = signing_key_purpose(environment_id, kid)
        return self._keys["target"].seal(self._keys["source"].open(sealed, purpose), purpose)


class SourceKeys(NamedTuple):
    """The source's root key, and the store's own secret that it seals."""

    root_key: RootKey
    secret: RootKey


def source_keys(source: Settings, check_value: bytes | None, named: str) -> SourceKeys:
    """The keys of a source with this check value; ``named`` is what ASSAY_ROOT_KEY_FROM says.

    Raises ConfigFault, WrongRootKey, and opening.StoreFault for a source in which there is nothing whole.
    """
    if check_value is None:
        raise StoreFault(f"there is nothing in {shown_database(source.database)} that could be copied")
    sealing.refuse_unfinished(source, check_value)
    candidates = [_parsed("ASSAY_ROOT_KEY_FROM", named)] if named else root_keys_at_hand(source)
    for candidate in candidates:
        secret = sealing.secret_of(candidate, check_value)
        if secret is not None:
            return SourceKeys(candidate, secret)
    raise WrongRootKey(
        f"There is no root key here that opens {shown_database(source.database)}."
        " Set ASSAY_ROOT_KEY_FROM to the one that its servers use; ASSAY_ROOT_KEY is for the target."
    )


def finished_keys(source: SourceKeys, target: Settings, check_value: bytes | None) -> CopiedKeys:
    """The keys of a finished copy with this check value; makes none.

    Raises ConfigFault, UnfinishedCopy, and WrongRootKey when it is no copy of this source or sealed under another key.
    """
    sealing.refuse_unfinished(target, check_value)
    for candidate in root_keys_at_hand(target):
        secret = None if check_value is None else sealing.secret_of(candidate, check_value)
        if secret is not None and secret.text() == source.secret.text():
            return CopiedKeys(source, candidate)
    raise WrongRootKey(
        f"{shown_database(target.database)} is no copy of this source, or is sealed under a root key that is not here."
    )


def root_keys_at_hand(settings: Settings) -> list[RootKey]:
    """All that may be the store's; which one is, the check value tells. Raises ConfigFault."""
    found = [] if is_postgres(settings.database) else sealing.root_keys_in_files(settings)
    return [*found, _parsed("ASSAY_ROOT_KEY", settings.root_key)] if settings.root_key else found


def _parsed(variable: str, text: str) -> RootKey:
    try:
        return RootKey.parse(text)
    except ConfigFault as fault:
        raise ConfigFault(f"{variable}: {fault}") from None
