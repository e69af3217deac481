"""How long callers wait at 60 % of saturation, and while somebody else's tokens flood the server."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from bench import tokens
from bench.bench import Bench
from bench.figures import Figure, median
from bench.installation import ATTEST, PEOPLE, Installation, attest_body
from bench.keyserver import key_server
from bench.load import Requests, drive
from bench.paced import REFUSED, Stream, Waits, run
from bench.processes import Server
from bench.results import Row
from bench.rounds import numbers

SHARE = 0.6
MOST_MS = 25.0
SATURATED_SECONDS = 3
PACED_SECONDS = 8
FLOOD_RATE = 10_000
FLOOD_SHARE = 0.6
"""How much of the server the flood may take: where it cannot refuse 10,000 a second on one core, fewer are sent."""
GOOD_SHARE = 0.15
MOST_BEYOND = 1.2
FLOODED = "flooded"
FORGED = 4000

HOW_PACED = (
    "Requests are due at random moments (Poisson), and a latency counts from the moment at which its request was due."
    " The load wakes once a millisecond."
)
HOW_FLOODED = (
    "The refusals that need no key take the server's time as well. What unknown kids cost beyond that, such as fetching"
    f" keys again and again, is the ratio. Up to {FLOOD_RATE:,} a second are sent, but no more than {FLOOD_SHARE:.0%}"
    " of what one core can refuse."
)

Taken = dict[str, list[Waits]]


def saturated(_: Collection[str], bench: Bench) -> Iterator[Row]:
    """Attest and authenticate, each at 60 % of the rate that it reached a moment before."""
    installation = bench.install("assay-paced")
    taken: Taken = {"attest": [], "authenticate": []}
    with installation.serving() as server:
        met = installation.meet(server, range(PEOPLE))
        bodies = {
            "attest": installation.attest_bodies("attest", bench.people()),
            "authenticate": installation.authenticate_bodies("auth", [one["session_token"] for one in met]),
        }
        for number in numbers(bench.plan):
            for name, requests in bodies.items():
                rate = SHARE * drive(server.url, requests, SATURATED_SECONDS).rate
                stream = Stream(name=name, requests=requests, rate=rate)
                taken[name].append(run(server, PACED_SECONDS, [stream], bench.folder)[name])
                _tell(number, taken[name][-1], rate)
    yield Row(
        name="p99",
        title="waiting at 60 % of saturation",
        figures=(
            Figure(
                name="p99",
                title="attest, p99 at 60 % of saturation",
                value=_p99(taken["attest"]),
                unit="ms",
                wanted="at most",
                limit=MOST_MS,
                note=_late(taken["attest"]),
            ),
            Figure(name="p50", title="the same, p50", value=_p50(taken["attest"]), unit="ms"),
            Figure(
                name="authenticate/p99",
                title="authenticate, p99 at 60 % of saturation",
                value=_p99(taken["authenticate"]),
                unit="ms",
                note=_late(taken["authenticate"]),
            ),
        ),
        facts=(HOW_PACED,),
    )


def flooded(_: Collection[str], bench: Bench) -> Iterator[Row]:
    """Good attests alone; beside refusals that need no key; beside as many tokens of unknown keys."""
    installation = bench.install("assay-flood")
    with key_server(bench.partner.jwk()) as url, installation.serving() as server:
        installation.create_profile(FLOODED, "--jwks-url", url, "--allow-problems")
        installation.meet(server, range(PEOPLE))
        good = installation.attest_bodies("attest", bench.people())
        floods = {"control": _refused(installation, "control"), "flood": _refused(installation, "flood")}
        rate, good_rate = _rates(server, good, floods)
        taken: Taken = {"calm": [], **{name: [] for name in floods}}
        arrived: list[float] = []
        for number in numbers(bench.plan):
            for name, waits in taken.items():
                streams = [Stream(name="good", requests=good, rate=good_rate)]
                if name in floods:
                    streams.append(Stream(name=name, requests=floods[name], rate=rate, status=REFUSED))
                found = run(server, PACED_SECONDS, streams, bench.folder)
                waits.append(found["good"])
                arrived += [found[name].rate] if name in found else []
                _tell(number, found["good"], good_rate, f"good, {name}")
    yield _flood_row(taken, arrived, good_rate)


def _flood_row(taken: Taken, arrived: list[float], good_rate: float) -> Row:
    beyond = [flood.p99_ms / control.p99_ms for flood, control in zip(taken["flood"], taken["control"], strict=True)]
    rate = median(arrived, len(arrived))
    return Row(
        name="flood",
        title="a flood of unknown kids at another profile",
        figures=(
            Figure(
                name="flood/control",
                title="p99 of good attests, unknown kids at another profile ÷ as many refusals that need no key",
                value=median(beyond, len(beyond)),
                unit="×",
                wanted="at most",
                limit=MOST_BEYOND,
                note=f"{rate or 0:,.0f} a second arrived beside {good_rate:,.0f} good ones",
            ),
            *(
                Figure(name=f"p99/{name}", title=f"p99 of good attests, {told}", value=_p99(taken[name]), unit="ms")
                for name, told in (
                    ("calm", "calm"),
                    ("control", "beside refusals that need no key"),
                    ("flood", "beside unknown kids"),
                )
            ),
        ),
        facts=(HOW_FLOODED,),
    )


def _rates(server: Server, good: Requests, floods: dict[str, Requests]) -> tuple[float, float]:
    """How many refusals a second and how many good attests one core can bear together."""
    refused = min(drive(server.url, requests, SATURATED_SECONDS).rate for requests in floods.values())
    return min(FLOOD_RATE, FLOOD_SHARE * refused), GOOD_SHARE * drive(server.url, good, SATURATED_SECONDS).rate


def _refused(installation: Installation, name: str) -> Requests:
    """Tokens for the flooded profile: expired ones (control), or ones that name keys nobody knows."""
    path = installation.folder / f"{name}.bodies"
    partner = installation.partner
    made = (
        partner.of_unknown_kid(person % PEOPLE) if name == "flood" else partner.expired(person % PEOPLE)
        for person in range(FORGED)
    )
    count = tokens.write_lines(path, (attest_body(token, FLOODED) for token in made))
    return Requests(path=ATTEST, bodies=str(path), authorization=installation.authorization, count=count)


def _tell(number: int, waits: Waits, rate: float, name: str = "") -> None:
    print(
        f"  {name or waits.name:14} round {number + 1}  {waits.rate:8.0f} of {rate:.0f}/s  "
        f"p50 {waits.p50_ms:5.1f} ms  p99 {waits.p99_ms:6.1f} ms  late {waits.late_p99_ms:.1f} ms  "
        f"{waits.errors} errors, {waits.unanswered} unanswered",
        flush=True,
    )


def _good(taken: list[Waits]) -> list[Waits]:
    return [waits for waits in taken if not waits.errors and not waits.unanswered]


def _p99(taken: list[Waits]) -> float | None:
    return median([waits.p99_ms for waits in _good(taken)], len(taken))


def _p50(taken: list[Waits]) -> float | None:
    return median([waits.p50_ms for waits in _good(taken)], len(taken))


def _late(taken: list[Waits]) -> str:
    rate, late = median([waits.rate for waits in taken], len(taken)), median([w.late_p99_ms for w in taken], len(taken))
    return f"at {rate or 0:,.0f}/s; {late or 0:.1f} ms of it may be the load's own lateness"
