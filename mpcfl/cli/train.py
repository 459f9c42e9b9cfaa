"""`mpcfl train`: this process's part of a run. Start one process a party: torchrun, or a process in each place.

torchrun --standalone --nproc-per-node 3 -m mpcfl train job.toml --out run
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mpcfl.cli.assembly import credentials_of, roster_of, settings_of, table_of, writes_output
from mpcfl.cli.collect import collect
from mpcfl.cli.job import Job
from mpcfl.cli.keeping import keeper_of
from mpcfl.cli.progress import Progress
from mpcfl.data.facts import Facts, agree_on_facts
from mpcfl.errors import AgreementError, JobError
from mpcfl.models.settings import Settings
from mpcfl.models.training import train
from mpcfl.report.output import check_folder, write_run
from mpcfl.report.record import RunRecord
from mpcfl.report.terminal import summary
from mpcfl.report.units import listed
from mpcfl.sharing.keeper import Keeper
from mpcfl.sharing.reveal import default_receivers
from mpcfl.version import VERSION
from mpcfl.world.device import WORDS as DEVICES
from mpcfl.world.join import join
from mpcfl.world.session import Session

log = logging.getLogger(__name__)
Deliver = Callable[[RunRecord], None]


def train_command(job_path: str, *, out: str | None, party: str | None, device: str | None = None) -> int:
    """Run one party; 0 if all went well. Errors are raised, and the other parties told that this one stopped."""
    if device is not None:
        require_device(device)
    logging.basicConfig(format="mpcfl: %(message)s")
    logging.getLogger("mpcfl").setLevel(logging.INFO)

    def deliver(record: RunRecord) -> None:
        files = write_run(out, record) if out is not None else []
        print(summary(record, files), end="")

    run_party(Job.load(job_path), deliver, party=party, out=out, device=device)
    return 0


def require_device(device: str) -> None:
    """JobError where --device is no device."""
    if not re.fullmatch(DEVICES, device):
        raise JobError(f"--device {device}: no such device", hint="cpu, cuda, cuda:N or auto")


def run_party(
    job: Job, deliver: Deliver, *, party: str | None = None, out: str | None = None, device: str | None = None
) -> None:
    """Run one party; `deliver` gets the record if this process is the one that writes on this machine. `party`: its
    name; its rank is the place of the party in `Job.ranks`. `device`: where it works, whatever the job says."""
    roster, settings = roster_of(job), settings_of(job)
    rank = _rank(job, party)
    credentials, pins = credentials_of(job, roster.names[rank])
    with join(
        roster,
        digest=job.digest(VERSION).encode(),
        timeout=job.timeout,
        encrypt=job.network.encrypt,
        credentials=credentials,
        pins=pins,
        device=device or job.device_of(roster.names[rank]),
        openings=job.network.openings,
    ) as session:
        receivers = list(settings.to or default_receivers(session))
        writes = writes_output(receivers, roster.names)
        if writes and out is not None:
            check_folder(out)
        progress = None
        if session.rank == 0:
            progress = Progress(cost=lambda: session.meter.total("online"), news=lambda: session.news)
        session.on_step = progress
        with session.phase("local"):
            table = table_of(job, session.name)
            schema = table.schema if table is not None else None
        facts = agree_on_facts(
            session,
            job.partition,
            schema,
            job.target,
            test_fraction=job.evaluate.test_fraction,
            seed=job.seed,
            aside=job.model.aside,
        )
        with keeper_of(session, job) as keeper:
            outcome = train(session, facts, settings, table, keeper)
            if progress is not None:
                progress.close()
            _check_plan(session, facts, settings, keeper.planned())
            record = collect(session, job, facts, outcome, resumed_after=keeper.start)
            failure = _attempt(deliver, record) if writes else None
            keeper.settle(done=failure is None)
    if failure is not None:
        raise failure
    if session.name not in receivers:
        log.info("done: the result is for %s", listed(receivers))


def _attempt(deliver: Deliver, record: RunRecord) -> Exception | None:
    """What went wrong: the other parties have their results, and are told nothing of it."""
    try:
        deliver(record)
    except Exception as error:
        return error
    return None


def _rank(job: Job, party: str | None) -> int:
    """This process's rank: what torchrun set, or else the place of `party` in the job."""
    names = job.ranks
    if party is not None and party not in names:
        raise JobError(f"--party {party}: no such party in the job", hint=f"the parties are {', '.join(names)}")
    if "RANK" not in os.environ and party is not None:
        os.environ["RANK"], os.environ["WORLD_SIZE"] = str(names.index(party)), str(len(names))
    rank = int(os.environ.get("RANK", "0"))
    if rank >= len(names):
        raise JobError(f"rank {rank} has no party: the job has {len(names)}", hint="start one process a party")
    if party is not None and names[rank] != party:
        raise JobError(f"this process has rank {rank}, which is {names[rank]}, not {party}", hint="see mpcfl plan")
    return rank


def _check_plan(session: Session, facts: Facts, settings: Settings, keeper: Keeper) -> None:
    """What was sent must be what the plan says, to the byte; `keeper` says where a run that resumed began."""
    dry = Session.dry(session.roster, session.rank, script=session.decisions)
    train(dry, facts, settings, None, keeper)
    for phase in ("offline", "online"):
        if dry.meter.exact().get(phase) != session.meter.exact().get(phase):
            raise AgreementError(f"the {phase} phase did not cost what the plan says", hint="please report this run")


def dump(record: RunRecord, path: str) -> None:
    """Hand a record to the process that started this one (`mpcfl simulate`)."""
    fields: dict[str, Any] = {
        "party": record.party,
        "version": record.version,
        "job": record.job,
        "features": list(record.features),
        "target": record.target,
        "coef": record.coef.tolist(),
        "intercept": np.asarray(record.intercept).tolist(),
        "ledger": record.ledger,
        "report": record.report,
    }
    Path(path).write_text(json.dumps(fields))


def party_process(job_path: str, record_path: str, device: str | None = None) -> int:
    """What `mpcfl simulate` starts for each party."""
    run_party(Job.load(job_path), lambda record: dump(record, record_path), device=device)
    sys.stdout.flush()
    return 0
