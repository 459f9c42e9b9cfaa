"""What a good job file says, and its digest."""

import re
from pathlib import Path
from typing import Any

import pytest

from mpcfl.cli.job import Job
from mpcfl.cli.job_sections import Party
from mpcfl.cli.solver_sections import Doubling, Gradient
from tests.cli.jobs import GRADIENT, TABLES, TOML, parties, tables, write


def test_the_job_of_the_readme_is_read_with_its_defaults(tmp_path: Path) -> None:
    job = Job.load(write(tmp_path, TOML))
    assert (job.name, job.partition, job.target) == ("diabetes", "horizontal", "y")
    assert (job.timeout, job.insecure_simulation, job.seed, job.device) == (60.0, False, 0, "cpu")
    assert (job.model.name, job.model.fit_intercept, job.model.standard_errors) == ("linear", True, False)
    assert job.solver == Doubling(steps=65536, refinements=0)
    assert (job.data.impute, job.evaluate.test_fraction, job.evaluate.metrics) == (None, 0.0, ())
    assert job.network.encrypt
    assert job.reveal.to == ("north", "south", "east")
    assert job.party("east") == Party(name="east", roles=("data", "dealer"), data="east.csv")
    assert job.resolve("east.csv") == tmp_path / "east.csv"


def test_every_setting_can_be_set() -> None:
    job = Job.from_dict(
        tables(
            job__model="ridge", job__partition="vertical", job__timeout=5, job__seed=7, job__device="cuda:1",
            model__alpha=0, model__fit_intercept=False,
            solver=GRADIENT | {"iterations": 10, "batch": 5, "momentum": 0.9, "init": "random"},
            data__impute={"age": 40}, evaluate={"test_fraction": 0.2, "metrics": ["mse", "r2"]},
            reveal__to=["north"], network__encrypt=False,
            parties__north__certificate="n.pem", parties__north__key="n.key", parties__north__device="auto",
        )
    )  # fmt: skip
    assert (job.partition, job.timeout, job.seed, job.device) == ("vertical", 5.0, 7, "cuda:1")
    assert (job.model.name, job.model.alpha, job.model.fit_intercept) == ("ridge", 0.0, False)
    assert job.solver == Gradient(learning_rate=0.1, iterations=10, batch=5, momentum=0.9, init="random")
    assert job.data.impute == {"age": 40.0}
    assert (job.evaluate.test_fraction, job.evaluate.metrics) == (0.2, ("mse", "r2"))
    assert job.reveal.to == ("north",) and not job.network.encrypt
    assert (job.party("north").certificate, job.party("north").key) == ("n.pem", "n.key")
    assert (job.device_of("north"), job.device_of("south")) == ("auto", "cuda:1")
    assert Job.from_dict(job.to_dict()) == job


def test_a_job_written_out_and_read_back_is_the_same_job() -> None:
    job = Job.from_dict(TABLES)
    assert Job.from_dict(job.to_dict()) == job
    assert job.to_dict()["parties"] == TABLES["parties"]


ROLES = {
    "three organisations": ({"a": "data compute", "b": "data compute", "c": "data dealer"}, "a b c", "c"),
    "the dealer first in the file": ({"c": "data dealer", "a": "data compute", "b": "data compute"}, "a b c", "c"),
    "a helper": ({"a": "data compute", "h": "dealer", "b": "data compute", "c": "data compute"}, "a b c h", "h"),
    "many owners": ({"m": "data", "n": "data", "a": "compute", "h": "dealer", "b": "compute"}, "a b h m n", "h"),
}


@pytest.mark.parametrize("roles, ranks, dealer", ROLES.values(), ids=ROLES.keys())
def test_ranks_are_compute_parties_then_dealer_then_owners(roles: dict[str, str], ranks: str, dealer: str) -> None:
    job = Job.from_dict(tables(parties=parties(roles)))
    assert job.ranks == tuple(ranks.split())
    assert job.dealer == dealer
    assert job.compute_parties == tuple(name for name in ranks.split() if "compute" in roles[name])
    assert job.data_parties == tuple(name for name, words in roles.items() if "data" in words)


def test_the_default_reveal_leaves_a_pure_helper_out() -> None:
    job = Job.from_dict(tables(parties=parties({"a": "data compute", "b": "compute", "h": "dealer"})))
    assert job.reveal.to == ("a", "b")


def test_an_insecure_simulation_lets_a_compute_party_deal() -> None:
    two = parties({"a": "data compute", "b": "data compute"})
    job = Job.from_dict(tables(job__insecure_simulation=True, parties=two))
    assert (job.dealer, job.ranks) == ("a", ("a", "b"))
    two["b"]["roles"].append("dealer")
    job = Job.from_dict(tables(job__insecure_simulation=True, parties=two))
    assert (job.dealer, job.ranks) == ("b", ("a", "b"))


def test_the_digest_is_that_of_meaning_not_of_spelling(tmp_path: Path) -> None:
    plain = Job.load(write(tmp_path, TOML)).digest("0.1.0")
    assert re.fullmatch("[0-9a-f]{64}", plain)
    assert Job.from_dict(TABLES, "/elsewhere").digest("0.1.0") == plain
    spelled = tables(
        job__timeout=60, solver={"name": "doubling", "steps": 65536}, reveal__to=["north", "south", "east"]
    )
    assert Job.from_dict(spelled).digest("0.1.0") == plain


@pytest.mark.parametrize("key", ["data", "certificate", "key"])
def test_the_digest_leaves_local_paths_out(key: str) -> None:
    with_tls = {"parties__north__certificate": "n.pem", "parties__north__key": "n.key"}
    moved = Job.from_dict(tables(**with_tls | {f"parties__north__{key}": "/elsewhere/file"}))
    assert moved.digest("1") == Job.from_dict(TABLES).digest("1")


@pytest.mark.parametrize(
    "change",
    [
        {"job__name": "other"}, {"job__model": "ridge"}, {"job__target": "z"}, {"job__partition": "vertical"},
        {"job__timeout": 61}, {"job__seed": 1}, {"job__insecure_simulation": True}, {"model__fit_intercept": False},
        {"model__standard_errors": True}, {"solver__steps": 4}, {"solver__refinements": 1}, {"solver": GRADIENT},
        {"data__impute": "mean"}, {"data__impute": {"age": 1}}, {"evaluate__test_fraction": 0.1},
        {"reveal__to": ["north"]}, {"network__encrypt": False}, {"checkpoint__resume": False},
        {"checkpoint__resume": "require"}, {"checkpoint": {"every": 5}, "solver": GRADIENT},
        {"parties__west": {"roles": ["compute"]}}, {"parties__east": {"roles": ["dealer"]}},
        {"parties": dict(reversed(TABLES["parties"].items()))},
    ],
    ids=str,
)  # fmt: skip
def test_the_digest_changes_with_everything_that_parties_must_agree_on(change: dict[str, Any]) -> None:
    assert Job.from_dict(tables(**change)).digest("1") != Job.from_dict(TABLES).digest("1")


def test_all_must_open_the_same_way_and_a_checkpoint_does_not_mind() -> None:
    gpus = tables(job__device="cuda", parties__east__device="cpu")  # the dealer opens nothing
    by_tls, by_nccl = Job.from_dict(gpus), Job.from_dict(gpus | {"network": {"openings": "nccl"}})
    assert by_tls.digest("1") != by_nccl.digest("1") and by_tls.task("1") == by_nccl.task("1")
    assert (by_tls.network.openings, by_nccl.network.openings) == ("tls", "nccl")


def test_each_party_may_work_on_another_device() -> None:
    """Also when it goes on from a checkpoint. That [job] names none but the CPU is for all to agree on."""
    plain, gpus = Job.from_dict(TABLES), Job.from_dict(tables(job__device="auto"))
    assert Job.from_dict(tables(parties__north__device="cuda:1")).digest("1") == plain.digest("1")
    assert Job.from_dict(tables(job__device="cuda:1", parties__north__device="cpu")).digest("1") == gpus.digest("1")
    assert gpus.digest("1") != plain.digest("1") and gpus.task("1") == plain.task("1")
    assert [job.gpus for job in (plain, gpus)] == [False, True]


@pytest.mark.parametrize("key", ["folder", "keys"])
def test_where_checkpoints_are_is_each_partys_own_business(key: str) -> None:
    moved = Job.from_dict(tables(**{f"checkpoint__{key}": "/elsewhere"}))
    assert moved.digest("1") == Job.from_dict(TABLES).digest("1")


def test_a_checkpoint_is_of_the_task_not_of_the_way_it_is_run() -> None:
    """What may be another when a run is started again, and what may not."""
    task = Job.from_dict(TABLES).task("1")
    assert re.fullmatch("[0-9a-f]{64}", task) and task != Job.from_dict(TABLES).digest("1")
    for change in ({"job__timeout": 61}, {"network__encrypt": False}, {"checkpoint__resume": "require"}):
        assert Job.from_dict(tables(**change)).task("1") == task
    for change in ({"job__seed": 1}, {"solver__steps": 4}, {"data__impute": "mean"}, {"reveal__to": ["north"]}):
        assert Job.from_dict(tables(**change)).task("1") != task
    assert Job.from_dict(TABLES).task("2") != task


def test_the_digest_changes_with_the_version() -> None:
    assert Job.from_dict(TABLES).digest("1") != Job.from_dict(TABLES).digest("2")
