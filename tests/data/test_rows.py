"""The joint table as shares, row by row, whoever brings rows or columns: in one order for all, at public scales."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from mpcfl.data.facts import Aside, Facts
from mpcfl.data.own_rows import ROW_BOUND, WEIGHT_BOUND, Coded
from mpcfl.data.rows import WEIGHT_SCALE, Layout, SharedRows, Vector, share_rows
from mpcfl.data.table import Table
from mpcfl.errors import DataError, HeadroomError
from mpcfl.sharing.share import Share
from mpcfl.world.party import Roster
from mpcfl.world.session import Session
from tests.evaluation import PARTIES, plan, sum_of_shares
from tests.parties import roster, run_with_sessions

SCALE = 20
RNG = np.random.default_rng(0)
X = np.round(RNG.normal(size=(23, 4)) * 2.0**SCALE) / 2.0**SCALE  # exact at SCALE
Y = (X[:, 0] > 0).astype(float)
NAMES = ("a", "b", "c", "d")
RESPONSE = Vector(scale=30, bound=1.0, factor=0.75)


def code(y: np.ndarray, name: str, target: str) -> Coded:
    """The target as a loss takes it: here as it is, and as a sign, an offset and a weight."""
    return Coded(response=y, sign=2 * y - 1, offset=y / 4, weight=1 + y, target=y)


def response_only(y: np.ndarray, name: str, target: str) -> Coded:
    return Coded(response=y)


def layout(**options: Any) -> Layout:
    return Layout(**({"scale": SCALE, "fit_intercept": True, "code": response_only, "response": RESPONSE} | options))


@dataclass(frozen=True)
class Case:
    """A roster, who holds what of X and Y, and the facts."""

    who: Roster
    tables: dict[int, Table]
    facts: Facts


def horizontal(who: Roster, **facts: Any) -> Case:
    """Uneven stretches of rows; each owner has its columns in another order."""
    owners = who.owners
    edges = [*(k * (k + 1) // 2 for k in range(len(owners))), len(X)]
    tables = {}
    for k, owner in enumerate(owners):
        order = np.roll(range(5), k)
        block = np.c_[X, Y][edges[k] : edges[k + 1]]
        tables[owner] = Table.of(block[:, order], names=np.array([*NAMES, "y"])[order], name=f"t{owner}")
    rows = {owner: table.rows for owner, table in tables.items()}
    return Case(who, tables, Facts(partition="horizontal", features=NAMES, target="y", rows=rows, **facts))


def vertical(who: Roster, holders: tuple[int, ...], **facts: Any) -> Case:
    """Column j at the owner holders[j], the target last; each owner has its own columns back to front."""
    columns = dict(zip([*NAMES, "y"], np.c_[X, Y].T, strict=True))
    tables = {}
    for owner in sorted(set(holders)):
        mine = [name for name, holder in zip(columns, holders, strict=True) if holder == owner][::-1]
        tables[owner] = Table.of({name: columns[name] for name in mine}, name=f"t{owner}")
    rows = dict.fromkeys(tables, len(X))
    given = Facts(partition="vertical", features=NAMES, target="y", rows=rows, holders=holders, **facts)
    return Case(who, tables, given)


@dataclass(frozen=True)
class Done:
    case: Case
    results: list[SharedRows]
    sessions: list[Session]

    def share(self, name: str) -> Share:
        return getattr(self.results[0], name)

    def real(self, name: str) -> np.ndarray:
        total = sum_of_shares(getattr(self.results[rank], name) for rank in self.case.who.compute)
        return total.double().numpy() / 2.0 ** self.share(name).scale

    def cost(self, rank: int) -> tuple[int, int, int]:
        found = self.sessions[rank].meter.exact().get("online", {}).get("share", {})
        return found.get("rounds", 0), found.get("messages", 0), found.get("bytes", 0)


def shared(case: Case, how: Layout, chosen: list[np.ndarray] | None = None) -> Done:
    """Shares the rows; asserts that each party did what its plan says."""
    batches = [np.arange(len(X))] if chosen is None else chosen

    def program(session: Session) -> SharedRows:
        own = None if session.dry_run else case.tables.get(session.rank)
        with session.phase("online"):
            return share_rows(session, own, case.facts, batches, how)

    results, sessions = run_with_sessions(case.who, program)
    for session in sessions:
        assert plan(case.who, session.rank, program) == session.meter.exact()
    return Done(case, results, sessions)


CASES = {f"horizontal, {n} compute": horizontal(roster(n)) for n in PARTIES}
CASES |= {f"horizontal, {n} compute and two more own": horizontal(roster(n, owners=n + 2)) for n in PARTIES}
CASES |= {
    "vertical, two owners": vertical(roster(2), (0, 0, 1, 1, 1)),
    "vertical, the target first": vertical(roster(2), (1, 1, 0, 1, 0)),
    "vertical, columns mixed": vertical(roster(3), (2, 0, 1, 2, 0)),
    "vertical, an owner with the target alone": vertical(roster(2, owners=3), (0, 1, 0, 1, 2)),
    "vertical, owners who do not compute": vertical(roster(2, owners=4), (3, 2, 0, 3, 2)),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


# -- the joint table ---------------------------------------------------------------------------------------------------


@every_case
@pytest.mark.parametrize("intercept", [True, False])
def test_the_joint_table_has_the_rows_of_the_owners_in_turn_and_the_columns_of_the_weights(
    case: Case, intercept: bool
) -> None:
    done = shared(case, layout(fit_intercept=intercept))
    assert np.array_equal(done.real("x"), np.c_[X, np.ones(len(X))] if intercept else X)
    assert np.array_equal(done.real("response"), 0.75 * Y)
    assert (done.share("x").scale, done.share("x").bound) == (SCALE, ROW_BOUND)
    assert (done.share("response").scale, done.share("response").bound) == (30, 1.0)
    for name in ("weighted", "offset", "sign", "weight", "target"):
        assert done.share(name) is None


@every_case
def test_parties_without_shares_get_shapes(case: Case) -> None:
    done = shared(case, layout())
    for rank, result in enumerate(done.results):
        assert result.x.shape == (23, 5) and result.response is not None and result.response.shape == (23,)
        assert result.x._ring.is_meta == (rank not in case.who.compute)


def test_several_columns_of_responses_keep_their_order() -> None:
    classes = np.arange(len(X)) % 3
    case = horizontal(roster(2))
    edges = np.cumsum([0, *case.facts.rows.values()])

    def one_hot(y: np.ndarray, name: str, target: str) -> Coded:
        start = edges[int(name[1:])]
        return Coded(response=(classes[start : start + len(y), None] == np.arange(3)).astype(float))

    done = shared(case, layout(code=one_hot, response=Vector(scale=30, bound=1.0, columns=3)))
    assert np.array_equal(done.real("response"), np.eye(3)[classes])


def test_values_are_rounded_to_the_scale() -> None:
    done = shared(horizontal(roster(2)), layout(scale=3))
    assert np.array_equal(done.real("x")[:, :4], np.round(X * 8) / 8)


# -- what else a row brings --------------------------------------------------------------------------------------------


def test_who_has_whole_rows_multiplies_them_by_signs_and_weights_at_home() -> None:
    how = layout(code=code, signed=True, weighted=True, offset=Vector(scale=25, bound=1.0))
    done = shared(horizontal(roster(2)), how)
    signed = np.c_[X, np.ones(len(X))] * (2 * Y - 1)[:, None]
    assert np.array_equal(done.real("x"), signed)
    assert np.array_equal(done.real("weighted"), signed * (1 + Y)[:, None])
    assert done.share("weighted").bound == ROW_BOUND * WEIGHT_BOUND
    assert np.array_equal(done.real("offset"), Y / 4)
    assert done.share("sign") is None and done.share("weight") is None


def test_who_has_some_columns_cannot_and_signs_and_weights_are_shared() -> None:
    how = layout(code=code, signed=True, weighted=True, offset=Vector(scale=25, bound=1.0))
    done = shared(vertical(roster(2), (0, 1, 0, 1, 1)), how)
    assert np.array_equal(done.real("x"), np.c_[X, np.ones(len(X))])
    assert np.array_equal(done.real("sign"), 2 * Y - 1) and np.array_equal(done.real("weight"), 1 + Y)
    assert (done.share("sign").scale, done.share("sign").bound) == (0, 1.0)
    assert (done.share("weight").scale, done.share("weight").bound) == (WEIGHT_SCALE, WEIGHT_BOUND)
    assert done.share("weighted") is None and np.array_equal(done.real("offset"), Y / 4)


def test_rows_without_a_weight_of_their_own_weigh_one() -> None:
    done = shared(horizontal(roster(2)), layout(weighted=True))
    assert np.array_equal(done.real("weighted"), done.real("x"))


@pytest.mark.parametrize("partition", ["horizontal", "vertical"])
def test_the_target_is_shared_of_all_rows_where_metrics_need_it(partition: str) -> None:
    options = {"test_fraction": 0.4, "seed": 3}
    case = (
        horizontal(roster(3), **options)
        if partition == "horizontal"
        else vertical(roster(2), (0, 0, 1, 1, 0), **options)
    )
    done = shared(case, layout(code=code, target=Vector(scale=10, bound=4.0)))
    assert np.array_equal(done.real("target"), Y)


def test_columns_that_are_no_features_enter_as_weights_and_offsets() -> None:
    case = vertical(roster(2), (0, 0, 0, 0, 1), aside=Aside(weight="w", offset="o", exposure="e"))
    w, o, e = np.linspace(0, 4, 23), np.linspace(-1, 1, 23), np.exp2(np.arange(23) / 4 - 3)
    case.tables[1] = Table.of({"w": w, "o": o, "y": Y, "e": e})
    done = shared(case, layout(weighted=True, offset=Vector(scale=40, bound=8.0)))
    assert np.abs(done.real("weight") - w).max() <= 2.0**-WEIGHT_SCALE
    assert np.abs(done.real("offset") - (o + np.log(e))).max() <= 2.0**-40


# -- cost --------------------------------------------------------------------------------------------------------------


@every_case
def test_only_owners_who_do_not_compute_send_and_each_its_own_part(case: Case) -> None:
    """1 round where there is such an owner, none otherwise; n (columns + responses) elements, once."""
    done = shared(case, layout())
    rounds = int(any(owner not in case.who.compute for owner in case.facts.owners))
    for rank in range(case.who.size):
        if rank in case.who.compute:
            assert done.cost(rank) == (rounds, 0, 0)
        elif rank in case.facts.owners:
            table = case.tables[rank]
            width = len(table.columns) + ("y" in table.columns)  # the ones for the target, and the response
            assert done.cost(rank) == (1, 1, table.rows * width * 8)
        else:
            assert done.cost(rank) == (0, 0, 0)


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_a_value_out_of_range_is_named_by_its_owner_and_nothing_is_shared() -> None:
    case = horizontal(roster(2))
    block = case.tables[1].values.copy()
    block[4, case.tables[1].columns.index("c")] = 32.5
    case.tables[1] = Table.of(block, names=case.tables[1].columns, name="south.csv")
    with pytest.raises(DataError, match=r"south\.csv: row 5, column 'c': beyond 32"):
        shared(case, layout())


def test_a_response_beyond_its_bound_is_refused() -> None:
    with pytest.raises(HeadroomError, match=r"response\[\d+\] is outside the bound 0\.5"):
        shared(horizontal(roster(2)), layout(response=Vector(scale=30, bound=0.5, factor=0.75)))


def test_each_share_looks_uniform() -> None:
    """A party's own rows, too, are told by no share of another."""
    done = shared(horizontal(roster(3)), layout())
    rings = torch.stack([done.results[rank].x._ring for rank in (0, 1, 2)])
    assert (rings.abs() > 2.0**40).double().mean() > 0.99
