"""The meter counts rounds, messages and bytes to the byte, each for one phase and one protocol."""

import time

import pytest

from mpcfl.world.meter import Cost, Meter


def test_an_exchange_is_counted_where_it_happens() -> None:
    meter = Meter()
    meter.count(rounds=1, messages=3, payload=96)
    with meter.phase("online"), meter.protocol("truncation"):
        meter.count(rounds=1, messages=1, payload=80)
        meter.count(rounds=1, messages=1, payload=8)
    assert meter.exact() == {
        "setup": {"setup": {"rounds": 1, "messages": 3, "bytes": 96}},
        "online": {"truncation": {"rounds": 2, "messages": 2, "bytes": 88}},
    }


def test_the_innermost_phase_and_protocol_count_and_the_outer_ones_come_back() -> None:
    meter = Meter()
    with meter.phase("online"), meter.protocol("outer"):
        with meter.phase("offline"), meter.protocol("inner"):
            meter.count(rounds=0, messages=1, payload=1)
        meter.count(rounds=0, messages=1, payload=2)
    meter.count(rounds=0, messages=1, payload=4)
    sizes = {(phase, name): cost["bytes"] for phase, table in meter.exact().items() for name, cost in table.items()}
    assert sizes == {("offline", "inner"): 1, ("online", "outer"): 2, ("setup", "setup"): 4}


def test_phase_and_protocol_come_back_after_an_error() -> None:
    meter = Meter()
    with pytest.raises(LookupError), meter.phase("online"), meter.protocol("p"), meter.sharing_a_round([("q", 1)]):
        raise LookupError
    meter.count(rounds=1, messages=0, payload=0)
    assert (meter.phase_name, meter.protocol_name) == ("setup", "setup")
    assert list(meter.exact()) == ["setup"] and list(meter.exact()["setup"]) == ["setup"]


def test_a_shared_round_belongs_to_the_first_and_the_bytes_to_each() -> None:
    meter = Meter()
    with meter.sharing_a_round([("a", 8), ("b", 24), ("a", 16)]):
        meter.count(rounds=1, messages=2, payload=96)
    assert meter.exact()["setup"] == {
        "a": {"rounds": 1, "messages": 2, "bytes": 48},
        "b": {"rounds": 0, "messages": 0, "bytes": 48},
    }


@pytest.mark.parametrize("payload", [0, 1, 7, 99, 100, 101, 2**40 + 1])
@pytest.mark.parametrize("sizes", [[1], [3, 3, 3], [1, 100], [0, 5], [5, 0, 0]])
def test_no_byte_of_a_shared_round_is_lost_or_made_up(payload: int, sizes: list[int]) -> None:
    meter = Meter()
    with meter.sharing_a_round([(f"p{k}", size) for k, size in enumerate(sizes)]):
        meter.count(rounds=2, messages=4, payload=payload)
    assert meter.total("setup") == Cost(2, 4, payload)
    for k, size in enumerate(sizes):
        share = meter.costs["setup", f"p{k}"].bytes
        assert abs(share - payload * size / sum(sizes)) <= len(sizes)


def test_a_shared_round_of_nothing_is_a_round_of_no_bytes() -> None:
    meter = Meter()
    with meter.sharing_a_round([("a", 0), ("b", 0)]):
        meter.count(rounds=1, messages=1, payload=0)
    assert meter.exact() == {"setup": {"a": {"rounds": 1, "messages": 1, "bytes": 0}}}


def test_the_total_of_a_phase_is_that_of_its_protocols() -> None:
    meter = Meter()
    with meter.phase("online"):
        for name, payload in (("a", 8), ("b", 16), ("a", 24)):
            with meter.protocol(name):
                meter.count(rounds=1, messages=2, payload=payload)
    assert meter.total("online") == Cost(3, 6, 48)
    assert meter.total("offline") == Cost()


def test_what_was_never_sent_is_not_in_the_table() -> None:
    meter = Meter()
    with meter.phase("offline"), meter.protocol("received only"):
        meter.count(rounds=0, messages=0, payload=0)
    assert meter.exact() == {}


def test_the_table_does_not_depend_on_the_order_of_counting() -> None:
    tables = []
    for names in (("a", "b"), ("b", "a")):
        meter = Meter()
        for name in names:
            with meter.protocol(name):
                meter.count(rounds=1, messages=1, payload=8)
        tables.append(repr(meter.exact()))
    assert tables[0] == tables[1]


# -- seconds -----------------------------------------------------------------------------------------------------------


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_seconds_belong_to_the_innermost_phase_only(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock)
    meter = Meter(_since=clock.now)
    clock.now += 1
    with meter.phase("online"):
        clock.now += 2
        with meter.phase("offline"):
            clock.now += 4
        clock.now += 8
        with meter.phase("local"):
            clock.now += 16
    clock.now += 32
    assert meter.as_dict()["seconds"] == {"setup": 33.0, "online": 10.0, "offline": 4.0, "local": 16.0}


def test_seconds_go_on_after_they_were_read(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock)
    meter = Meter(_since=clock.now)
    for expected in (1.5, 3.0):
        clock.now += 1.5
        assert meter.as_dict()["seconds"] == {"setup": expected}
    assert meter.as_dict()["costs"] == meter.exact()
