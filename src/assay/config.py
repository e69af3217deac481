"""Settings: one table, one frozen record, read once at start."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

import msgspec

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LogLevel = Literal["debug", "info", "warning", "error"]

MOST_ATTEMPTS_DAYS = 3_650
MOST_SESSIONS_DAYS = 3_650
MOST_WORKERS = 64


class ConfigFault(Exception):
    """A setting has a value that Assay cannot use; the message names the setting and what it takes."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table of settings. ``secret`` values are never shown."""

    variable: str
    default: str
    meaning: str
    secret: bool = False


SETTINGS = (
    Setting(
        variable="ASSAY_DATABASE",
        default="sqlite:///assay.db",
        meaning="Where records live: sqlite:///RELATIVE/PATH, sqlite:////ABSOLUTE/PATH, or"
        " postgresql://USER:PASSWORD@HOST:PORT/DATABASE.",
    ),
    Setting(
        variable="ASSAY_ROOT_KEY",
        default="",
        meaning="Seals our private keys and shared secrets: 32 bytes as base64url. Empty: the file PATH.root-key beside"
        " the SQLite file, made on first need. PostgreSQL has no such file: there it must be set.",
        secret=True,
    ),
    Setting(
        variable="ASSAY_PUBLIC_URL",
        default="",
        meaning="The base URL that callers use; it is the issuer of session JWTs. Empty: stytch.com/PROJECT_ID.",
    ),
    Setting(
        variable="ASSAY_ALLOW_LOOPBACK_KEY_URLS",
        default="0",
        meaning="1 lets keys be fetched by http from this machine's loopback addresses. For trying out and tests only.",
    ),
    Setting(
        variable="ASSAY_KEY_URL_NETWORKS",
        default="",
        meaning="Private networks that keys may be fetched from, over https: 10.1.0.0/16,fd12:3456::/48. Empty: none.",
    ),
    Setting(
        variable="ASSAY_ATTEMPTS_DAYS",
        default="30",
        meaning=f"How many days the records of attests are kept: 1 to {MOST_ATTEMPTS_DAYS}.",
    ),
    Setting(
        variable="ASSAY_SESSIONS_KEPT_DAYS",
        default="30",
        meaning="How many days sessions are kept after they have expired or were revoked, for operators to look at:"
        f" 1 to {MOST_SESSIONS_DAYS}.",
    ),
    Setting(
        variable="ASSAY_WORKERS",
        default="1",
        meaning=f"How many processes answer requests, 1 to {MOST_WORKERS}: one for each core that Assay may use."
        " With more than one, a process beside them looks after them.",
    ),
    Setting(
        variable="ASSAY_LOG_LEVEL",
        default="info",
        meaning="Least important line written to standard error: debug, info, warning or error.",
    ),
    Setting(
        variable="ASSAY_TRACES_ENDPOINT",
        default="",
        meaning="Base URL of an OpenTelemetry collector that `assay serve` sends traces to, by OTLP over HTTP:"
        " http://127.0.0.1:4318. Needs `pip install assay[traces]`. Empty: no traces.",
    ),
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What one process was told. ``public_url`` and ``traces_endpoint`` have no trailing slash."""

    database: str
    root_key: str
    public_url: str
    allow_loopback_key_urls: bool
    key_url_networks: tuple[Network, ...] = ()
    attempts_days: int = 30
    sessions_kept_days: int = 30
    workers: int = 1
    log_level: LogLevel
    traces_endpoint: str = ""


def read(environ: Mapping[str, str], *, database: str | None = None) -> Settings:
    """Settings out of environment variables; ``database`` (the command line's option) wins. Raises ConfigFault."""
    values = {setting.variable: environ.get(setting.variable, "") or setting.default for setting in SETTINGS}
    level = values["ASSAY_LOG_LEVEL"].lower()
    public_url = values["ASSAY_PUBLIC_URL"].rstrip("/")
    if public_url and not public_url.startswith(("https://", "http://")):
        raise ConfigFault("ASSAY_PUBLIC_URL must start with https:// or http://")
    return Settings(
        database=_database(database or values["ASSAY_DATABASE"]),
        root_key=values["ASSAY_ROOT_KEY"],
        public_url=public_url,
        allow_loopback_key_urls=_switch("ASSAY_ALLOW_LOOPBACK_KEY_URLS", values["ASSAY_ALLOW_LOOPBACK_KEY_URLS"]),
        key_url_networks=_networks(values["ASSAY_KEY_URL_NETWORKS"]),
        attempts_days=_number("ASSAY_ATTEMPTS_DAYS", values["ASSAY_ATTEMPTS_DAYS"], MOST_ATTEMPTS_DAYS),
        sessions_kept_days=_number("ASSAY_SESSIONS_KEPT_DAYS", values["ASSAY_SESSIONS_KEPT_DAYS"], MOST_SESSIONS_DAYS),
        workers=_number("ASSAY_WORKERS", values["ASSAY_WORKERS"], MOST_WORKERS),
        log_level=_level(level),
        traces_endpoint=_traces_endpoint(values["ASSAY_TRACES_ENDPOINT"].rstrip("/")),
    )


def sqlite_path(database: str) -> str:
    """The file that a ``sqlite:///PATH`` address names."""
    return database.removeprefix("sqlite:///")


def is_postgres(database: str) -> bool:
    """Whether this is the address of a PostgreSQL database."""
    return database.startswith(("postgresql://", "postgres://"))


def shown_database(database: str) -> str:
    """The address as it may be shown and logged: without a password, and without a query, where one may stand too."""
    if not is_postgres(database):
        return database
    scheme, _, rest = database.partition("://")
    # Whatever stands before the last @ may be a password with characters that should have been escaped.
    credentials, at, place = rest.rpartition("@")
    return f"{scheme}://{re.split('[:/?]', credentials)[0]}{at}{place.partition('?')[0]}"


def _database(text: str) -> str:
    if not is_postgres(text) and (not text.startswith("sqlite:///") or not sqlite_path(text)):
        raise ConfigFault(
            "the database (--database or ASSAY_DATABASE) must look like sqlite:///PATH or"
            " postgresql://USER@HOST/DATABASE"
        )
    return text


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        raise ConfigFault(
            "ASSAY_KEY_URL_NETWORKS must be networks such as 10.1.0.0/16, separated by commas, without host bits"
        ) from None


def _traces_endpoint(text: str) -> str:
    """Credentials have variables of their own, because an address is shown and logged."""
    url = urlsplit(text)
    if text and (url.scheme not in {"http", "https"} or not url.hostname or "@" in url.netloc):
        raise ConfigFault("ASSAY_TRACES_ENDPOINT must look like http://HOST:PORT or https://HOST, without credentials")
    if url.query or url.fragment:
        raise ConfigFault("ASSAY_TRACES_ENDPOINT must be a base URL, without a query")
    return text


def _level(text: str) -> LogLevel:
    try:
        level: LogLevel = msgspec.convert(text, LogLevel)
    except msgspec.ValidationError:
        raise ConfigFault("ASSAY_LOG_LEVEL must be debug, info, warning or error") from None
    return level


def _switch(variable: str, text: str) -> bool:
    if text not in {"0", "1"}:
        raise ConfigFault(f"{variable} must be 0 or 1")
    return text == "1"


def _number(variable: str, text: str, most: int) -> int:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(most)) else 0
    if not 1 <= number <= most:
        raise ConfigFault(f"{variable} must be a whole number from 1 to {most}")
    return number
