"""Counts of 1024 bins are exact, whatever the rows and however many."""

import numpy as np
import pytest
import torch

from mpcfl.protocols import histogram as module
from mpcfl.protocols.histogram import BINS, histogram
from mpcfl.protocols.rounds import run
from tests.evaluation import PARTIES, UNLIKELY, dry, evaluate, uniformity


def counted(session, places):
    return run(session, histogram(places))


@pytest.mark.parametrize("parties", PARTIES)
def test_every_row_is_in_its_bin(parties: int) -> None:
    rng = np.random.default_rng(parties)
    places = np.concatenate([np.arange(BINS), rng.integers(0, 40, 1000) ** 2 % BINS])
    outcome = evaluate(parties, counted, torch.from_numpy(rng.permutation(places)))
    assert outcome.ring().tolist() == np.bincount(places, minlength=BINS).tolist()


def test_places_are_taken_modulo_1024() -> None:
    counts = evaluate(3, counted, torch.tensor([0, 1024 + 5, -1, 5 - (1 << 40), -(1 << 63)])).ring()
    assert {v: int(c) for v, c in enumerate(counts) if c} == {0: 2, 5: 2, 1023: 1}


@pytest.mark.parametrize("parties", PARTIES)
def test_more_rows_than_one_opening_takes(parties: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROWS", 16)
    n, others = 50, parties - 1
    outcome = evaluate(parties, counted, torch.arange(n) % 7)
    assert outcome.ring()[:8].tolist() == [8, 7, 7, 7, 7, 7, 7, 0] and outcome.ring().sum() == n
    assert outcome.cost("online") == {
        "histogram": (4, 4 * others, 2 * n * others),
        "extension": (1, others, 4 * 2 * BINS * others),
    }
    assert outcome.cost("offline", parties) == {"histogram": (0, 4, 256 * n * 8), "extension": (0, 1, 4 * 2 * BINS * 8)}


def test_all_rows_in_one_bin() -> None:
    """As many as an opening takes: the count still fits its sixteen bits."""
    x = torch.full(((1 << 14) + 1,), 77)
    counts = evaluate(2, counted, x).ring()
    assert counts[77] == (1 << 14) + 1 and counts.sum() == counts[77]


def test_what_is_opened_is_uniform_whatever_the_places() -> None:
    outcome = evaluate(2, counted, torch.zeros(4000, dtype=torch.int64))
    views = [[m for m in outcome.sessions[rank].wire.view if m.dtype == torch.uint8][-2:] for rank in (0, 1)]
    for theirs, ours in zip(*views, strict=True):
        assert uniformity([theirs.view(torch.int16) + ours.view(torch.int16)]) > UNLIKELY
        assert uniformity([theirs]) > UNLIKELY


@pytest.mark.parametrize(("shape", "scale"), [((0,), 0), ((2, 3), 0), ((3,), 1)])
def test_what_has_no_places_is_refused(shape: tuple[int, ...], scale: int) -> None:
    with pytest.raises(ValueError, match="needs places"):
        next(histogram(dry(1.0, shape=shape, scale=scale)))
