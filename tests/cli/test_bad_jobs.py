"""Every bad job file is refused with the names of section and key, and the nearest right word."""

from pathlib import Path
from typing import Any

import pytest

from mpcfl.cli.job import Job
from mpcfl.errors import JobError
from tests.cli.jobs import GRADIENT, TABLES, TOML, parties, refusal, write


@pytest.mark.parametrize(
    "change, words",
    [
        ({"sovler": {}}, ["job file", "'sovler'", "did you mean 'solver'?"]),
        ({"job__targte": "y"}, ["[job]", "'targte'", "did you mean 'target'?"]),
        ({"model__fit_intercpt": True}, ["[model]", "'fit_intercpt'", "did you mean 'fit_intercept'?"]),
        ({"model__name": "ridge"}, ["[model]", "'name'"]),
        ({"solver__stpes": 2}, ["[solver]", "'stpes'", "did you mean 'steps'?"]),
        ({"solver": {"nmae": "doubling"}}, ["[solver]", "'nmae'", "did you mean 'name'?"]),
        ({"data__imput": "mean"}, ["[data]", "did you mean 'impute'?"]),
        ({"evaluate__metric": []}, ["[evaluate]", "did you mean 'metrics'?"]),
        ({"reveal__too": []}, ["[reveal]", "'too'"]),
        ({"network__encript": True}, ["[network]", "did you mean 'encrypt'?"]),
        ({"parties__north__role": []}, ["[parties.north]", "did you mean 'roles'?"]),
        ({"job__xyz": 1}, ["[job]", "'xyz'", "known: name, target"]),
    ],
)  # fmt: skip
def test_an_unknown_key_is_refused_with_its_section_and_the_nearest(change: dict[str, Any], words: list[str]) -> None:
    message = refusal(**change)
    assert all(word in message for word in ["unknown key", *words])


@pytest.mark.parametrize(
    "change, words",
    [
        ({"job__alpha": 1.0}, "[job] alpha belongs under [model]"),
        ({"model__learning_rate": 0.1}, "[model] learning_rate belongs under [solver]"),
        ({"job__metrics": ["r2"]}, "[job] metrics belongs under [evaluate]"),
        ({"model": "linear"}, "model, which stands in no section, belongs under [job]"),
        ({"target": "y"}, "target, which stands in no section, belongs under [job]"),
        ({"west": {"roles": ["compute"]}}, "a party is [parties.west]"),
    ],
)
def test_a_key_in_the_wrong_section_is_sent_to_its_own(change: dict[str, Any], words: str) -> None:
    assert words in refusal(**change)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"job": None}, "[job] is missing"),
        ({"parties": None}, "[parties] is missing"),
        ({"job__name": None}, "[job] lacks name"),
        ({"job__model": None}, "[job] lacks model"),
        ({"job__target": None}, "[job] lacks target"),
        ({"parties__north__roles": None}, "[parties.north] lacks roles"),
        ({"solver__name": "gradient"}, "[solver] lacks learning_rate"),
    ],
)
def test_what_is_missing_is_named(change: dict[str, Any], words: str) -> None:
    assert words in refusal(**change)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"job__name": 3}, "[job] name must be a text in quotes, not a whole number"),
        ({"job__timeout": "60"}, "[job] timeout must be a number, not a text in quotes"),
        ({"job__timeout": True}, "[job] timeout must be a number, not true or false"),
        ({"job__timeout": float("inf")}, "[job] timeout must be a finite number"),
        ({"job__seed": 1.0}, "[job] seed must be a whole number, not a number"),
        ({"job__seed": True}, "[job] seed must be a whole number"),
        ({"job__insecure_simulation": "yes"}, "[job] insecure_simulation must be true or false"),
        ({"model__fit_intercept": 1}, "[model] fit_intercept must be true or false, not a whole number"),
        ({"job__model": "logistic", "model__classes": 3.0}, "[model] classes must be a whole number, not a number"),
        ({"solver__name": 1}, "[solver] name must be a text"),
        ({"data__impute": 0}, "[data] impute must be a text in quotes or a table of numbers"),
        ({"data__impute": {"age": "x"}}, "[data] impute.age must be a number"),
        ({"evaluate__metrics": "r2"}, "[evaluate] metrics must be a list of texts"),
        ({"evaluate__metrics": [2]}, "[evaluate] metrics must be a text in quotes, not a whole number"),
        ({"parties__north__roles": "data"}, "[parties.north] roles must be a list of texts"),
        ({"parties__north__data": ["a.csv"]}, "[parties.north] data must be a text in quotes, not a list"),
        ({"parties__north": "north.csv"}, "[parties.north] must be a section"),
        ({"job": 3}, "[job] must be a section"),
        ({"model": 3}, "[model] must be a section"),
        ({"parties": []}, "[parties] must be a section"),
        ({"solver": "doubling"}, "[solver] must be a section"),
    ],
)
def test_a_wrong_type_is_refused_by_name(change: dict[str, Any], words: str) -> None:
    assert words in refusal(**change)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"job__name": " "}, "[job] name must not be empty"),
        ({"job__target": ""}, "[job] target must not be empty"),
        ({"job__model": "linaer"}, "did you mean 'linear'?"),
        ({"job__model": "tweedie"}, "[job] model: 'tweedie' is not known"),
        ({"job__partition": "diagonal"}, "[job] partition: 'diagonal' is not known"),
        ({"job__timeout": 0}, "[job] timeout must be more than 0"),
        ({"job__seed": -1}, "[job] seed must be at least 0"),
        ({"job__device": "gpu"}, '[job] device must be "cpu", "cuda", "cuda:N" or "auto"'),
        ({"parties__north__device": "cuda:x"}, "[parties.north] device must be"),
        ({"model__alpha": 1.0}, "[model] alpha belongs to model 'ridge'"),
        ({"job__model": "ridge", "model__alpha": -1}, "[model] alpha must be at least 0"),
        ({"job__model": "ridge", "model__standard_errors": True}, "[model] standard_errors is for model 'linear'"),
        ({"model__classes": 3}, "[model] classes belongs to model 'logistic'"),
        ({"job__model": "logistic", "model__classes": 1}, "[model] classes must be from 2 to 1000"),
        ({"model__standard_errors": True, "solver": GRADIENT}, "[model] standard_errors needs"),
        ({"solver__name": "dobling"}, "did you mean 'doubling'?"),
        ({"solver__steps": 3}, "[solver] steps must be a power of two"),
        ({"solver": GRADIENT, "checkpoint__every": -1}, "[checkpoint] every must be at least 0"),
        ({"checkpoint__every": 5}, "[checkpoint] every: solver 'doubling' keeps no checkpoints"),
        ({"checkpoint__resume": "requires"}, "did you mean 'require'?"),
        ({"checkpoint__folder": ""}, "[checkpoint] folder must not be empty"),
        ({"checkpoint__keys": ""}, "[checkpoint] keys must not be empty"),
        ({"solver__steps": 1}, "[solver] steps must be a power of two"),
        ({"solver__steps": 0}, "[solver] steps must be a power of two"),
        ({"solver__steps": 2**21}, "[solver] steps must be a power of two"),
        ({"solver__refinements": 4}, "[solver] refinements must be 0 to 3"),
        (
            {"solver__iterations": 5},
            "[solver] iterations belongs to 'gradient' and 'fixed_hessian' and 'newton' and 'admm', not to 'doubling'",
        ),
        ({"solver": GRADIENT | {"steps": 4}}, "[solver] steps belongs to 'doubling' and 'admm', not to 'gradient'"),
        ({"job__model": "lasso", "solver__iterations": 0}, "[solver] iterations must be 1 to 65536"),
        ({"job__model": "lasso", "solver__refits": 17}, "[solver] refits must be 1 to 16"),
        ({"job__model": "lasso", "solver__steps": 1000}, "[solver] steps must be a power of two"),
        (
            {"job__model": "lasso", "model__l1_ratio": 0.5},
            "[model] l1_ratio belongs to model 'logistic' and 'elastic_net'",
        ),
        ({"job__model": "elastic_net", "model__l1_ratio": 1.5}, "[model] l1_ratio must be from 0 to 1"),
        ({"job__model": "lasso", "model__alpha": -1.0}, "[model] alpha must be at least 0"),
        ({"solver": GRADIENT | {"learning_rate": 0}}, "[solver] learning_rate must be more than 0"),
        ({"solver": GRADIENT | {"iterations": 0}}, "[solver] iterations must be"),
        ({"solver": GRADIENT | {"batch": -1}}, "[solver] batch must be at least 0"),
        ({"solver": GRADIENT | {"momentum": 1.0}}, "[solver] momentum must be"),
        ({"solver": GRADIENT | {"init": "ones"}}, "[solver] init: 'ones' is not known"),
        ({"data__impute": "median"}, "[data] impute: 'median' is not known"),
        ({"evaluate__test_fraction": 1.0}, "[evaluate] test_fraction must be"),
        ({"evaluate": {"test_fraction": 0.5, "metrics": ["r3"]}}, "[evaluate] metrics: 'r3' is not known"),
        ({"evaluate": {"test_fraction": 0.5, "metrics": ["r2", "r2"]}}, "[evaluate] metrics: 'r2' stands there twice"),
        ({"evaluate__metrics": ["r2"]}, "[evaluate] metrics are computed on held-out rows"),
        (
            {
                "job__model": "logistic",
                "model__classes": 3,
                "evaluate": {"test_fraction": 0.5, "metrics": ["log_loss"]},
            },
            "[evaluate] metrics: 'log_loss' is for two classes, not for 3",
        ),
        ({"network__openings": "ncl"}, "did you mean 'nccl'?"),
        (
            {"network__openings": "nccl"},
            '[network] openings = "nccl" goes from GPU to GPU, and north computes on the CPU',
        ),
        (
            {"network__openings": "nccl", "job__device": "cuda", "parties__south__device": "cpu"},
            "and south computes on the CPU",
        ),
        ({"reveal__to": ["nroth"]}, "did you mean 'north'?"),
        ({"reveal__to": []}, "[reveal] to must name a party"),
        ({"parties__north__data": "data\nnorth.csv"}, "[parties.north] data holds a tab or the like"),
        ({"reveal__to": ["north", "north"]}, "[reveal] to: 'north' stands there twice"),
        ({"parties__north__key": "n.key"}, "[parties.north] key needs a certificate"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(change: dict[str, Any], words: str) -> None:
    assert words in refusal(**change)


@pytest.mark.parametrize(
    "roles, words",
    [
        ({"a": "data compute dealer", "b": "data compute"}, "[parties.a]: the dealer must not compute"),
        ({"a": "data compute", "d": "dealer"}, "1 party computes, two are needed"),
        ({"a": "data", "d": "dealer"}, "no party computes"),
        ({"a": "data compute", "b": "compute", "d": "dealer", "e": "dealer"}, "d and e both deal"),
        ({"a": "data compute", "b": "data compute"}, "no party deals"),
        ({"a": "compute", "b": "compute", "d": "dealer"}, "no party has data"),
        ({"a": "data compute", "b": "compute", "d": ""}, "[parties.d] roles must name one role at least"),
        ({"a": "data compute", "b": "comptue", "d": "dealer"}, "did you mean 'compute'?"),
        (
            {"a": "data compute", "b": "compute compute", "d": "dealer"},
            "[parties.b] roles: 'compute' stands there twice",
        ),
        ({"a b": "data compute", "b": "compute", "d": "dealer"}, "party name 'a b' is not allowed"),
        ({"ä": "data compute", "b": "compute", "d": "dealer"}, "party name 'ä' is not allowed"),
        ({"a\n": "data compute", "b": "compute", "d": "dealer"}, "is not allowed"),
        ({"": "data compute", "b": "compute", "d": "dealer"}, "party name '' is not allowed"),
        ({}, "no party computes"),
    ],
)
def test_roles_that_cannot_be_are_refused_by_party(roles: dict[str, str], words: str) -> None:
    assert words in refusal(parties=parties(roles))


def test_the_refusal_of_a_missing_dealer_says_who_may_be_it() -> None:
    assert 'it may have "data"' in refusal(parties=parties({"a": "data compute", "b": "data compute"}))


def test_data_and_the_role_go_together() -> None:
    assert "[parties.north]: role 'data' needs a table" in refusal(parties__north__data=None)
    assert "[parties.north]: has data but not the role" in refusal(parties__north__roles=["compute"])


def test_two_parties_of_one_name_are_refused() -> None:
    job = Job.from_dict(TABLES)
    with pytest.raises(JobError, match="party 'north' appears twice"):
        Job(name="x", target="y", model=job.model, parties=(*job.parties, job.parties[0]))


def test_a_party_that_is_asked_for_and_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(JobError, match="'esat' is not known") as caught:
        Job.from_dict(TABLES).party("esat")
    assert "did you mean 'east'?" in str(caught.value)


@pytest.mark.parametrize(
    "text, words",
    [
        (TOML.replace("[parties.south]", "[parties.north]"), "party 'north' appears twice (line 14)"),
        (TOML.replace("[solver]", "[model]"), "a section or key stands there twice (line 9)"),
        (TOML.replace('target = "y"', 'target = "y"\ntarget = "z"'), "a section or key stands there twice (line 7)"),
        (TOML.replace('"diabetes"', "diabetes"), "is not valid TOML at line 3"),
        (TOML.replace("[model]", "[model"), "is not valid TOML at line 7"),
        (TOML.replace("= true", "= True"), "true and false small letters"),
        (TOML.replace("north.csv", r"C:\Users\north.csv"), "write / in paths"),
        (TOML.replace("fit_intercept", "fit_intercpt"), "did you mean 'fit_intercept'?"),
        ("", "section [job] is missing"),
        (b"name = '\xff'", "is not UTF-8 text"),
    ],
)
def test_a_bad_file_is_refused_by_path_and_place(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(JobError) as caught:
        Job.load(write(tmp_path, text))
    assert str(caught.value).startswith(f"{tmp_path / 'job.toml'}: ")
    assert words in str(caught.value)


def test_a_mark_that_windows_puts_first_is_passed_over(tmp_path: Path) -> None:
    assert Job.load(write(tmp_path, "\ufeff" + TOML)) == Job.load(write(tmp_path, TOML))


def test_a_path_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(JobError) as caught:
            Job.load(path)
        assert f"{path}: cannot be read: " in str(caught.value)


def test_a_file_that_ends_too_early_says_so(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="is not valid TOML at "):
        Job.load(write(tmp_path, 'name = """abc'))
