"""The command `mpcfl`. Each command imports what it needs when it runs, so that `mpcfl check` works where little does.

Exit codes: see `mpcfl.errors`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from mpcfl.errors import MpcflError
from mpcfl.version import VERSION

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. Expected errors become one message on standard error."""
    options = _parser().parse_args(argv)
    return guarded(lambda: int(options.run(options)))


def guarded(command: Callable[[], int]) -> int:
    """`command()`, with expected errors printed on standard error and turned into exit codes."""
    try:
        return command()
    except MpcflError as error:
        print(f"mpcfl: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("mpcfl: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def party_main(job_path: str, record_path: str, device: str | None = None) -> int:
    """One party of `mpcfl simulate`."""
    from mpcfl.cli.train import party_process

    return guarded(lambda: party_process(job_path, record_path, device))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mpcfl", description="One linear model from data that none may show.")
    parser.add_argument("--version", action="version", version=f"mpcfl {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("demo", help="train on the diabetes table, split over three organisations")
    command.add_argument("--out", metavar="DIR", default="mpcfl-demo", help="folder for data, job and run (mpcfl-demo)")
    command.set_defaults(run=_demo)

    command = commands.add_parser("simulate", help="run every party of a job as a process on this machine")
    command.add_argument("job", metavar="JOB.toml")
    command.add_argument("--out", metavar="DIR", help="write model, card, ledger and report here")
    command.add_argument("--device", metavar="DEVICE", help="cpu, cuda, cuda:N or auto: before what the job says")
    command.set_defaults(run=_simulate)

    command = commands.add_parser("train", help="run one party of a job (under torchrun, or with --party)")
    command.add_argument("job", metavar="JOB.toml")
    command.add_argument("--out", metavar="DIR", help="write model, card, ledger and report here")
    command.add_argument("--party", metavar="NAME", help="this process's party; without torchrun it sets the rank")
    command.add_argument("--device", metavar="DEVICE", help="cpu, cuda, cuda:N or auto: before what the job says")
    command.set_defaults(run=_train)

    command = commands.add_parser("plan", help="print rounds, bytes and headroom of a job before anything runs")
    command.add_argument("job", metavar="JOB.toml")
    command.add_argument("--rows", type=int, help="rows of the joint table, where the data are not here")
    command.add_argument("--columns", type=int, help="features of the joint table, where the data are not here")
    command.set_defaults(run=_plan)

    command = commands.add_parser("predict", help="apply a revealed model to a table")
    command.add_argument("model", metavar="RUN", help="folder of a run, or its model.safetensors")
    command.add_argument("table", metavar="TABLE", help="CSV, Parquet or numpy file")
    command.add_argument("--out", metavar="FILE", help="write predictions here instead of standard output")
    command.set_defaults(run=_predict)

    command = commands.add_parser("check", help="say what is wrong with this environment and what to type")
    command.set_defaults(run=_check)
    return parser


def _demo(options: argparse.Namespace) -> int:
    from mpcfl.cli.demo import write_demo
    from mpcfl.report.output import check_folder

    folder = Path(options.out)
    number = next(i for i in range(1, 10_000) if not (folder / f"run-{i}").exists())
    run = folder / f"run-{number}"
    check_folder(run)
    job = write_demo(folder)
    print(f"442 patients split over north, south and east: {folder}/*.csv, {job}\n")
    return _simulated(job, run)


def _simulate(options: argparse.Namespace) -> int:
    from mpcfl.report.output import check_folder

    if options.out is not None:
        check_folder(options.out)
    return _simulated(options.job, options.out, options.device)


def _simulated(job: str | Path, out: str | Path | None, device: str | None = None) -> int:
    from mpcfl.cli.simulate import simulate
    from mpcfl.cli.train import require_device
    from mpcfl.report.output import write_run
    from mpcfl.report.terminal import summary

    if device is not None:
        require_device(device)
    record = simulate(job, device)
    files = write_run(out, record) if out is not None else []
    print(summary(record, files), end="")
    return 0


def _train(options: argparse.Namespace) -> int:
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # before torch: it warns of a lost store by a page of C++
    from mpcfl.cli.train import train_command

    return train_command(options.job, out=options.out, party=options.party, device=options.device)


def _plan(options: argparse.Namespace) -> int:
    from mpcfl.cli.assembly import local_facts
    from mpcfl.cli.job import Job
    from mpcfl.cli.plan import facts_from_counts, plan_command
    from mpcfl.errors import DataError, JobError

    job = Job.load(options.job)
    if (options.rows is None) != (options.columns is None):
        raise JobError("--rows and --columns go together")
    if options.rows is None:
        for party in job.parties:
            if party.data is not None and not job.resolve(party.data).exists():
                raise DataError(
                    f"{job.resolve(party.data)}: the table of {party.name} is not here",
                    hint="say how large the joint table is: --rows ROWS --columns FEATURES",
                )
    facts = local_facts(job) if options.rows is None else facts_from_counts(job, options.rows, options.columns)
    print(plan_command(job, facts))
    return 0


def _predict(options: argparse.Namespace) -> int:
    from mpcfl.cli.predict import predict_command

    return predict_command(options.model, options.table, options.out)


def _check(_: argparse.Namespace) -> int:
    from mpcfl.cli.check import check

    return check()
