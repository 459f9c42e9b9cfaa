"""A share carries scale and bound through linear arithmetic, exactly and without a message, and shows nothing."""

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from mpcfl.errors import DataError, HeadroomError
from mpcfl.sharing import share as module
from mpcfl.sharing.inputs import Input
from mpcfl.sharing.share import Share, concatenate, require_headroom, sum_at, zeros
from mpcfl.world import _crypten
from mpcfl.world.session import Session
from tests.evaluation import EDGES, PARTIES, Given, Outcome, dry, evaluate, full_range, wrapped

RNG = np.random.default_rng(1)
X, Y = full_range(RNG, 4, 4), full_range(RNG, 4, 4)
PUBLIC = full_range(RNG, 4, 3)

LOCAL: dict[str, tuple[Callable[[Share, Share], Share], torch.Tensor]] = {
    "sum": (lambda x, y: x + y, X + Y),
    "difference": (lambda x, y: x - y, X - Y),
    "negative": (lambda x, y: -x, -X),
    "times a public integer": (lambda x, y: x * -(2**61 + 3), X * -(2**61 + 3)),
    "times a public tensor": (lambda x, y: x.times(Y, bound=1.0), X * Y),
    "times a public row": (lambda x, y: x.times(Y[0], bound=1.0), X * Y[0]),
    "times a public matrix": (lambda x, y: x.matmul_public(PUBLIC, scale=0, bound=1.0), X @ PUBLIC),
    "plus a public number": (lambda x, y: x + 5.0, X + 5),
    "minus a public number": (lambda x, y: x - 7, X - 7),
    "plus a public tensor": (lambda x, y: x + torch.tensor([1.0, -2.0, 3.0, 0.0]), X + torch.tensor([1, -2, 3, 0])),
    "plus a larger public tensor": (lambda x, y: x[0] + torch.ones(2, 4), (X[0] + 1).expand(2, 4)),
    "an element": (lambda x, y: x[1, 2], X[1, 2]),
    "a slice": (lambda x, y: x[1:, :2], X[1:, :2]),
    "chosen elements": (lambda x, y: x[torch.tensor([3, 0, 0])], X[torch.tensor([3, 0, 0])]),
    "the transpose": (lambda x, y: x.T, X.T),
    "another shape": (lambda x, y: x.reshape(2, -1), X.reshape(2, -1)),
    "repeated rows": (lambda x, y: x[0].expand(3, 4), X[0].expand(3, 4)),
    "a sum of rows": (lambda x, y: x.sum(0), X.sum(0)),
    "a sum of columns": (lambda x, y: x.sum(-1), X.sum(-1)),
    "the diagonal": (lambda x, y: x.diagonal(), X.diagonal()),
    "at a larger scale": (lambda x, y: x.at_scale(13), X << 13),
    "divided by a power of two": (lambda x, y: x.divided_by_power(9), X),
    "joined": (lambda x, y: concatenate([x, y, x[:1]], 0), torch.cat([X, Y, X[:1]])),
    "joined in the other direction": (lambda x, y: concatenate([x, y], 1), torch.cat([X, Y], 1)),
    "plus zeros": (lambda x, y: x + zeros(x.session, (4, 4), scale=0), X),
    "rows added up at public places": (
        lambda x, y: sum_at([x[:3], y[:2]], [np.array([4, 0, 1]), np.array([1, 4])], 5),
        torch.stack([X[1], X[2] + Y[0], 0 * X[0], 0 * X[0], X[0] + Y[1]]),
    ),
}


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize(("function", "expected"), LOCAL.values(), ids=LOCAL.keys())
def test_linear_arithmetic_is_exact_and_sends_nothing(function: Any, expected: torch.Tensor, parties: int) -> None:
    outcome = evaluate(parties, lambda session, x, y: function(x, y), X, Y)
    assert torch.equal(outcome.ring(), expected)
    assert outcome.results[parties].shape == outcome.results[0].shape == tuple(expected.shape)
    assert not outcome.cost("online") and not outcome.cost("offline", parties)


def test_edge_values_wrap_as_python_integers_do() -> None:
    pairs = [(a, b) for a in EDGES for b in EDGES]
    x, y = wrapped(a for a, _ in pairs), wrapped(b for _, b in pairs)
    outcome = evaluate(2, lambda session, x, y: [x + y, x - y, -x, x * 3], x, y)
    expected = [(a + b, a - b, -a, 3 * a) for a, b in pairs]
    for k in range(4):
        assert torch.equal(outcome.ring(k), wrapped(row[k] for row in expected))


def test_a_public_matrix_is_multiplied_as_the_short_one_that_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """By parties with shares alone: others have nothing to multiply."""
    kept: list[tuple[tuple[int, ...], int]] = []
    monkeypatch.setattr(module, "keep", lambda a, bits: kept.append((tuple(a.shape), bits)))
    for most, bits in ((1, 8), (-128, 16), (1 << 30, 32), (1 << 62, 64)):
        public = torch.tensor([[0, most, 3], [-1, 0, 1], [2, 5, 0], [7, 0, 0]])
        outcome = evaluate(2, lambda session, x, public=public: x.matmul_public(public, scale=0, bound=8.0), X)
        assert torch.equal(outcome.ring(), X @ public)
        assert kept == [((4, 3), bits)] * 2
        kept.clear()


def test_a_public_term_is_added_once_at_the_scale_of_the_share() -> None:
    for parties in PARTIES:
        outcome = evaluate(parties, lambda session, x: x + 0.75, Given(torch.tensor([8, -8]), 4, 1.0))
        assert outcome.ring().tolist() == [8 + 12, -8 + 12]


# -- scale and bound ---------------------------------------------------------------------------------------------------

SCALED: dict[str, tuple[Callable[[Share], Share], int, float]] = {
    "sum": (lambda x: x + x, 10, 6.0),
    "difference": (lambda x: x - x, 10, 6.0),
    "negative": (lambda x: -x, 10, 3.0),
    "plus a public number": (lambda x: x + -2.5, 10, 5.5),
    "plus public numbers": (lambda x: x + torch.tensor([1.0, -4.0]), 10, 7.0),
    "times an integer": (lambda x: x * -5, 10, 15.0),
    "times a public tensor": (lambda x: x.times(torch.tensor([1 << 5, 0]), scale=5, bound=1.0), 15, 3.0),
    "times a public matrix": (
        lambda x: x.matmul_public(torch.ones(2, 3, dtype=torch.int64), scale=4, bound=0.5),
        14,
        3.0,
    ),
    "divided by a power of two": (lambda x: x.divided_by_power(3), 13, 0.375),
    "at a larger scale": (lambda x: x.at_scale(30), 30, 3.0),
    "a sum over two": (lambda x: x.sum(-1), 10, 6.0),
    "a slice": (lambda x: x[:, :1], 10, 3.0),
    "within a tighter bound": (lambda x: x.within(2.0), 10, 2.0),
    "within a looser bound": (lambda x: x.within(9.0), 10, 3.0),
    "joined": (lambda x: concatenate([x, x * 2]), 10, 6.0),
}


@pytest.mark.parametrize(("function", "scale", "bound"), SCALED.values(), ids=SCALED.keys())
def test_scale_and_bound_follow_the_arithmetic(function: Callable[[Share], Share], scale: int, bound: float) -> None:
    share = function(dry(3.0, shape=(2, 2), scale=10))
    assert (share.scale, share.bound) == (scale, bound)


@pytest.mark.parametrize("name", sorted(SCALED.keys() - {"within a tighter bound"}))  # for which the caller vouches
def test_no_value_exceeds_its_bound(name: str) -> None:
    function, scale, bound = SCALED[name]
    x = Given(torch.tensor([[3 << 10, -3 << 10], [-3 << 10, 3 << 10]]), 10, 3.0)
    outcome = evaluate(2, lambda session, x: function(x), x)
    assert float(outcome.ring().abs().max()) / 2.0**scale <= bound


def test_headroom_counts_the_bits_up_to_the_sign() -> None:
    assert dry(1.0, scale=62).headroom == 1.0
    assert dry(8.0, scale=20).headroom == 63 - 20 - 3
    assert dry(2.0**44, scale=20).headroom == -1.0
    assert zeros(dry(1.0).session, (2,), scale=20).headroom == math.inf


def test_headroom_that_is_missing_is_an_error_with_the_number_of_bits() -> None:
    require_headroom(dry(4.0, scale=60), 62, "it")
    with pytest.raises(HeadroomError, match="the sum of squares might need 2 bits more"):
        require_headroom(dry(12.0, scale=60), 62, "the sum of squares")


def test_different_scales_do_not_mix() -> None:
    x, y = dry(1.0, scale=10), dry(1.0, scale=11)
    for mixed in (lambda: x + y, lambda: x - y, lambda: concatenate([x, y])):
        with pytest.raises(ValueError, match="scales differ: 10 and 11"):
            mixed()
    assert (x.at_scale(11) + y).scale == 11


def test_a_scale_cannot_fall_without_a_truncation_nor_below_0() -> None:
    with pytest.raises(ValueError, match="truncation"):
        dry(1.0, scale=10).at_scale(9)
    with pytest.raises(ValueError, match="scale -1 is below 0"):
        dry(1.0, scale=-1)


@pytest.mark.parametrize("factor", [0.5, 2.0, torch.tensor(2), None])
def test_only_a_public_integer_multiplies(factor: Any) -> None:
    with pytest.raises(TypeError, match="public integer only"):
        dry(1.0) * factor


@pytest.mark.parametrize("term", [math.nan, math.inf])
def test_a_public_term_that_is_no_number_is_refused(term: float) -> None:
    with pytest.raises(DataError, match="a public term"):
        dry(1.0) + term


# -- no way out --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return evaluate(2, lambda session, x: x, Given(torch.tensor([[3 << 20, 5]]), 20, 4.0))


@pytest.fixture(scope="module")
def share(outcome: Outcome) -> Share:
    return outcome.results[0]


WAYS_OUT: dict[str, Callable[[Share], Any]] = {
    "bool": bool,
    "if": lambda x: 1 if x else 0,
    "float": float,
    "float of an element": lambda x: float(x[0, 0]),
    "int": int,
    "complex": complex,
    "round": round,
    "iteration": list,
    "iteration over an element": lambda x: list(x[0]),
    "unpacking": lambda x: [*x],
    "membership": lambda x: 3 in x,
    "sum": sum,
    "max": max,
    "==": lambda x: x == x,
    "!=": lambda x: x != 3,
    "<": lambda x: x < 3,
    "> of shares": lambda x: x > x,
    ">=": lambda x: x >= 3,
    "hash": hash,
    "pickle": pickle.dumps,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "numpy.asarray": np.asarray,
    "numpy.array": np.array,
    "numpy.array with a type": lambda x: np.array(x, dtype=float),
    "a numpy function": np.exp,
    "numpy times share": lambda x: np.float64(2.0) * x,
    "numpy plus share": lambda x: np.ones(2) + x,
    "torch times share": lambda x: torch.ones(1, 2) * x,
    "torch.tensor": torch.tensor,
    "torch.as_tensor": torch.as_tensor,
    "format": lambda x: f"{x:.3f}",
    "length of an element": lambda x: len(x[0, 0]),
    "vars": vars,
}


@pytest.mark.parametrize("way", WAYS_OUT.values(), ids=WAYS_OUT.keys())
def test_a_share_has_no_value_of_its_own(share: Share, way: Callable[[Share], Any]) -> None:
    with pytest.raises(TypeError):
        way(share)


def test_the_error_names_the_exit(share: Share) -> None:
    with pytest.raises(TypeError, match=r"mpcfl.reveal\(share, to=..., reason=...\) is the only exit"):
        float(share)


def test_text_has_shape_and_scale_and_no_content(share: Share) -> None:
    expected = "Share(shape=(1, 2), scale=20)"
    assert [repr(share), str(share), f"{share}", "%s" % share] == [expected] * 4  # noqa: UP031
    item = Input("wages", 0, (2,), 20, 4.0, torch.tensor([123456789, 987654321]))
    assert repr(item) == str(item) == "Input(wages, shape=(2,), scale=20)"


def test_no_stray_attribute_can_be_hung_on_a_share(share: Share) -> None:
    with pytest.raises(AttributeError):
        share.value = 3  # type: ignore[attr-defined]


# -- CrypTen -----------------------------------------------------------------------------------------------------------


def test_a_share_is_carried_by_a_crypten_tensor(share: Share) -> None:
    crypten = _crypten.load()
    assert isinstance(share._carrier, crypten.mpc.primitives.ArithmeticSharedTensor)
    assert share._carrier.encoder.scale == 2**20


def test_crypten_round_trip_copies_the_elements_and_keeps_the_scale(share: Share) -> None:
    """CrypTen rescales operands in place: without a copy the share would change behind its scale's back."""
    before = share._ring.clone()
    tensor = share.to_crypten()
    assert isinstance(tensor, _crypten.load().mpc.MPCTensor)
    assert tensor.encoder.scale == 2**share.scale
    back = Share.from_crypten(share.session, tensor, bound=4.0)
    assert (back.scale, back.bound, back.shape) == (share.scale, 4.0, share.shape)
    tensor.share += 1
    assert torch.equal(share._ring, before)
    assert torch.equal(back._ring, before)


@pytest.mark.parametrize("scale", [0, 1, 16, 62])
def test_every_scale_survives_crypten(scale: int) -> None:
    share = dry(1.0, scale=scale)
    assert Share.from_crypten(share.session, share.to_crypten(), bound=1.0).scale == scale


def test_parties_without_shares_can_go_to_crypten_too(outcome: Outcome) -> None:
    """The dealer runs the same program; nothing may be drawn or sent on the way."""
    dealers: Share = outcome.results[2]
    session: Session = dealers.session
    before = session._operation
    assert dealers.to_crypten().share.is_meta
    assert session._operation == before


def test_only_arithmetic_sharing_comes_back_from_crypten(share: Share) -> None:
    for wrong in (torch.ones(2), share._carrier, None):
        with pytest.raises(TypeError, match="arithmetically shared MPCTensor"):
            Share.from_crypten(share.session, wrong, bound=1.0)
    binary = share.to_crypten()
    binary.ptype = _crypten.load().mpc.binary
    with pytest.raises(TypeError, match="arithmetically shared MPCTensor"):
        Share.from_crypten(share.session, binary, bound=1.0)
