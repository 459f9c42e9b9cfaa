"""The slowest of those who would work at the same time counts; bytes and rounds are what was sent."""

import time

from mpcfl.baselines.costs import Costs


def test_those_who_work_at_the_same_time_cost_as_much_as_the_slowest() -> None:
    costs = Costs()
    found = costs.together("compute", {"a": lambda: time.sleep(0.02) or 1, "b": lambda: 2})
    assert found == {"a": 1, "b": 2}
    row = costs.row()
    assert 0.02 <= row["seconds"] == row["seconds_by_phase"]["compute"] == row["phases"]["a"]["compute"]
    assert row["phases"]["b"]["compute"] < 0.02


def test_one_after_the_other_is_added_up_and_offline_is_apart() -> None:
    costs = Costs()
    for phase in ("compute", "decrypt", "offline"):
        costs.alone(phase, "a", lambda: time.sleep(0.01))
    row = costs.row()
    assert list(row["seconds_by_phase"]) == ["compute", "decrypt"] and list(row["phases"]["a"])[-1] == "offline"
    assert row["seconds"] >= 0.02 and row["seconds_offline"] >= 0.01
    assert row["cpu_seconds"]["a"] < 0.01  # asleep


def test_a_message_of_each_is_one_round_and_bytes_are_those_of_the_busiest() -> None:
    costs = Costs()
    costs.round({"a": 8, "b": 16})
    costs.round({"a": 4})
    costs.sent_before({"b": 100})
    row = costs.row()
    assert (row["rounds"], row["bytes"]) == (2, 16)
    assert row["bytes_online"] == {"a": 12, "b": 16} and row["bytes_offline"] == {"b": 100}
