"""People out of a file: everything is checked first, then written in batches (decisions D3, D4, D13, D21).

The file is read twice. The first reading finds faults, duplicates and who is there already, and writes nothing; the
second writes. A person that is there with the same content is left as it is, so an import that was interrupted is
completed by running it again. Each person is one write with its own audit event, and the import itself has one.
"""

from __future__ import annotations

from assay import errors, store
from assay.model import Event
from assay.stories import projects, references
from assay.stories.context import Context, Operator
from assay.stories.import_checks import check
from assay.stories.import_job import ImportOptions, Job, Memory, Summary, Watcher
from assay.stories.import_places import Places
from assay.stories.import_rows import Rules
from assay.stories.import_writes import write
from assay.stories.people_files import PeopleFile


async def import_people(  # noqa: PLR0913 - what is imported, into what, how, and who is told
    ctx: Context,
    environment_id: str,
    file: PeopleFile,
    memory: Memory,
    options: ImportOptions,
    *,
    by: Operator,
    watcher: Watcher | None = None,
) -> Summary:
    """Check the file and, unless there are faults that stop it, write what is new or to be updated.

    ``memory`` must be empty. Raises ProjectNotFound, WrongVertical, OrganizationNotFound, PeopleFileUnreadable,
    PeopleFileChanged, StoreUnavailable.
    """
    job = await _prepared(ctx, environment_id, file, memory, options, by, watcher or Watcher())
    stamp = file.stamp()
    await check(job)
    if options.check_only or (job.found.faulty and not options.skip_faulty):
        return job.found
    if file.stamp() != stamp:
        raise errors.PeopleFileChanged
    await write(job)
    job.found.written = True
    await ctx.store.write(store.RecordEvents(events=(_event(job),)))
    return job.found


async def _prepared(  # noqa: PLR0913, PLR0917 - as above
    ctx: Context,
    environment_id: str,
    file: PeopleFile,
    memory: Memory,
    options: ImportOptions,
    by: Operator,
    watcher: Watcher,
) -> Job:
    environment = await projects.require_environment(ctx, environment_id)
    policy = (await ctx.configured.of(ctx.store, environment)).policy
    rules = Rules(people=options.people, assignable=frozenset(policy.role_ids()), keep_ids=options.keep_ids)
    if environment.vertical != rules.vertical:
        raise errors.WrongVertical(f"This is a {environment.vertical} project: it has no {options.people}.")
    default = None
    if options.organization is not None:
        default = await references.organization(ctx, environment_id, options.organization)
    places = Places(ctx, environment, default, create=options.create_organizations)
    return Job(ctx, environment, file, memory, options, by, rules, places, watcher, Summary())


def _event(job: Job) -> Event:
    found = job.found
    return job.by.event(
        job.environment_id,
        f"{job.options.people}.imported",
        job.environment_id,
        int(job.ctx.clock()),
        sha256=found.digest,
        rows=found.rows,
        created=found.created,
        updated=found.updated,
        already_there=found.same,
        different=found.different,
        left_out=found.left_out,
        faulty=found.faulty,
        organizations_created=found.organizations_created,
    )
