"""What may enter a record, and what is taken out of it."""

import numpy as np
import pytest

from tests.report.example import COEF, example


def test_paths_of_a_party_are_taken_out_and_nothing_else() -> None:
    parties = example().job["parties"]
    assert parties == {
        "north": {"roles": ["data", "compute"]},
        "south": {"roles": ["data", "compute"]},
        "east": {"roles": ["data", "dealer"]},
    }
    assert example().job["data"] == {}  # the section of that name stays


def test_where_checkpoints_are_is_taken_out_too() -> None:
    job = example().job | {"checkpoint": {"every": 5, "resume": True, "folder": "/mine", "keys": "/mine/too"}}
    assert example(job=job).job["checkpoint"] == {"every": 5, "resume": True}


def test_roles_are_read_from_the_job() -> None:
    record = example(report={})
    assert (record.compute_parties, record.dealer, record.having("data")) == (
        ["north", "south"],
        "east",
        ["north", "south", "east"],
    )
    assert record.steps == 65536


@pytest.mark.parametrize("weights", [{"coef": [1, 2, np.nan, 4, 5]}, {"intercept": np.inf}])
def test_a_party_that_does_not_learn_the_weights_has_a_record_without(weights: dict[str, object]) -> None:
    assert example().has_weights and not example(**weights).has_weights


def test_one_weight_for_each_feature() -> None:
    with pytest.raises(ValueError, match="shape"):
        example(coef=COEF[:-1])


def test_an_absent_entry_of_the_report_is_none() -> None:
    record = example()
    assert record.at("seconds", "offline") == 0.21
    assert record.at("seconds", "gone") is None and record.at("rows", "deeper") is None
