"""A matrix is masked once; every product after that opens its other factor only."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.rounds import run, together
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session
from tests.evaluation import EDGES, PARTIES, Given, dry, evaluate, full_range, wrapped

N, D, C = 12, 5, 3


def times(session: Session, x: Share, v: Share) -> Share:
    pinned = Pinned(x)
    run(session, pinned.opening())
    return run(session, pinned.times(v))


def square(session: Session, x: Share) -> Share:
    pinned = Pinned(x)
    return together(session, pinned.opening(), pinned.square())[1]


def gram(session: Session, x: Share) -> Share:
    pinned = Pinned(x)
    return together(session, pinned.opening(), pinned.gram())[1]


def exact_product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """a @ b in Python integers, modulo 2^64."""
    rows, columns = a.tolist(), b.T.tolist()
    entries = (sum(map(int.__mul__, row, column)) for row in rows for column in columns)
    return wrapped(entries).reshape(len(rows), len(columns))


@pytest.mark.parametrize("parties", PARTIES)
def test_times_is_exact_for_full_range_values(parties: int) -> None:
    rng = np.random.default_rng(3)
    x, v = full_range(rng, N, D), full_range(rng, D, C)
    assert torch.equal(evaluate(parties, times, x, v).ring(), exact_product(x, v))


@pytest.mark.parametrize("parties", PARTIES)
def test_times_takes_a_vector(parties: int) -> None:
    rng = np.random.default_rng(4)
    x, v = full_range(rng, N, D), full_range(rng, D)
    outcome = evaluate(parties, times, x, v)
    assert torch.equal(outcome.ring(), exact_product(x, v[:, None])[:, 0])
    assert outcome.results[0].shape == outcome.results[parties].shape == (N,)


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize(("size", "seen"), [(3 / 8, False), (-3 / 8, False), (5 / 8 + 1e-6, True), (-900.0, True)])
def test_a_vector_is_watched_beside_the_product(size: float, seen: bool, parties: int) -> None:
    """One element is as large as that, in turns of 2^10 at scale 20; nothing more is opened."""
    rng = np.random.default_rng(6)
    x, v = full_range(rng, N, D), torch.from_numpy(rng.integers(-(2**28), 2**28, (D, C)))
    v[3, 1] = int(size * 2**30)

    def program(session: Session, x: Share, v: Share) -> tuple[Share, Share]:
        pinned = Pinned(x)
        run(session, pinned.opening())
        product, away = run(session, pinned.times_watched(v, 10))
        return product, away

    outcome = evaluate(parties, program, Given(x, 0), Given(v, 20))
    assert torch.equal(outcome.ring(0), exact_product(x, v))
    assert (abs(int(outcome.ring(1))) > 2**40) if seen else (int(outcome.ring(1)) == 0)
    assert outcome.cost("online")["pinned product"][2] == 8 * D * C * (parties - 1)
    assert outcome.cost("offline", parties)["pinned product"][2] == 8 * (N * C + 4 * D * C)


def test_times_is_exact_for_edge_values() -> None:
    pairs = list(itertools.product(EDGES, EDGES))
    x, v = wrapped(a for a, _ in pairs).reshape(len(EDGES), -1), wrapped(EDGES).reshape(-1, 1)
    assert torch.equal(evaluate(2, times, x, v).ring(), exact_product(x, v))


@pytest.mark.parametrize("parties", PARTIES)
def test_square_and_gram_are_exact(parties: int) -> None:
    rng = np.random.default_rng(5)
    x, tall = full_range(rng, D, D), full_range(rng, N, D)
    assert torch.equal(evaluate(parties, square, x).ring(), exact_product(x, x))
    assert torch.equal(evaluate(parties, gram, tall).ring(), exact_product(tall.T, tall))


@pytest.mark.parametrize("parties", PARTIES)
def test_transposed_times_uses_the_same_opening(parties: int) -> None:
    rng = np.random.default_rng(8)
    x, u, v = full_range(rng, N, D), full_range(rng, N), full_range(rng, D)

    def program(session: Session, x: Share, u: Share, v: Share) -> list[Share]:
        pinned = Pinned(x)
        run(session, pinned.opening())
        return together(session, pinned.transposed_times(u), pinned.times(v))

    outcome = evaluate(parties, program, x, u, v)
    assert torch.equal(outcome.ring(0), exact_product(x.T, u[:, None])[:, 0])
    assert torch.equal(outcome.ring(1), exact_product(x, v[:, None])[:, 0])
    others = parties - 1
    assert outcome.cost("online")["pinned product"] == (1, others, (N + D) * 8 * others)
    assert outcome.cost("offline", parties) == {"pinned product": (0, 2, (D + N) * 8)}


@pytest.mark.parametrize("parties", PARTIES)
def test_rows_are_scaled_by_a_shared_vector(parties: int) -> None:
    rng = np.random.default_rng(10)
    x, s, u = full_range(rng, N, D), full_range(rng, N), full_range(rng, N, C)

    def program(session: Session, x: Share, s: Share, u: Share) -> list[Share]:
        pinned = Pinned(x)
        run(session, pinned.opening())
        scaled = run(session, pinned.scaled_rows(s))
        return [scaled, run(session, pinned.transposed_times(scaled)), run(session, pinned.transposed_times(u))]

    outcome = evaluate(parties, program, x, s, u)
    assert torch.equal(outcome.ring(0), x * s[:, None])
    assert torch.equal(outcome.ring(1), exact_product(x.T, x * s[:, None])), "X.T S X"
    assert torch.equal(outcome.ring(2), exact_product(x.T, u))
    others = parties - 1
    online, offline = outcome.cost("online"), outcome.cost("offline", parties)
    assert online["scaled rows"] == (1, others, N * 8 * others)
    assert online["pinned product"] == (2, 2 * others, N * (D + C) * 8 * others)
    assert offline == {"scaled rows": (0, 1, N * D * 8), "pinned product": (0, 2, D * (D + C) * 8)}


@pytest.mark.parametrize("parties", PARTIES)
def test_some_rows_are_used_without_another_opening(parties: int) -> None:
    rng = np.random.default_rng(9)
    x, u, v, index = full_range(rng, N, D), full_range(rng, 4), full_range(rng, D), torch.tensor([7, 0, 7, 3])

    def program(session: Session, x: Share, u: Share, v: Share) -> list[Share]:
        pinned = Pinned(x)
        run(session, pinned.opening())
        batch = pinned.rows(index)
        return [run(session, batch.times(v)), run(session, batch.transposed_times(u))]

    outcome = evaluate(parties, program, x, u, v)
    assert torch.equal(outcome.ring(0), x[index] @ v) and torch.equal(outcome.ring(1), x[index].T @ u)
    others = parties - 1
    assert outcome.cost("online") == {
        "pinned matrix": (1, others, N * D * 8 * others),
        "pinned product": (2, 2 * others, (D + 4) * 8 * others),
    }
    assert outcome.cost("offline", parties) == {"pinned product": (0, 2, (4 + D) * 8)}


@pytest.mark.parametrize("parties", PARTIES)
def test_one_opening_serves_many_products(parties: int) -> None:
    rng = np.random.default_rng(6)
    x, u, v = full_range(rng, D, D), full_range(rng, D, 2), full_range(rng, D)

    def program(session: Session, x: Share, u: Share, v: Share) -> list[Share]:
        pinned = Pinned(x)
        run(session, pinned.opening())
        first = run(session, pinned.times(u))
        return [first, run(session, pinned.times(v)), run(session, pinned.square()), run(session, pinned.gram())]

    outcome = evaluate(parties, program, x, u, v)
    expected = [x @ u, x @ v, x @ x, x.T @ x]
    for k, value in enumerate(expected):
        assert torch.equal(outcome.ring(k), value)
    others = parties - 1
    opened = {"pinned matrix": (1, others, D * D * 8 * others), "pinned product": (2, 2 * others, 3 * D * 8 * others)}
    assert outcome.cost("online") == opened, "square and gram open nothing and take no round"


@pytest.mark.parametrize("parties", PARTIES)
def test_cost_of_opening_and_of_a_product(parties: int) -> None:
    outcome = evaluate(parties, times, torch.ones(N, D, dtype=torch.int64), torch.ones(D, C, dtype=torch.int64))
    others = parties - 1
    for rank in range(parties):
        assert outcome.cost("online", rank) == {
            "pinned matrix": (1, others, N * D * 8 * others),
            "pinned product": (1, others, D * C * 8 * others),
        }
    assert outcome.cost("offline", parties) == {"pinned product": (0, 1, N * C * 8)}, "pinning needs no correction"


@pytest.mark.parametrize("n", [D, 1, 100])
def test_offline_price_of_a_gram_does_not_depend_on_the_rows(n: int) -> None:
    outcome = evaluate(2, gram, torch.ones(n, D, dtype=torch.int64))
    assert outcome.cost("online") == {"pinned matrix": (1, 1, n * D * 8)}
    assert outcome.cost("offline", 2) == {"pinned gram": (0, 1, D * D * 8)}


def test_a_square_costs_d_squared_offline_and_nothing_online() -> None:
    outcome = evaluate(2, square, torch.ones(D, D, dtype=torch.int64))
    assert outcome.cost("online") == {"pinned matrix": (1, 1, D * D * 8)}
    assert outcome.cost("offline", 2) == {"pinned product": (0, 1, D * D * 8)}


def test_products_share_the_round_of_the_opening() -> None:
    def program(session: Session, x: Share, v: Share) -> list[Any]:
        pinned = Pinned(x)
        return together(session, pinned.opening(), pinned.times(v), pinned.square())

    rng = np.random.default_rng(7)
    x, v = full_range(rng, D, D), full_range(rng, D)
    outcome = evaluate(2, program, x, v)
    assert torch.equal(outcome.ring(1), x @ v) and torch.equal(outcome.ring(2), x @ x)
    assert outcome.cost("online") == {"pinned matrix": (1, 1, D * D * 8), "pinned product": (0, 0, D * 8)}


def test_scales_add_and_bounds_count_the_terms() -> None:
    x, v = Given(torch.full((2, D), 3 << 8), 8, 3.0), Given(torch.full((D,), 2 << 4), 4, 2.0)
    outcome = evaluate(2, times, x, v)
    assert (outcome.results[0].scale, outcome.results[0].bound) == (12, 3.0 * 2.0 * D)
    assert outcome.ring().tolist() == [(3 * 2 * D) << 12] * 2
    result = evaluate(2, gram, x).results[0]
    assert (result.scale, result.bound) == (16, 2 * 9.0), "two rows"

    def scaled(session: Session, x: Share, s: Share) -> Share:
        pinned = Pinned(x)
        run(session, pinned.opening())
        return run(session, pinned.scaled_rows(s))

    result = evaluate(2, scaled, x, Given(torch.full((2,), 2 << 4), 4, 2.0)).results[0]
    assert (result.scale, result.bound) == (12, 3.0 * 2.0)


def test_only_the_dealer_knows_the_mask_as_a_whole() -> None:
    kept: dict[int, Pinned] = {}

    def program(session: Session, x: Share) -> None:
        kept[session.rank] = Pinned(x)
        run(session, kept[session.rank].opening())

    outcome = evaluate(2, program, torch.ones(N, D, dtype=torch.int64))
    masks = {rank: kept[rank]._whole_mask for rank in (0, 1)}
    del outcome, kept[2]
    assert masks == {0: None, 1: None}
    with pytest.raises(RuntimeError, match="only the dealer"):
        kept[0]._dealt()


def test_the_dealer_never_holds_what_is_opened() -> None:
    kept: dict[int, torch.Tensor] = {}

    def program(session: Session, x: Share) -> None:
        pinned = Pinned(x)
        run(session, pinned.opening())
        if not session.dry_run:
            kept[session.rank] = pinned._e

    evaluate(2, program, torch.ones(N, D, dtype=torch.int64))
    assert kept[2].is_meta and not kept[0].is_meta and not kept[1].is_meta
    assert torch.equal(kept[0], kept[1])


def test_a_product_before_the_opening_says_what_to_do() -> None:
    pinned = Pinned(dry(1.0, shape=(D, D)))
    with pytest.raises(RuntimeError, match="opening"):
        run(pinned.session, pinned.square())


def test_shapes_that_do_not_match_are_refused_in_the_plan() -> None:
    pinned = Pinned(dry(1.0, shape=(N, D)))
    with pytest.raises(ValueError, match="shapes"):
        together(pinned.session, pinned.opening(), pinned.times(dry(1.0, shape=(D + 1, 1))))
