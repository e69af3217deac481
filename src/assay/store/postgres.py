# ruff: noqa: D102 - what each method promises stands once, on the protocol
"""The PostgreSQL store: any number of processes over one database, each with a few connections.

Every read goes to the server that is written to: a replica may be behind, and would accept what has been revoked.
"""

from __future__ import annotations

import functools

import msgspec

from assay.model import (
    Caller,
    Environment,
    EnvironmentCounts,
    KeptKeys,
    OperatorLink,
    OperatorPassword,
    Profile,
    Project,
    PublicToken,
    Secret,
    SigningKey,
    WorkspaceKey,
)
from assay.observing.meter import Meter
from assay.store import (
    Configuration,
    DeleteEnvironment,
    DeleteOrganization,
    DeleteProject,
    Due,
    ErasePerson,
    Forget,
    Maintained,
    RevokeSessionsWhere,
    Write,
    postgres_connections,
    postgres_erasure,
    postgres_locks,
    postgres_plans,
    postgres_schema,
    postgres_upkeep,
    rows,
)
from assay.store.opening import StoreFault
from assay.store.postgres_address import Address, parse
from assay.store.postgres_connections import FAULTS, LONG, SHORT, Connections, Connector
from assay.store.postgres_erasure import Person
from assay.store.postgres_hosts import Fence
from assay.store.postgres_hot_reads import HotReads
from assay.store.postgres_people import PostgresPeople
from assay.store.postgres_reading import Pooled, Reads
from assay.store.postgres_records import PostgresRecords
from assay.store.postgres_writer import Writer
from assay.store.search import pattern

_LARGE = (DeleteEnvironment, DeleteOrganization, DeleteProject, ErasePerson, Forget, RevokeSessionsWhere)
"""What goes over many rows, and would keep everybody else's writes waiting."""


async def open_postgres(url: str, *, meter: Meter | None = None) -> PostgresStore:
    """Connect to the database. Raises opening.SchemaTooNew and opening.StoreFault, which say what to do."""
    address = parse(url)
    try:
        connection = await postgres_connections.connect(address, SHORT)
        try:
            await postgres_schema.check(connection, address)
        finally:
            await connection.close(timeout=postgres_connections.CONNECT_SECONDS)
    except (*FAULTS, ValueError, StoreFault) as fault:
        raise postgres_schema.unusable(address, fault) from None
    return PostgresStore(address, meter)


class PostgresStore(PostgresPeople, PostgresRecords):
    """A :class:`assay.store.Store` in a PostgreSQL database. Connections are made when they are first needed."""

    keeps_records = False

    def __init__(self, address: Address, meter: Meter | None = None) -> None:
        self._address = address
        fence = Fence()
        self._watch = postgres_connections.watch(address, fence)
        self._pools = {
            "reads": Connections(Connector(address, SHORT, fence), address.reads),
            "writes": Connections(Connector(address, SHORT, fence), address.writes + 1),
            "aside": Connections(Connector(address, LONG, fence), 2),
            "large": Connections(Connector(address, LONG, fence), 1),
        }
        super().__init__(Pooled(self._pools["reads"]), Pooled(self._pools["aside"]))
        self._hot = HotReads(self._reads)
        self._writer = Writer(self._pools["writes"], self._pools["large"], address.writes, meter)

    async def close(self) -> None:
        await self._writer.close()
        if self._watch is not None:
            await self._watch.close()
        for pool in self._pools.values():
            await pool.close()

    async def write(self, write: Write) -> None:
        if isinstance(write, ErasePerson):
            await self._erase(write)
            return
        names = postgres_locks.names(write)
        if isinstance(write, DeleteProject):
            doomed = await self.environments(write.project_id)
            names = postgres_locks.Names(alone=tuple(postgres_locks.environment(one.environment_id) for one in doomed))
        run = functools.partial(postgres_plans.carry_out, write=write)
        await self._writer.commit(write, names, run, is_large=isinstance(write, _LARGE))

    async def _erase(self, write: ErasePerson) -> None:
        person = Person(write.environment_id, write.subject_kind, write.subject_id, write.traces)
        seen = await self._settled()
        known = await self._aside.snapshot(lambda reads: postgres_erasure.find(reads, person))
        run = functools.partial(postgres_erasure.erase, write=write, known=known, after=seen)
        await self._writer.commit(write, postgres_locks.names(write), run, is_large=True)

    async def maintain(self, due: Due) -> Maintained:
        return await postgres_upkeep.maintain(self._address, due)

    async def ping(self) -> None:
        await self._reads.rows("projects_exist")

    async def schema(self) -> int:
        return int((await self._reads.rows("schema"))[0][0])

    # -- tenancy

    async def root_key_check(self) -> bytes | None:
        found: list[tuple[bytes]] = await self._reads.rows("root_key_check")
        return found[0][0] if found else None

    async def caller(self, environment_id: str, secret_hash: bytes) -> Caller | None:
        return await self._hot.callers.ask(environment_id, secret_hash)

    async def secret_is_live(self, environment_id: str, secret_id: str) -> bool:
        return await self._hot.live_secrets.ask(environment_id, secret_id)

    async def workspace_key(self, workspace_key_id: str) -> WorkspaceKey | None:
        return await self._reads.one("workspace_key", rows.WORKSPACE_KEY, workspace_key_id=workspace_key_id)

    async def workspace_keys(self) -> list[WorkspaceKey]:
        return await self._reads.all("workspace_keys", rows.WORKSPACE_KEY)

    async def projects(self) -> list[Project]:
        return await self._reads.all("projects", rows.PROJECT)

    async def environment(self, environment_id: str) -> Environment | None:
        return await self._reads.one("environment", rows.ENVIRONMENT, environment_id=environment_id)

    async def environments(self, project_id: str) -> list[Environment]:
        return await self._reads.all("environments", rows.ENVIRONMENT, project_id=project_id)

    async def project_by_slug(self, slug: str) -> Project | None:
        return await self._reads.one("project_by_slug", rows.PROJECT, slug=slug)

    async def environment_by_slug(self, project_slug: str, environment_slug: str) -> Environment | None:
        key = {"project_slug": project_slug, "environment_slug": environment_slug}
        return await self._reads.one("environment_by_slug", rows.ENVIRONMENT, **key)

    async def environment_counts(self, environment_id: str) -> EnvironmentCounts:
        ((users, organizations, members),) = await self._aside.rows("environment_counts", environment_id=environment_id)
        return EnvironmentCounts(users=users, organizations=organizations, members=members)

    async def configuration(self, environment_id: str) -> tuple[int, Configuration]:
        return await self._hot.configurations.ask(environment_id)

    async def public_tokens(self, environment_id: str) -> list[PublicToken]:
        return await self._reads.all("public_tokens", rows.PUBLIC_TOKEN, environment_id=environment_id)

    async def secrets(self, environment_id: str) -> list[Secret]:
        return await self._reads.all("secrets", rows.SECRET, environment_id=environment_id)

    async def signing_keys(self, environment_id: str) -> list[SigningKey]:
        return await self._reads.all("signing_keys", rows.SIGNING_KEY, environment_id=environment_id)

    async def signing_key_environment(self, kid: str) -> str | None:
        found: list[tuple[str]] = await self._reads.rows("signing_key_environment", kid=kid)
        return found[0][0] if found else None

    async def all_signing_keys(self) -> list[SigningKey]:
        return await self._reads.all("all_signing_keys", rows.SIGNING_KEY)

    # -- operators of the dashboard

    async def operator_password(self, user_id: str) -> OperatorPassword | None:
        return await self._reads.one("operator_password", rows.OPERATOR_PASSWORD, user_id=user_id)

    async def operator_link(self, token_hash: bytes, now: int) -> OperatorLink | None:
        return await self._reads.one("operator_link", rows.OPERATOR_LINK, token_hash=token_hash, now=now)

    # -- trust

    async def profile(self, environment_id: str, profile_id: str) -> Profile | None:
        return await self._hot.profiles.ask(environment_id, profile_id)

    async def profiles(self, environment_id: str) -> list[Profile]:
        return await self._reads.snapshot(lambda reads: _profiles(reads, "profiles", environment_id=environment_id))

    async def profile_page(self, environment_id: str, words: str, after: tuple[int, str], limit: int) -> list[Profile]:
        key = {"environment_id": environment_id, "pattern": pattern(words) if words else None, "limit": limit}
        place = {"after_created_at": after[0], "after_profile_id": after[1]}
        return await self._reads.snapshot(lambda reads: _profiles(reads, "profile_page", **key, **place))

    async def kept_keys(self, environment_id: str, profile_id: str) -> list[KeptKeys]:
        key = {"environment_id": environment_id, "profile_id": profile_id}
        return await self._reads.all("kept_keys", rows.KEPT_KEYS, **key)


async def _profiles(reads: Reads, name: str, **parameters: object) -> list[Profile]:
    """Profiles with their PEM files."""
    return [await _with_pem_files(reads, one) for one in await reads.all(name, rows.PROFILE, **parameters)]


async def _with_pem_files(reads: Reads, profile: Profile) -> Profile:
    if profile.public_key_type != "PEM":
        return profile
    key = {"environment_id": profile.environment_id, "profile_id": profile.profile_id}
    return msgspec.structs.replace(profile, pem_files=tuple(await reads.all("pem_files", rows.PEM_FILE, **key)))
