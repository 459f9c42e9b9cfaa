"""From a job to what the lower floors take: roster, settings, tables, credentials."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping

from mpcfl.cli.job import Job
from mpcfl.data.facts import Facts, facts_of
from mpcfl.data.names import did_you_mean
from mpcfl.data.reading import open_table
from mpcfl.data.source import Source
from mpcfl.errors import DataError, JobError
from mpcfl.models.families import mixture_of, objective_of
from mpcfl.models.settings import Settings, Solver
from mpcfl.solvers.admm import Admm
from mpcfl.solvers.doubling import Doubling
from mpcfl.solvers.fixed_hessian import FixedHessian
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.newton import Newton
from mpcfl.world.party import Party, Roster
from mpcfl.world.tls import Credentials


def roster_of(job: Job) -> Roster:
    """The parties of a job in the order of their ranks."""
    parties = [Party.of(party.name, party.roles) for party in job.parties]
    return Roster(parties, insecure_simulation=job.insecure_simulation, gpus=job.gpus)


def settings_of(job: Job) -> Settings:
    """Model, solver and outputs of a job."""
    fields = dataclasses.asdict(job.solver)
    solver: Solver = {
        "doubling": Doubling,
        "gradient": Gradient,
        "fixed_hessian": FixedHessian,
        "newton": Newton,
        "admm": Admm,
    }[job.solver.name](**fields)
    return Settings(
        model=job.model.name,
        fit_intercept=job.model.fit_intercept,
        alpha=job.model.alpha if job.model.name == "ridge" else 0.0,
        objective=objective_of(job.model.name, job.model.parameters),
        penalty=mixture_of(job.model.name, job.model.parameters),
        selection=job.select.selection(job.model.name, job.model.parameters),
        solver=solver,
        metrics=job.evaluate.metrics,
        standard_errors=job.model.standard_errors,
        to=job.reveal.to or None,
    )


def table_of(job: Job, name: str) -> Source | None:
    """The table of party `name`, None if it has none; DataError if it cannot be read, or lacks a column that [data]
    imputes (in a vertical partition another party may have it)."""
    party = job.party(name)
    if party.data is None:
        return None
    table = open_table(job.resolve(party.data), impute=job.data.impute, target=job.target)
    if job.partition == "horizontal" and isinstance(job.data.impute, Mapping):
        for column in job.data.impute:
            if column not in table.columns:
                raise DataError(
                    f"[data] impute: {table.name} has no column {column!r}", hint=did_you_mean(column, table.columns)
                )
    return table


def local_facts(job: Job) -> Facts:
    """Facts of a job whose tables are all on this machine; DataError if one cannot be read."""
    schemas = {name: table.schema.with_target(job.target) for name, table in local_tables(job).items()}
    return facts_of(
        roster_of(job),
        job.partition,
        schemas,
        job.target,
        test_fraction=job.evaluate.test_fraction,
        seed=job.seed,
        aside=job.model.aside,
    )


def local_tables(job: Job) -> dict[str, Source]:
    """The tables of all data owners, by party, in the order of the job."""
    tables = {party.name: table_of(job, party.name) for party in job.parties}
    return {name: table for name, table in tables.items() if table is not None}


def credentials_of(job: Job, name: str) -> tuple[Credentials | None, dict[int, str]]:
    """This party's TLS credentials (None: ephemeral) and the fingerprints that the job pins, by rank."""
    if not job.network.encrypt:
        return None, {}
    pins = {}
    for rank, other in enumerate(roster_of(job).names):
        certificate = job.party(other).certificate
        if certificate is not None:
            pins[rank] = Credentials.fingerprint_of(job.resolve(certificate))
    own = job.party(name)
    if own.certificate is None:
        return None, pins
    if own.key is None:
        raise JobError(
            f"[parties.{name}] has a certificate but no key", hint='add key = "PATH", read by this party only'
        )
    return Credentials.load(job.resolve(own.certificate), job.resolve(own.key)), pins


def writes_output(to: list[str], names: tuple[str, ...]) -> bool:
    """Whether this process writes the run's folder: of the receivers on this machine the one with the lowest rank."""
    rank = int(os.environ.get("RANK", "0"))
    first = rank - int(os.environ.get("LOCAL_RANK", "0"))
    here = range(first, first + int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    receivers = [r for r in here if r < len(names) and names[r] in to]
    return bool(receivers) and receivers[0] == rank
