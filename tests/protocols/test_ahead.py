"""Uses that are still to come are prepared together: the same results, the same bytes, fewer messages."""

from typing import Any

import numpy as np
import pytest
import torch

import mpcfl
from mpcfl.protocols.ahead import Ahead
from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.rounds import run
from mpcfl.ring.blank import blank
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session
from mpcfl.world.wire import DryWire
from tests.evaluation import PARTIES, Given, Outcome, evaluate, full_range
from tests.protocols.test_pinned import exact_product

N, D, USES = 40, 24, 5
ROWS = torch.arange(0, N, 3)


def products(parties: int, left: int, factors: list[torch.Tensor], others: list[torch.Tensor], rows: Any) -> Outcome:
    """X @ v, watched, and X.T @ u for every v and u in turn, of `rows` of X or of all."""
    count = len(factors)

    def program(session: Session, x: Share, *given: Share) -> list[Share]:
        pinned, results = Pinned(x), []
        run(session, pinned.opening())
        used = pinned if rows is None else pinned.rows(rows)
        for k, (v, u) in enumerate(zip(given[:count], given[count:], strict=True)):
            used.ahead.left = max(1, left - k)
            product, away = run(session, used.times_watched(v, 62))
            results += [product, run(session, used.transposed_times(u)), away]
        return results

    x = full_range(np.random.default_rng(1), N, D)
    return evaluate(parties, program, x, *[Given(v, 0, 2.0**62) for v in (*factors, *others)])


def given(shape: tuple[int, ...], seed: int) -> list[torch.Tensor]:
    rng = np.random.default_rng(seed)
    return [torch.from_numpy(rng.integers(-(2**60), 2**60, shape)) for _ in range(USES)]


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("columns", [(), (1,), (3,)])
@pytest.mark.parametrize("rows", [None, ROWS], ids=["all rows", "some rows"])
def test_results_and_bytes_are_those_of_one_use_at_a_time(
    rows: torch.Tensor | None, columns: tuple[int, ...], parties: int
) -> None:
    x = full_range(np.random.default_rng(1), N, D)
    x = x if rows is None else x[rows]
    factors, others = given((D, *columns), 2), given((len(x), *columns), 3)
    costs = []
    for left in (1, USES):
        outcome = products(parties, left, factors, others, rows)
        for k in range(USES):
            for place, matrix, factor in ((3 * k, x, factors[k]), (3 * k + 1, x.T, others[k])):
                wanted = exact_product(matrix, factor.reshape(len(factor), -1))
                assert torch.equal(outcome.ring(place).reshape(wanted.shape), wanted)
            assert int(outcome.ring(3 * k + 2)) == 0
        costs.append((outcome.cost("online")["pinned product"], outcome.cost("offline", parties)["pinned product"]))
    (single, dealt), (together, dealt_together) = costs
    assert single == together
    assert dealt == (0, 2 * USES, dealt_together[2])
    assert dealt_together[1] == 2


def test_of_a_run_that_goes_on_no_use_is_prepared_that_will_not_come() -> None:
    """Eight at a time, then what is left; whoever begins again at an earlier step has what was prepared."""
    ahead, made = Ahead(), list[int]()

    def prepare(count: int) -> list[int]:
        made.append(count)
        return list(range(count))

    for left in (*range(11, 0, -1), *range(4, 0, -1)):
        ahead.left = left
        ahead.take("use", (10, 10), 1, prepare)
    assert made == [8, 3, 4]


@pytest.mark.parametrize(
    ("shape", "whole", "columns", "together"),
    [
        ((128, 101), 10_000, 1, 8),
        ((10_000, 101), 0, 1, 8),
        ((128, 5), 10_000, 1, 8),  # 2^20 elements do not matter
        ((128, 5), 10_000_000, 1, 1),  # here they would be 3 times the table
        ((128, 101), 10_000_000, 1, 8),
        ((128, 31), 10_000_000, 1, 2),
        ((1_000_000, 101), 0, 1, 2),
        ((10_000_000, 101), 0, 1, 1),
        ((128, 101), 10_000_000, 10, 1),
    ],
)
def test_what_is_prepared_stays_a_small_part_of_the_table(
    shape: tuple[int, int], whole: int, columns: int, together: int
) -> None:
    made: list[int] = []

    def prepare(count: int) -> list[int]:
        made.append(count)
        return [0] * count

    Ahead(left=100, rows=whole).take("use", shape, columns, prepare)
    assert made == [together]
    rows = max(whole, shape[0])
    assert together == 1 or 2 * together * columns * rows <= max(2**20, rows * shape[1] / 6)


@pytest.mark.parametrize(("gpus", "together"), [(False, 2), (True, 8)])
def test_among_gpus_messages_may_be_longer(gpus: bool, together: int) -> None:
    """A million rows: each use that is prepared with others reads E once less."""
    session = Session(
        mpcfl.roster({"a": ["data", "compute"], "b": ["compute"], "c": ["dealer"]}, gpus=gpus), 2, DryWire()
    )
    ahead, asked = Pinned(Share(session, blank((10**6, 100)), scale=0, bound=1.0)).ahead, []
    ahead.left = 50

    def prepare(count: int) -> list[int]:
        asked.append(count)
        return [0] * count

    ahead.take("use", (10**6, 100), 1, prepare)
    assert asked == [together]
