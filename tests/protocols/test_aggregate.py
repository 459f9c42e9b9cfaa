"""Secure aggregation: owners learn the sum or the weighted mean of their tensors, exactly or to a stated error."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from mpcfl.errors import AgreementError, DataError, HeadroomError, JobError
from mpcfl.protocols.aggregate import aggregate
from mpcfl.protocols.proportions import proportions
from mpcfl.protocols.rounds import run
from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.world.party import Party, Roster
from mpcfl.world.session import Session
from tests.evaluation import PARTIES, UNLIKELY, plan, uniformity
from tests.parties import roster, run_with_sessions

ROSTERS = {
    "two compute": roster(2),
    "three compute": roster(3),
    "five compute": roster(5),
    "the dealer owns data": roster(2, owners=3),
    "owners who do not compute": roster(2, owners=5),
    "one owner computes": roster(3, owners=1),
    "no owner computes": Roster(
        [Party.of(n, r) for n, r in (("a", ["compute"]), ("b", ["compute"]), ("d", ["dealer"]), ("o", ["data"]))]
        + [Party.of("q", ["data"])]
    ),
}
EVERY = pytest.mark.parametrize("who", [ROSTERS[name] for name in ROSTERS if name != "one owner computes"])


def tensors(seed: int, size: float = 100.0) -> dict[str, torch.Tensor]:
    """Real and whole tensors of every kind of shape, made anew for each owner."""
    rng = np.random.default_rng(seed)
    real = {shape: torch.from_numpy(rng.uniform(-size, size, shape)) for shape in ((4, 3), (7,), (), (2, 0), (2, 1, 2))}
    return {
        "matrix": real[4, 3],
        "Vector.weight": real[(7,)].float(),
        "half": real[2, 1, 2].half(),
        "scalar": real[()],
        "empty": real[2, 0],
        "count": torch.tensor(int(rng.integers(0, 1 << 40))),
        "small": torch.from_numpy(rng.integers(-20, 20, (5,)).astype(np.int8)),
        "pixels": torch.from_numpy(rng.integers(0, 50, (2, 2)).astype(np.uint8)),
    }


def each(who: Roster, program: Callable[[Session, int | None], Any]) -> tuple[list[Any], list[Session]]:
    """`program(session, k)` at owner number k, and with None at parties that own no data."""
    place = {rank: k for k, rank in enumerate(who.owners)}
    return run_with_sessions(who, lambda session: program(session, place.get(session.rank)))


def total(k_owners: int, name: str) -> torch.Tensor:
    return sum(tensors(k)[name].double() for k in range(k_owners))  # type: ignore[return-value]


def test_results_can_be_trained_further() -> None:
    """Protocols run in torch's inference mode; a model that is made of their results must not be bound by it."""
    results, _ = each(roster(2, owners=3), lambda s, k: aggregate(s, None if k is None else {"w": torch.ones(3)}))
    for result in results:
        weights = result["w"].requires_grad_()
        (weights * weights).sum().backward()
        assert weights.grad.tolist() == [6.0] * 3


# -- sums --------------------------------------------------------------------------------------------------------------


@EVERY
def test_sum_of_a_dict_with_dtypes_and_shapes_as_they_were(who: Roster) -> None:
    results, sessions = each(who, lambda s, k: aggregate(s, None if k is None else tensors(k)))
    owners = len(who.owners)
    for rank, result in enumerate(results):
        if not who.parties[rank].roles & {"data", "compute"}:
            assert result is None
            continue
        for name, like in tensors(0).items():
            assert (result[name].dtype, result[name].shape) == (like.dtype, like.shape)
            exact = total(owners, name)
            if like.dtype.is_floating_point:  # each owner's rounding, then that to the dtype
                scale = 2.0 ** -(41 - np.ceil(np.log2(owners)))
                slack = owners * scale / 2 + exact.abs() * torch.finfo(like.dtype).eps
                assert ((result[name].double() - exact).abs() <= slack).all()
            else:
                assert torch.equal(result[name].double(), exact)


@pytest.mark.parametrize("who", [ROSTERS["two compute"], ROSTERS["owners who do not compute"]])
def test_sum_of_single_tensors(who: Roster) -> None:
    results, _ = each(who, lambda s, k: aggregate(s, None if k is None else torch.full((2, 2), k + 0.5)))
    expected = torch.full((2, 2), sum(k + 0.5 for k in range(len(who.owners))))
    assert all(torch.equal(results[rank], expected) for rank in who.owners)


def test_order_of_a_dict_does_not_matter_and_is_kept() -> None:
    def program(session: Session, k: int | None) -> Any:
        own = None if k is None else tensors(k)
        return aggregate(session, dict(reversed(own.items())) if k == 1 and own else own)

    results, _ = each(ROSTERS["two compute"], program)
    assert list(results[0]) == list(tensors(0))
    assert list(results[1]) == list(reversed(tensors(0)))
    assert torch.equal(results[1]["matrix"], results[0]["matrix"])


def test_state_dict_of_a_model_can_be_loaded_again() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))
    ours = [copy.deepcopy(model) for _ in range(3)]
    for k, own in enumerate(ours):
        with torch.no_grad():
            for parameter in own.parameters():
                parameter += k
        own(torch.ones(2 + k, 5))
    results, _ = each(
        ROSTERS["three compute"],
        lambda s, k: aggregate(s, None if k is None else ours[k].state_dict(), weight=None if k is None else 1.0),
    )
    model.load_state_dict(results[0])
    for name, value in model.state_dict().items():
        mean = torch.stack([own.state_dict()[name].double() for own in ours]).mean(0)
        assert torch.allclose(value.double(), mean, rtol=2.0**-22, atol=2.0**-24), name
    assert model.state_dict()["1.num_batches_tracked"].dtype == torch.int64


@pytest.mark.parametrize("bound", [1.0, 2.0**-10, 3.7e9])
def test_precision_of_a_sum_follows_from_its_bound(bound: float) -> None:
    values = [torch.from_numpy(np.random.default_rng(k).uniform(-bound, bound, 500)) for k in range(2)]
    results, _ = each(roster(2), lambda s, k: aggregate(s, None if k is None else values[k], bound=bound))
    error = (results[0] - values[0] - values[1]).abs().max().item()
    assert error <= max(2.0**-52, 2.0 ** (np.ceil(np.log2(2 * bound)) - 61)) + bound * 2.0**-52


def test_integers_are_exact_up_to_53_bits() -> None:
    top = 2**53 // 3
    values = [torch.tensor([top, -top, top - 1, 1]), torch.tensor([top, -top, 1, 1]), torch.tensor([top, -top, 0, 0])]
    results, _ = each(roster(3), lambda s, k: aggregate(s, None if k is None else values[k]))
    assert results[0].tolist() == [3 * top, -3 * top, top, 2]


# -- weighted means ----------------------------------------------------------------------------------------------------


def real_tensors(k: int, size: float = 100.0) -> dict[str, torch.Tensor]:
    return {name: t for name, t in tensors(k, size).items() if name != "count"}


def close_to_the_mean(result: torch.Tensor, parts: list[torch.Tensor], weights: list[float], scale: int) -> bool:
    """As `aggregate` promises: 2^-24 of each difference to the last owner, one unit of rounding and one of sharing."""
    exact = sum(w * part.double() for w, part in zip(weights, parts, strict=True)) / sum(weights)
    slack = sum((part.double() - parts[-1].double()).abs() for part in parts) * 1.001 * 2.0**-24 + 1.5 * 2.0**-scale
    if result.dtype.is_floating_point:
        slack = slack + result.double().abs() * torch.finfo(result.dtype).eps
    else:
        slack = slack + 0.5
    return bool(((result.double() - exact).abs() <= slack).all())


@EVERY
@pytest.mark.parametrize("weights", [[442.0, 17.5, 1e6, 3.25, 8.0], [1, 1, 1, 1, 1], [2.0**-10, 2.0**20, 1, 1, 1]])
def test_weighted_mean(who: Roster, weights: list[float]) -> None:
    own = weights[: len(who.owners)]

    def program(session: Session, k: int | None) -> Any:
        return aggregate(session) if k is None else aggregate(session, real_tensors(k), weight=own[k])

    results, _ = each(who, program)
    for name, like in real_tensors(0).items():
        result = results[who.owners[0]][name]
        assert (result.dtype, result.shape) == (like.dtype, like.shape)
        assert close_to_the_mean(result, [real_tensors(k)[name] for k in range(len(own))], own, 27), name


@pytest.mark.parametrize("bound", [2.0**-30, 1.0, 1000.0, 2.0**20, 2.0**29])
def test_precision_of_a_mean_follows_from_its_bound(bound: float) -> None:
    values = [torch.from_numpy(np.random.default_rng(k).uniform(-bound, bound, 500)) for k in range(3)]
    weights = [3.0, 0.5, 1000.0]

    def program(session: Session, k: int | None) -> Any:
        own = {} if k is None else {"tensors": values[k], "weight": weights[k]}
        return aggregate(session, bound=bound, **own)

    results, _ = each(roster(3), program)
    assert close_to_the_mean(results[0], values, weights, min(52, 37 - int(np.ceil(np.log2(bound)))))


def test_what_is_equal_at_all_owners_comes_out_exact() -> None:
    value = torch.from_numpy(np.random.default_rng(0).integers(-(2**36), 2**36, 2000) / 2.0**27)
    whole = torch.arange(-20, 20, dtype=torch.int16)

    def program(session: Session, k: int | None) -> Any:
        own = {} if k is None else {"tensors": {"value": value, "whole": whole}, "weight": [17.0, 3.3, 2.0**-5][k]}
        return aggregate(session, **own)

    results, _ = each(roster(3), program)
    assert torch.equal(results[0]["value"], value)
    assert torch.equal(results[0]["whole"], whole)


def test_weights_matter_by_their_ratio_alone() -> None:
    values = [torch.from_numpy(np.random.default_rng(k).uniform(-1, 1, 50)) for k in range(2)]
    for factor, largest in ((1.0, 2.0**20), (2.0**-9, 2.0**20), (2.0**-30, 1.0), (2.0**30, 2.0**40)):
        weights = [3.0 * factor, 5.0 * factor]

        def program(session: Session, k: int | None) -> Any:
            own = {} if k is None else {"tensors": values[k], "weight": weights[k]}  # noqa: B023
            return aggregate(session, bound=1.0, largest_weight=largest, **own)  # noqa: B023

        results, _ = each(roster(2), program)
        assert close_to_the_mean(results[0], values, [3.0, 5.0], 37)


# -- who learns what ---------------------------------------------------------------------------------------------------


def test_only_named_parties_learn_the_result_and_the_ledger_says_so() -> None:
    who = ROSTERS["owners who do not compute"]
    results, sessions = each(who, lambda s, k: aggregate(s, None if k is None else tensors(k), to=["o4", "p1"]))
    assert [result is not None for result in results] == [name in ("o4", "p1") for name in who.names]
    names = sorted(tensors(0))
    reason = "secure aggregation over p0, p1, dealer, o3, o4"
    expected = [
        {"what": f"sum of {name}", "shape": list(tensors(0)[name].shape), "to": ["o4", "p1"], "reason": reason}
        for name in names
    ]
    assert all(session.ledger == expected for session in sessions)


@pytest.mark.parametrize(
    ("name", "weighted", "hear"),
    [
        ("two compute", False, set()),
        ("two compute", True, {"p0"}),
        ("owners who do not compute", False, {"p1"}),
        ("owners who do not compute", True, {"p0", "p1"}),
    ],
)
def test_what_a_party_receives_is_uniform(name: str, weighted: bool, hear: set[str]) -> None:
    """For tensors without a single random bit. The result itself goes to the last owner, whose view is left out."""
    who = ROSTERS[name]
    receiver = who.names[who.owners[-1]]

    def program(session: Session, k: int | None) -> Any:
        own = {"weight": 1.0} if weighted and k is not None else {}
        return aggregate(session, None if k is None else torch.zeros(3000), to=[receiver], **own)

    _, sessions = each(who, program)
    views = {s.name: [t for t in s.wire.view if t.numel() * t.element_size() >= 8 * 3000] for s in sessions}
    del views[receiver]
    assert {name for name, view in views.items() if view} == hear
    for name, view in views.items():
        for message in view:
            assert uniformity([message]) > UNLIKELY, name


def test_dealer_without_data_receives_nothing_but_structure() -> None:
    def program(session: Session, k: int | None) -> Any:
        before = len(session.wire.view)
        aggregate(session, None if k is None else torch.ones(100), weight=None if k is None else 1.0)
        return session.wire.view[before:]

    results, sessions = each(roster(2), program)
    assert sessions[2].is_dealer
    heard = b"".join(t.numpy().tobytes() for t in results[2] if t.dtype == torch.uint8)
    assert b'"entries"' in heard
    assert all(t.dtype == torch.uint8 or t.numel() == 1 for t in results[2])  # published bytes, and their lengths


# -- what it costs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parties", PARTIES)
def test_a_sum_over_compute_parties_costs_one_round_and_no_dealing(parties: int) -> None:
    """Their shares of each other's tensors are expanded from common streams."""
    who, n = roster(parties), 33
    _, sessions = each(who, lambda s, k: aggregate(s, None if k is None else torch.ones(n)))
    sends = {"messages": parties - 1, "bytes": 8 * n * (parties - 1)}
    for session in sessions[:parties]:
        assert session.meter.exact()["online"] == {"reveal": {"rounds": 1, **sends}}
        assert "offline" not in session.meter.exact()
    assert sessions[parties].meter.exact().keys() == {"setup"}


def test_with_owners_who_do_not_compute_it_costs_two_rounds_and_they_send_each_element_once() -> None:
    who, n = ROSTERS["owners who do not compute"], 33
    _, sessions = each(who, lambda s, k: aggregate(s, None if k is None else torch.ones(n)))
    for rank in (2, 3, 4):
        assert sessions[rank].meter.exact()["online"]["share"] == {"rounds": 1, "messages": 1, "bytes": 8 * n}
    assert [session.meter.total("online").rounds for session in sessions] == [2] * 5
    assert all("offline" not in session.meter.exact() for session in sessions)


@pytest.mark.parametrize("parties", PARTIES)
def test_a_mean_costs_thirteen_rounds_more_and_opens_each_element_once_an_owner_and_once_more(parties: int) -> None:
    who, n, others = roster(parties), 1000, parties - 1
    _, sessions = each(who, lambda s, k: aggregate(s) if k is None else aggregate(s, torch.ones(n), weight=1 + k))
    _, alone = each(who, lambda s, k: fractions_alone(s, parties))
    for session, without in zip(sessions[:parties], alone, strict=False):
        assert session.meter.total("online").rounds == without.meter.total("online").rounds + 3 == 14
        sent = session.meter.total("online").bytes - without.meter.total("online").bytes
        assert sent == 8 * (parties * n + parties + n + n) * others  # pinned, times fractions, truncated, revealed
    dealt = sessions[parties].meter.total("offline").bytes - alone[parties].meter.total("offline").bytes
    assert dealt == 8 * 3 * n


def fractions_alone(session: Session, count: int) -> None:
    """What it costs to make fractions of `count` weights: 11 rounds."""
    (weights,) = share_inputs(session, [Input("w", 0, (count,), 0, 2.0**50, torch.ones(count).long())])
    with session.phase("online"):
        run(session, proportions(weights, scale=24))


@pytest.mark.parametrize("weight", [None, 2.0])
@pytest.mark.parametrize("name", ["two compute", "owners who do not compute"])
def test_the_plan_of_each_party_is_what_it_did(name: str, weight: float | None) -> None:
    who = ROSTERS[name]

    def program(session: Session, k: int | None) -> Any:
        return aggregate(session) if k is None else aggregate(session, real_tensors(k), weight=weight)

    _, sessions = each(who, program)
    for session in sessions:
        done = session.meter.exact()
        del done["setup"]["publish"]
        assert plan(who, session.rank, lambda dry: aggregate(dry, real_tensors(0), weight=weight)) == done


# -- what is refused, before anything is shared ------------------------------------------------------------------------


def refused(
    error: type[Exception], match: str, program: Callable[[Session, int | None], Any], who: Roster | None = None
) -> None:
    """`program` fails at some party with `error`, and nobody has shared anything by then."""
    met: list[Session] = []

    def watched(session: Session, k: int | None) -> Any:
        met.append(session)
        return program(session, k)

    with pytest.raises(error, match=match):
        each(who or roster(3), watched)
    assert met and all(not session.meter.exact().keys() & {"online", "offline"} for session in met)
    assert all(not session.ledger for session in met)


def with_odd(odd: Any, **settings: Any) -> Callable[[Session, int | None], Any]:
    """All owners bring {"x": two ones}, owner 1 brings `odd` instead."""

    def program(session: Session, k: int | None) -> Any:
        own = None if k is None else odd if k == 1 else {"x": torch.ones(2)}
        return aggregate(session, own, **settings)

    return program


@pytest.mark.parametrize(
    ("odd", "match"),
    [
        ({}, "nothing to aggregate"),
        ([1.0, 2.0], "list cannot be aggregated"),
        ({"x": torch.ones(0)}, "no tensor has an element"),
        ({"x": [1.0, 2.0]}, "'x' is no tensor but list"),
        ({3: torch.ones(2)}, "named by strings, not by int"),
        ({"x": torch.tensor([True, False])}, "'x' holds bool"),
        ({"x": torch.ones(2, dtype=torch.complex64)}, "'x' holds complex64"),
        ({"x": torch.eye(2).to_sparse()}, "'x' is a sparse tensor"),
        ({"x": torch.tensor([1.0, float("nan")])}, r"x\[1\] is NaN"),
        ({"x": torch.tensor([float("-inf"), 1.0])}, r"x\[0\] is infinite"),
    ],
)
def test_what_does_not_add_up_is_refused_by_name(odd: Any, match: str) -> None:
    refused(DataError, match, with_odd(odd))


@pytest.mark.parametrize("weight", [None, 1.0])
def test_a_value_above_its_bound_is_refused_by_name(weight: float | None) -> None:
    def program(session: Session, k: int | None) -> Any:
        own = {"x": torch.tensor([1.0, -9.0 if k == 2 else 8.0])}
        return aggregate(session, bound=8) if k is None else aggregate(session, own, weight=weight, bound=8)

    refused(HeadroomError, r"x\[1\] is outside the bound 8", program)


def test_a_half_whose_sum_might_be_infinite_is_refused() -> None:
    odd = {"x": torch.tensor([1.0, 3e4], dtype=torch.float16)}
    refused(HeadroomError, r"x\[1\] is outside the bound 21834", with_odd(odd))


@pytest.mark.parametrize(
    ("value", "dtype"), [(43, torch.int8), (-43, torch.int8), (86, torch.uint8), (2**53 // 3 + 1, torch.int64)]
)
def test_an_integer_whose_sum_might_not_fit_is_refused(value: int, dtype: torch.dtype) -> None:
    odd = {"x": torch.tensor([0, value], dtype=dtype)}
    kind = str(dtype).removeprefix("torch.")
    refused(HeadroomError, f"x holds an integer beyond .* a sum over 3 owners might not fit {kind}", with_odd(odd))


@pytest.mark.parametrize(
    ("odd", "match"),
    [
        ({"y": torch.ones(2)}, "p0 brings 'x', which p1 lacks"),
        ({"x": torch.ones(2), "y": torch.ones(2)}, "p1 brings 'y', which p0 lacks"),
        ({"x": torch.ones(3)}, r"'x' has shape \(2,\) at p0 and \(3,\) at p1"),
        ({"x": torch.ones(2, 1)}, r"'x' has shape \(2,\) at p0 and \(2, 1\) at p1"),
        ({"x": torch.ones(2).double()}, "'x' has dtype torch.float32 at p0 and torch.float64 at p1"),
        (torch.ones(2), "p1 brings one tensor, p0 a dict"),
    ],
)
def test_structures_that_differ_are_named_at_every_party(odd: Any, match: str) -> None:
    def program(session: Session, k: int | None) -> None:
        with pytest.raises(AgreementError, match=match):
            with_odd(odd)(session, k)

    each(roster(3), program)


@pytest.mark.parametrize(
    ("settings", "name"),
    [({"bound": 5.0}, "bound"), ({"to": ["p1"]}, "to"), ({"largest_weight": 2.0}, "largest_weight")],
)
@pytest.mark.parametrize("odd", [1, None])
def test_other_arguments_at_one_party_are_named(settings: dict[str, Any], name: str, odd: int | None) -> None:
    def program(session: Session, k: int | None) -> Any:
        return aggregate(session, None if k is None else torch.ones(2), **(settings if k == odd else {}))

    refused(AgreementError, f"p0 and {'dealer' if odd is None else 'p1'} pass different values of {name}", program)


def test_a_weight_at_some_owners_only_is_named() -> None:
    def program(session: Session, k: int | None) -> Any:
        return aggregate(session, None if k is None else torch.ones(2), weight=3.0 if k == 2 else None)

    refused(AgreementError, "p0 and p2 pass different values of owner's weight", program)


SECRET = 12345.678


@pytest.mark.parametrize(
    ("weight", "error", "match"),
    [
        (-SECRET, DataError, "no positive number"),
        (0, DataError, "no positive number"),
        (float("nan"), DataError, "no positive number"),
        (True, DataError, "no positive number"),
        ("5", DataError, "no positive number"),
        (SECRET * 2**10, HeadroomError, "above largest_weight = 1.04858e"),
        (SECRET * 2**-30, HeadroomError, "below largest_weight / 2.30 = 0.000976562"),
    ],
)
def test_a_weight_that_is_none_is_refused_and_not_repeated(weight: Any, error: type[Exception], match: str) -> None:
    def program(session: Session, k: int | None) -> Any:
        own = None if k is None else torch.ones(2)
        try:
            return aggregate(session, own, weight=None if k is None else weight if k == 1 else 1.0)
        except error as raised:
            assert "234" not in str(raised)
            raise

    refused(error, match, program)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"to": []}, "to names nobody"),
        ({"to": "p1"}, "to names nobody"),
        ({"to": ["nobody"]}, "no party is called 'nobody'"),
        ({"bound": 0.0}, "bound = 0.0 is not a positive number"),
        ({"bound": float("inf")}, "bound = inf is not"),
        ({"largest_weight": -1.0}, "largest_weight = -1.0 is not"),
        ({"bound": 2.0**60}, "bound leaves no bits after the point"),
        ({"bound": 2.0**31, "weight": 1.0}, "bound leaves no bits"),
        ({"largest_weight": 2.0**60, "weight": 2.0**50}, "largest_weight leaves no bits"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(settings: dict[str, Any], match: str) -> None:
    refused(JobError, match, lambda s, k: aggregate(s, torch.ones(2), **settings) if k is not None else None)


def test_parties_bring_tensors_exactly_if_they_own_data() -> None:
    refused(JobError, "p1 owns data and must bring tensors", with_odd(None))
    refused(JobError, "dealer owns no data", lambda s, k: aggregate(s, torch.ones(2)) if k is None else None)
    refused(JobError, "dealer owns no data", lambda s, k: aggregate(s, weight=2.0) if k is None else None)


def test_a_single_owner_is_refused_because_the_result_would_be_its_tensor() -> None:
    refused(
        JobError,
        "one data owner alone",
        lambda s, k: aggregate(s, None if k is None else torch.ones(2)),
        ROSTERS["one owner computes"],
    )
