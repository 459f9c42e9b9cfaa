"""`mpcfl plan`: what a job will cost, exactly, before anything runs: every party's program is run without data."""

from __future__ import annotations

from dataclasses import dataclass, field

from mpcfl.cli.assembly import roster_of, settings_of
from mpcfl.cli.job import Job
from mpcfl.data.facts import Facts
from mpcfl.errors import JobError
from mpcfl.models.memory import gigabytes, memory_of
from mpcfl.models.settings import Settings
from mpcfl.models.training import train
from mpcfl.version import VERSION
from mpcfl.world.meter import Meter
from mpcfl.world.party import Roster
from mpcfl.world.session import Session


@dataclass(frozen=True)
class Plan:
    """Meters by party name in the order of the ranks, the bits of headroom at the tightest place, and the memory in
    bytes that compute parties and dealer need where they work on a GPU, estimated."""

    meters: dict[str, Meter]
    headroom: float
    memory: dict[str, int] = field(default_factory=dict)


def plan_of(roster: Roster, facts: Facts, settings: Settings) -> Plan:
    """Dry runs of all parties. HeadroomError where a value might leave the ring."""
    meters, headroom, memory = {}, float("inf"), {}
    for rank, name in enumerate(roster.names):
        session = Session.dry(roster, rank)
        train(session, facts, settings, None)
        meters[name], headroom = session.meter, min(headroom, session.headroom)
        if session.is_compute or session.is_dealer:
            memory[name] = memory_of(session)
    return Plan(meters, headroom, memory)


def facts_from_counts(job: Job, rows: int, columns: int) -> Facts:
    """Facts for a plan without data: `rows` of the joint table and `columns` features, spread over the owners."""
    roster = roster_of(job)
    if rows < len(roster.owners) or columns < 1:
        raise JobError("--rows and --columns must give every data owner a row and the model a feature")
    names = tuple(f"x{i}" for i in range(columns))
    owners = roster.owners
    vertical = job.partition == "vertical"
    holders = [*(owners[i * len(owners) // columns] for i in range(columns)), owners[0]] if vertical else []
    shares = [rows * (i + 1) // len(owners) - rows * i // len(owners) for i in range(len(owners))]
    return Facts(
        partition=job.partition,
        features=names,
        target=job.target,
        rows=dict.fromkeys(owners, rows) if vertical else dict(zip(owners, shares, strict=True)),
        holders=tuple(holders),
        test_fraction=job.evaluate.test_fraction,
        seed=job.seed,
        aside=job.model.aside,
    )


def describe(job: Job, facts: Facts, plan: Plan) -> str:
    """The table that `mpcfl plan` prints."""
    roster = roster_of(job)
    first = next(iter(plan.meters.values()))
    classes = f" of {job.model.classes} classes" if job.model.name == "logistic" else ""
    lines = [
        f"job {job.name}: {job.model.name}{classes}, {facts.partition} partition, {facts.total_rows} rows, "
        f"{len(facts.features)} features, target {facts.target}",
        f"solver {job.solver.name}; {len(roster.compute)} compute parties; dealer {roster.names[roster.dealer]}",
        f"online rounds {first.total('online').rounds}; all values fit the ring, {plan.headroom:.1f} bits to spare",
        "",
        f"{'rank':>4}  {'party':<16} {'roles':<22} {'online bytes':>14} {'messages':>9} {'offline bytes':>14}",
    ]
    for rank, (name, meter) in enumerate(plan.meters.items()):
        online, offline = meter.total("online"), meter.total("offline")
        roles = ", ".join(sorted(roster.parties[rank].roles))
        lines.append(f"{rank:>4}  {name:<16} {roles:<22} {online.bytes:>14,} {online.messages:>9} {offline.bytes:>14,}")
    lines += ["", f"{'protocol':<20} {'rounds':>7} {'bytes sent by ' + roster.names[0]:>30}"]
    for protocol, cost in first.exact().get("online", {}).items():
        lines.append(f"{protocol:<20} {cost['rounds']:>7} {cost['bytes']:>30,}")
    on_gpus = [f"{name} {gigabytes(size)}" for name, size in plan.memory.items() if job.device_of(name) != "cpu"]
    if on_gpus:
        lines += ["", f"memory of a GPU, estimated: {', '.join(on_gpus)}"]
    lines += [
        "",
        "Bytes are payload; each message adds 16 bytes of header, and TLS its own. Set-up is not in the plan.",
        f"Digest of what all parties must have alike: {job.digest(VERSION)[:16]}",
    ]
    return "\n".join(lines)


def plan_command(job: Job, facts: Facts) -> str:
    """What `mpcfl plan` prints for a job."""
    return describe(job, facts, plan_of(roster_of(job), facts, settings_of(job)))
