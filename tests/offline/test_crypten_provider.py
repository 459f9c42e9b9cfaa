"""A user's own CrypTen code on our shares, at real processes: right results, our randomness, our connections alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from mpcfl.offline.crypten_provider import crypten_context
from mpcfl.offline.crypten_requests import Request
from mpcfl.protocols.crypten_code import run_crypten
from mpcfl.sharing.reveal import reveal
from mpcfl.sharing.share import Share
from mpcfl.world.party import Party, Roster
from mpcfl.world.session import Session
from mpcfl.world.transport import Mesh
from tests.offline.crypten_runs import TWO, UNIT, X, Y, share, start
from tests.world.crew import NAMES, crew

IMAGE, KERNEL = torch.arange(-8.0, 8.0).reshape(1, 1, 4, 4) / 4, torch.tensor([[[[1.0, -0.5], [0.25, 2.0]]]])

# name -> (on CrypTen tensors x, y; the same on torch tensors; largest error)
Operation = tuple[Callable[[Any, Any], Any], Callable[[Any, Any], torch.Tensor], float]
OPERATIONS: dict[str, Operation] = {
    "matmul": (lambda x, y: x @ y.t(), lambda x, y: x @ y.T, 2 * UNIT),
    "mul": (lambda x, y: x * y, lambda x, y: x * y, 2 * UNIT),
    "mul, broadcast": (lambda x, y: x * y[0], lambda x, y: x * y[0], 2 * UNIT),
    "square": (lambda x, y: x.square(), lambda x, y: x * x, 2 * UNIT),
    "sum": (lambda x, y: x.sum(0) - 3 * y[0], lambda x, y: x.sum(0) - 3 * y[0], 0.0),
    "division": (lambda x, y: x / 3, lambda x, y: x / 3, 3 * UNIT),
    "relu": (lambda x, y: x.relu(), lambda x, y: x.relu(), 0.0),
    "comparison": (lambda x, y: x > y, lambda x, y: (x > y).double(), 0.0),
    "equality": (lambda x, y: x == x[0], lambda x, y: (x == x[0]).double(), 0.0),
    "maximum": (lambda x, y: x.max(), lambda x, y: x.max(), 0.0),
    # what follows is as good as CrypTen's own iterations
    "reciprocal": (lambda x, y: (x.abs() + 1).reciprocal(), lambda x, y: 1 / (x.abs() + 1), 1e-3),
    "sigmoid": (lambda x, y: x.sigmoid(), lambda x, y: x.sigmoid(), 1e-2),
    "conv2d": (  # of x and y times public factors, so that both operands are secret
        lambda x, y: (x[0, 0] * IMAGE).conv2d(y[0, 0] * KERNEL),
        lambda x, y: torch.conv2d(IMAGE.double() * x[0, 0], KERNEL.double() * y[0, 0]),
        8 * UNIT,
    ),
}
THREE = Roster(
    [Party.of(name, ["compute"]) for name in NAMES[:3]] + [Party.of("west", ["dealer"]), Party.of("centre", ["data"])]
)


def operate(who: Roster, mesh: Mesh) -> dict[str, Any]:
    """All operations, one use of CrypTen each; then one more sharing, which needs everybody to be still in step."""
    session, x, y = start(who, mesh)
    results = {}
    heard = listen(mesh) if session.is_dealer else []
    for name, (secret, plain, _) in OPERATIONS.items():
        shape = tuple(plain(X, Y).shape)
        scale = 0 if name in ("comparison", "equality") else 16

        def program(secret: Any = secret) -> Any:
            return secret(x.to_crypten(), y.to_crypten())

        results[name] = run_crypten(session, program, shape=shape, bound=1000.0, scale=scale)
    (after,) = share(session, after=X)
    learnt = reveal({**results, "after": after}, reason="a test")
    revealed = {name: values.tolist() for name, values in learnt.items()} if session.is_compute else {}
    return {"revealed": revealed, "heard": heard, "meter": session.meter.exact(), "kept": kept(session, x, y)}


def kept(session: Session, x: Share, y: Share) -> bool:
    """Whether our own shares still are what they were, after all that CrypTen did with its copies in place."""
    values = reveal({"x": x, "y": y}, reason="a test")
    return not session.is_compute or (torch.equal(values["x"], X) and torch.equal(values["y"], Y))


def listen(mesh: Mesh) -> list[bytes]:
    """All that this party will receive from now on."""
    heard: list[bytes] = []
    exchange = mesh.exchange

    def listening(*args: Any, **named: Any) -> Any:
        received = exchange(*args, **named)
        heard.extend(tensor.numpy().tobytes() for tensor in received.values())
        return received

    mesh.exchange = listening  # type: ignore[method-assign]
    return heard


def two(mesh: Mesh, say: Any) -> dict[str, Any]:
    return operate(TWO, mesh)


def three(mesh: Mesh, say: Any) -> dict[str, Any]:
    return operate(THREE, mesh)


@pytest.fixture(scope="module", params=[(TWO, two), (THREE, three)], ids=["two compute", "three compute"])
def done(request: pytest.FixtureRequest) -> Iterator[tuple[Roster, list[dict[str, Any]]]]:
    who, program = request.param
    with crew(program, who.size, links=who.links(), timeout=60.0) as run:
        yield who, run.values()


Done = tuple[Roster, list[dict[str, Any]]]


@pytest.mark.parametrize("name", OPERATIONS)
def test_crypten_code_gives_the_right_result_as_a_share_of_ours(done: Done, name: str) -> None:
    who, parties = done
    _, plain, error = OPERATIONS[name]
    for rank in who.compute:
        result = torch.tensor(parties[rank]["revealed"][name], dtype=torch.float64)
        assert (result - plain(X, Y)).abs().max() <= error


def test_our_own_shares_are_untouched_and_all_parties_are_still_in_step(done: Done) -> None:
    _, parties = done
    assert parties[0]["revealed"]["after"] == X.tolist()
    assert all(party["kept"] for party in parties)


def test_dealer_hears_requests_and_keys_and_no_opened_value(done: Done) -> None:
    """Everything that reaches it: for each use of CrypTen an agreement with each compute party, then requests, each
    after its length; and what a dealer without data hears of a sharing and a reveal, which is nothing."""
    who, parties = done
    heard = iter(parties[who.dealer]["heard"])
    kinds = set()
    for _ in OPERATIONS:
        assert [len(next(heard)) for _ in who.compute] == [64] * len(who.compute)
        while size := int.from_bytes(next(heard), "little"):
            data = next(heard)
            assert len(data) == size
            request = Request.decode(data)
            assert request.encode() == data
            kinds.add(request.kind)
    assert list(heard) == []
    assert kinds == {"additive", "square", "binary", "bits"} | ({"wraps"} if len(who.compute) > 2 else set())


def test_crypten_s_messages_are_counted_and_go_to_compute_parties_only(done: Done) -> None:
    who, parties = done
    for rank, party in enumerate(parties):
        assert ("crypten" in party["meter"].get("online", {})) == (rank in who.compute)
    online = [parties[rank]["meter"]["online"]["crypten"] for rank in who.compute]
    assert all(cost["bytes"] > 0 for cost in online)
    assert len({cost["rounds"] for cost in online}) == 1


# -- refused without any process ---------------------------------------------------------------------------------------


def test_a_plan_cannot_run_crypten_code() -> None:
    with pytest.raises(ValueError, match="a dry run cannot tell what CrypTen code will cost"):
        run_crypten(Session.dry(TWO, 0), lambda: None, shape=(), bound=1.0)


@pytest.mark.parametrize(("who", "rank"), [(TWO, 2), (THREE, 3), (THREE, 4)])
def test_only_compute_parties_have_a_context(who: Roster, rank: int) -> None:
    with pytest.raises(ValueError, match="does not compute"):
        with crypten_context(Session.dry(who, rank)):
            pass


def another_shape(mesh: Mesh, say: Any) -> None:
    session, x, _ = start(TWO, mesh)
    run_crypten(session, lambda: x.to_crypten().sum(0), shape=(2,), bound=10.0)


def test_a_result_of_another_shape_than_promised_is_refused() -> None:
    with crew(another_shape, TWO.size, links=TWO.links(), timeout=60.0) as run:
        assert "CrypTen gave shape (3,) at scale 16, not (2,) at 16" in run.outcome(0).message
