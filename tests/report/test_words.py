"""Who could read what, for every deployment; and a job that can be run again."""

import copy
import tomllib
from typing import Any

import pytest

from mpcfl.report import words
from tests.report.example import JOB, example


def job_with(parties: dict[str, list[str]], **sections: Any) -> dict[str, Any]:
    job = {**copy.deepcopy(JOB), **sections}
    return {**job, "parties": {name: {"roles": roles} for name, roles in parties.items()}}


def told(job: dict[str, Any]) -> str:
    return " ".join(words.threat_model(example(job=job, report={})))


def test_three_sentences() -> None:
    assert len(words.threat_model(example())) == 3


def test_two_that_compute_and_one_that_deals() -> None:
    text = told(JOB)
    assert "no party alone can read what another has shared" in text
    assert "north and south together could, and so could east together with any one of them" in text


def test_more_compute_parties_withstand_all_but_one() -> None:
    text = told(job_with({"a": ["compute", "data"], "b": ["compute"], "c": ["compute"], "d": ["dealer"]}))
    assert "nor can any 2 of the 3 compute parties together; a, b and c together could" in text


def test_without_a_dealer_only_the_compute_parties_are_named() -> None:
    text = told(job_with({"a": ["compute", "data"], "b": ["compute", "data"]}))
    assert "a and b together could." in text and "dealt" not in text


def test_a_dealer_that_computes_is_said_to_read_everything() -> None:
    text = told(job_with({"a": ["compute", "data", "dealer"], "b": ["compute", "data"]}))
    assert "protects nothing" in text and "a alone could read everything" in text
    assert "no party alone" not in text


def test_links_without_tls_are_named() -> None:
    assert "TLS was off" in told({**JOB, "network": {"encrypt": False}})
    assert "TLS" not in told(JOB)


def test_openings_in_the_clear_are_named() -> None:
    assert "over NCCL, in the clear" in told({**JOB, "network": {"openings": "nccl"}})
    assert "NCCL" not in told({**JOB, "network": {"openings": "tls"}})


def test_agreement_is_told_only_where_it_is_known() -> None:
    assert words.agreement(example(report={})) is None
    assert "within 3.6e-08 (relative)" in (words.agreement(example()) or "")


@pytest.mark.parametrize("name", ['quo"te', "back\\slash", "line\nend", "年龄"])
def test_the_job_comes_back_from_its_text(name: str) -> None:
    job = copy.deepcopy(JOB)
    job["job"]["target"] = name
    job["data"]["impute"] = {"age of owner": 40.0}
    record = example(job=job)
    read = tomllib.loads(words.job_text(record))
    for party in read["parties"].values():
        assert party.pop("data", "...") == "..."
    assert read == {section: table for section, table in record.job.items() if table}


def test_a_choice_is_told_with_its_scores_where_they_are_known() -> None:
    found = {"parameter": "C", "values": [0.01, 1.0], "folds": 5, "metric": "auc", "winner": 1.0}
    text = words.selection(example(report={"selection": found}))
    assert text == "C = 1 was chosen of 0.01 and 1 by area under the ROC curve in 5-fold cross-validation."
    scored = words.selection(example(report={"selection": found | {"scores": [0.75, 0.875]}}))
    assert scored == f"{text[:-1]} (0.75, 0.875)."
    assert words.selection(example(report={})) is None
