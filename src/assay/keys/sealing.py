"""The root key: what keeps our private keys unreadable in a copy of the database (decisions D26).

Sealed bytes are a version byte, a random 96-bit nonce, and AES-256-GCM over the plaintext. The purpose is bound to
them as associated data, so that whoever can write to the database cannot move one sealed value to another's place.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from assay.config import ConfigFault, Settings, is_postgres, shown_database, sqlite_path
from assay.model import SigningKey
from assay.store import RewrapSigningKeys, SetRootKeyCheck, Store
from assay.store.copying_tables import UNFINISHED, UnfinishedCopy

KEY_BYTES = 32
NONCE_BYTES = 12
VERSION = b"\x01"

_CHECK_PURPOSE = "root-key-check"
_OTHERS = 0o077


class WrongRootKey(Exception):
    """Sealed bytes do not open: they were sealed under another root key or for another purpose, or were changed."""


class RootKey:
    """32 secret bytes. They are never used directly: each purpose has a key of its own, derived from them."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise ConfigFault(f"a root key is {KEY_BYTES} bytes long")
        self._secret = secret
        self._aead = AESGCM(self.derive("sealing"))

    def __repr__(self) -> str:
        """Never the bytes: representations end up in logs."""
        return "RootKey(…)"

    @classmethod
    def generate(cls) -> RootKey:
        """A fresh one from the operating system's random source."""
        return cls(secrets.token_bytes(KEY_BYTES))

    @classmethod
    def parse(cls, text: str) -> RootKey:
        """Out of base64url, with or without padding. Raises ConfigFault, which never quotes the text."""
        stripped = text.strip().rstrip("=")
        try:
            secret = base64.b64decode(stripped + "=" * (-len(stripped) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            secret = b""
        if len(secret) != KEY_BYTES:
            raise ConfigFault(f"a root key must be {KEY_BYTES} bytes written as base64url (43 characters)")
        return cls(secret)

    def text(self) -> str:
        """The form that ``parse`` reads, for the key file alone."""
        return base64.urlsafe_b64encode(self._secret).rstrip(b"=").decode()

    def seal(self, plaintext: bytes, purpose: str) -> bytes:
        """Encrypt for one purpose; each call gives other bytes."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return VERSION + nonce + self._aead.encrypt(nonce, plaintext, VERSION + purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """What was sealed for this purpose. Raises WrongRootKey."""
        nonce, ciphertext = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        if sealed[:1] != VERSION or len(nonce) != NONCE_BYTES:
            raise WrongRootKey("sealed data has a form that this version does not know")
        try:
            return self._aead.decrypt(nonce, ciphertext, VERSION + purpose.encode())
        except InvalidTag:
            raise WrongRootKey("sealed data does not open with this root key, or was changed") from None

    def holds(self, sealed: bytes, purpose: str, plaintext: bytes) -> bool:
        """Whether this is what was sealed, for whoever has it already; false for bytes that do not open."""
        try:
            return hmac.compare_digest(self.open(sealed, purpose), plaintext)
        except WrongRootKey:
            return False

    def sealed_under(self, outer: RootKey) -> bytes:
        """This key as the check value of a store whose root key is ``outer``."""
        return outer.seal(self._secret, _CHECK_PURPOSE)

    def derive(self, purpose: str) -> bytes:
        """32 bytes for another use (cursors, for one), from which the root key cannot be found (RFC 5869)."""
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"assay/{purpose}".encode()).derive(
            self._secret
        )


# ---------------------------------------------------------------- where the root key is


def root_key_file(settings: Settings) -> Path:
    """The file beside the SQLite file."""
    return Path(sqlite_path(settings.database) + ".root-key")


def find_root_key(settings: Settings) -> RootKey:
    """``ASSAY_ROOT_KEY`` if set, else the file, which is made when it is not there. Raises ConfigFault."""
    _refuse_no_place(settings)
    if settings.root_key:
        try:
            return RootKey.parse(settings.root_key)
        except ConfigFault as fault:
            raise ConfigFault(f"ASSAY_ROOT_KEY: {fault}") from None
    return _read_or_make(root_key_file(settings))


async def open_root_key(settings: Settings, store: Store) -> RootKey:
    """The root key of this store, compared with the store's check value.

    Finishes a change of the key file that was interrupted after the store's commit. Raises ConfigFault, UnfinishedCopy
    and WrongRootKey; the messages of the latter two say what to do, and nothing must be served then.
    """
    _refuse_no_place(settings)
    path = root_key_file(settings)
    check_value = await store.root_key_check()
    refuse_unfinished(settings, check_value)
    if not settings.root_key and check_value is not None:
        _refuse_missing(path)
    root_key = find_root_key(settings)
    try:
        await check(store, root_key)
    except WrongRootKey:
        following = None if settings.root_key else _read(_following(path))
        if following is None or check_value is None or not _opens_check(following, check_value):
            raise WrongRootKey(_advice(settings, path)) from None
        _promote(path)
        return following
    return root_key


async def check(store: Store, root_key: RootKey) -> RootKey:
    """The store's own secret, which is sealed under the root key and so proves that this is the right one.

    From it come the keys that must outlive a change of root key, such as the one that seals session tokens. The
    first check of a store makes it; of two processes that race the first one wins. Raises WrongRootKey.
    """
    check_value = await store.root_key_check()
    if check_value is None:
        await store.write(SetRootKeyCheck(root_key_check=RootKey.generate().sealed_under(root_key)))
        check_value = await store.root_key_check()
    if check_value is None or not _opens_check(root_key, check_value):
        raise WrongRootKey("This root key is not the one that this database's signing keys are sealed under.")
    return RootKey(root_key.open(check_value, _CHECK_PURPOSE))


def check_backup(settings: Settings, check_value: bytes | None) -> None:
    """Refuse a backup whose check value does not open under the root key at hand; makes no key.

    Raises ConfigFault, and WrongRootKey with a message that says what to do.
    """
    path = root_key_file(settings)
    found = [find_root_key(settings)] if settings.root_key else root_keys_in_files(settings)
    if check_value is None or any(_opens_check(each, check_value) for each in found):
        return
    if not found:
        raise WrongRootKey(
            f"The backup is sealed under a root key, and there is none here. Put the one that you kept at {path} "
            "(mode 600), or set ASSAY_ROOT_KEY to it. A backup never holds it."
        )
    held = "ASSAY_ROOT_KEY" if settings.root_key else str(path)
    raise WrongRootKey(
        f"{held} holds another root key than the one that the backup is sealed under. "
        "Put back the root key of the time when the backup was made, or restore another backup."
    )


def root_keys_in_files(settings: Settings) -> list[RootKey]:
    """The keys beside the SQLite file: what it holds, and what a change cut short was about to. Raises ConfigFault."""
    path = root_key_file(settings)
    return [*filter(None, (_read(path), _read(_following(path))))]


def secret_of(root_key: RootKey, check_value: bytes) -> RootKey | None:
    """The store's own secret; None when this is not its root key."""
    return RootKey(root_key.open(check_value, _CHECK_PURPOSE)) if _opens_check(root_key, check_value) else None


def refuse_unfinished(settings: Settings, check_value: bytes | None) -> None:
    """Raise UnfinishedCopy for what `assay copy` has begun and not finished: it may lack what was revoked."""
    if check_value is not None and check_value.startswith(UNFINISHED):
        raise UnfinishedCopy(
            f"{shown_database(settings.database)} is an unfinished copy, which nobody may use yet."
            " Stop every server of the source, then run the same assay copy again."
        )


def _opens_check(root_key: RootKey, check_value: bytes) -> bool:
    try:
        root_key.open(check_value, _CHECK_PURPOSE)
    except WrongRootKey:
        return False
    return True


def _advice(settings: Settings, path: Path) -> str:
    held = "ASSAY_ROOT_KEY holds" if settings.root_key else f"{path} holds"
    back = "Set ASSAY_ROOT_KEY to" if settings.root_key else "Put back"
    where = shown_database(settings.database)
    return (
        f"{held} another root key than the one that the signing keys in {where} are sealed under. "
        f"{back} the key that was used when the database was made, or point --database at the right database."
    )


def _refuse_no_place(settings: Settings) -> None:
    """Many hosts share a PostgreSQL database, and no file lies beside it (decisions D26)."""
    if is_postgres(settings.database) and not settings.root_key:
        raise ConfigFault(
            "ASSAY_ROOT_KEY must be set for a PostgreSQL database, to the same 32 random bytes as base64url on every"
            " host; this makes some: head -c 32 /dev/urandom | basenc --base64url"
        )


def _refuse_missing(path: Path) -> None:
    """A fresh key would open nothing here, and would hide that the right one is gone."""
    if not path.exists():
        raise WrongRootKey(
            f"The root key file {path} is missing, and the database holds signing keys sealed under it. "
            "Restore the file from your backup, or set ASSAY_ROOT_KEY."
        )


# ---------------------------------------------------------------- changing it


def signing_key_purpose(environment_id: str, kid: str) -> str:
    """What the private half of a signing key is sealed for."""
    return f"signing-key/{environment_id}/{kid}"


def shared_secret_purpose(environment_id: str, profile_id: str) -> str:
    """What the shared secret of a profile is sealed for. The store's secret seals it, which outlives a root key."""
    return f"hmac/{environment_id}/{profile_id}"


async def rewrap(store: Store, old: RootKey, new: RootKey) -> int:
    """Seal every private key of the store under ``new``, in one write; answers how many.

    Run it while no server runs: one that still holds the old key could not open what it reads. Raises WrongRootKey
    when ``old`` is not the store's key, and Stale when a signing key was made meanwhile.
    """
    secret = await check(store, old)
    keys = await store.all_signing_keys()
    sealed = {key.kid: _resealed(key, old, new) for key in keys}
    await store.write(RewrapSigningKeys(sealed=sealed, root_key_check=secret.sealed_under(new)))
    return len(sealed)


async def rewrap_file(settings: Settings, store: Store) -> int:
    """Change the key in the file beside the database; answers how many private keys were sealed anew.

    A crash at any point leaves a store that opens: the new key is on disk before the commit, under another name,
    and ``open_root_key`` finishes the renaming. A second try goes on with the new key of the first.
    """
    path = root_key_file(settings)
    old = await open_root_key(settings, store)
    count = await rewrap(store, old, _read_or_make(_following(path)))
    _promote(path)
    return count


def _resealed(key: SigningKey, old: RootKey, new: RootKey) -> bytes:
    purpose = signing_key_purpose(key.environment_id, key.kid)
    return new.seal(old.open(key.sealed_private_key, purpose), purpose)


# ---------------------------------------------------------------- the file


def _following(path: Path) -> Path:
    return path.with_name(path.name + ".new")


def _promote(path: Path) -> None:
    # Another process may have finished the same change a moment ago; then there is nothing left to rename.
    with contextlib.suppress(FileNotFoundError):
        _following(path).replace(path)
    _sync_directory(path.parent)


def _read_or_make(path: Path) -> RootKey:
    found = _read(path)
    if found is not None:
        return found
    _make(path, RootKey.generate())
    made = _read(path)
    if made is None:
        raise ConfigFault(f"the root key file {path} vanished right after it was made")
    return made


def _read(path: Path) -> RootKey | None:
    try:
        mode = path.stat().st_mode
        text = path.read_text("ascii")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigFault(f"the root key file {path} cannot be read ({type(fault).__name__})") from None
    if mode & _OTHERS:
        raise ConfigFault(f"the root key file {path} can be read by other users of this machine; run: chmod 600 {path}")
    try:
        return RootKey.parse(text)
    except ConfigFault as fault:
        raise ConfigFault(f"the root key file {path}: {fault}") from None


def _make(path: Path, root_key: RootKey) -> None:
    """Write the file whole or not at all; when another process makes it first, theirs stays.

    The bytes are on disk under a name of our own before the link gives them the real one, which fails if it exists.
    """
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(root_key.text() + "\n")
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(draft)
        finally:
            draft.unlink()
        _sync_directory(path.parent)
    except OSError as fault:
        raise ConfigFault(f"the root key file {path} cannot be made ({fault.strerror}); set ASSAY_ROOT_KEY") from None


def _sync_directory(directory: Path) -> None:
    """A new name is only durable once its directory is (POSIX says nothing else)."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
