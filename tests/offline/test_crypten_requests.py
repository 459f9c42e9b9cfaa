"""CrypTen's requests are public, travel as JSON, and are fulfilled by our dealer; rank 0 alone asks for all."""

import functools
from collections.abc import Callable
from operator import xor
from typing import Any

import pytest
import torch

from mpcfl.errors import AgreementError
from mpcfl.offline.crypten_provider import Provider, inner_session, serve
from mpcfl.offline.crypten_requests import BILINEAR, Request
from mpcfl.offline.crypten_streams import CryptenStreams
from mpcfl.world.party import Party, Roster
from mpcfl.world.session import Session
from tests.evaluation import PARTIES, UNLIKELY, uniformity
from tests.parties import roster, run_with_sessions

SIMULATIONS = {
    f"simulation, p{dealer} deals": Roster(
        [Party.of(f"p{k}", {"data", "compute"} | ({"dealer"} if k == dealer else set())) for k in range(3)],
        insecure_simulation=True,
    )
    for dealer in (0, 1)
}
ROSTERS = {f"{n} and a dealer": roster(n) for n in PARTIES} | SIMULATIONS
ROSTERS["2, a dealer and an owner"] = roster(2, owners=4)
every_roster = pytest.mark.parametrize("who", ROSTERS.values(), ids=ROSTERS.keys())


def ask(who: Roster | int, program: Callable[[Provider], Any]) -> tuple[Roster, list[Any], list[Session]]:
    """`program(provider)` at the compute parties, the dealer serving; results by rank."""
    who = roster(who) if isinstance(who, int) else who

    def party(session: Session) -> Any:
        if session.is_compute:
            provider = connected(session)
            result = program(provider)
            provider.stop()
            return result
        return serve(session) if session.is_dealer else None

    results, sessions = run_with_sessions(who, party)
    return who, results, sessions


def connected(session: Session) -> Provider:
    """As `crypten_context` does, but without CrypTen itself, whose state is the process's."""
    inner = inner_session(session)
    CryptenStreams(inner)
    return Provider(inner)


def whole(who: Roster, results: list[Any], index: int, combine: Callable[..., Any] = torch.add) -> torch.Tensor:
    return functools.reduce(combine, [results[rank][index].share for rank in who.compute])


TRIPLES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "mul": ((3, 4), (3, 4), {}),
    "mul, broadcast": ((3, 1), (4,), {}),
    "matmul": ((3, 4), (4, 2), {}),
    "matmul, vector": ((3, 4), (4,), {}),
    "matmul, batch": ((2, 3, 4), (4, 2), {}),
    "conv1d": ((2, 3, 9), (4, 3, 3), {"stride": 2, "padding": 1}),
    "conv2d": ((2, 4, 6, 6), (4, 2, 3, 3), {"padding": (1, 0), "groups": 2}),
    "conv_transpose1d": ((2, 3, 5), (3, 2, 3), {"output_padding": 1, "stride": 2}),
    "conv_transpose2d": ((1, 3, 4, 4), (3, 2, 2, 2), {"dilation": 2}),
}


@every_roster
def test_every_bilinear_operation_gets_its_triple(who: Roster) -> None:
    def program(provider: Provider) -> list[Any]:
        return [
            item
            for name, (left, right, named) in TRIPLES.items()
            for item in provider.generate_additive_triple(torch.Size(left), right, name.split(",")[0], None, **named)
        ]

    assert {name.split(",")[0] for name in TRIPLES} == set(BILINEAR)
    _, results, _ = ask(who, program)
    for k, (name, (left, right, named)) in enumerate(TRIPLES.items()):
        a, b, c = (whole(who, results, 3 * k + i) for i in range(3))
        assert (a.shape, b.shape) == (left, right)
        assert torch.equal(c, getattr(torch, name.split(",")[0])(a, b, **named)), name


@every_roster
def test_square_binary_triple_and_bits(who: Roster) -> None:
    def program(provider: Provider) -> list[Any]:
        return [*provider.square((5,)), *provider.generate_binary_triple((40, 1), (3,)), *provider.B2A_rng((200,))]

    _, results, _ = ask(who, program)
    assert torch.equal(whole(who, results, 1), whole(who, results, 0) ** 2)
    a, b, c = (whole(who, results, i, xor) for i in (2, 3, 4))
    assert torch.equal(c, a & b)
    arithmetic, bits = whole(who, results, 5), whole(who, results, 6, xor)
    assert torch.equal(arithmetic, bits)
    assert set(bits.tolist()) == {0, 1}
    assert set(results[0][6].share.tolist()) == {0, 1}  # and one bit only is shared


@every_roster
def test_wraps_are_how_often_the_shares_of_r_leave_the_ring(who: Roster) -> None:
    _, results, _ = ask(who, lambda provider: provider.wrap_rng((1000,)))
    shares = [results[rank][0].share.tolist() for rank in who.compute]
    for wraps, *parts in zip(whole(who, results, 1).tolist(), *shares, strict=True):
        total = sum(parts)
        assert wraps == (total + 2**63) // 2**64  # the sum as an integer, minus its residue, in units of 2^64


@pytest.mark.parametrize("parties", PARTIES)
def test_all_shares_of_what_is_dealt_are_uniform(parties: int) -> None:
    def program(provider: Provider) -> list[Any]:
        return [
            *provider.generate_additive_triple((400,), (400,), "mul"),
            *provider.generate_binary_triple((400,), (400,)),
        ]

    who, results, _ = ask(parties, program)
    for rank in who.compute:
        assert uniformity([item.share for item in results[rank]]) > UNLIKELY


def test_dealer_is_told_kind_shapes_and_operation_and_nothing_else() -> None:
    def program(provider: Provider) -> None:
        provider.generate_additive_triple((2, 3), (3, 1), "matmul")
        provider.square((7,))

    who, _, sessions = ask(2, program)
    heard = sessions[who.dealer].wire.view[4:]  # after the agreements of the session and of its inner one
    requests = [bytes(t.tolist()) for t in heard if t.dtype == torch.uint8]
    assert requests == [b'["additive", [[2, 3], [3, 1]], "matmul", [], {}]', b'["square", [[7]], "", [], {}]']
    assert [int(t) for t in heard if t.dtype == torch.int64] == [*map(len, requests), 0]


def test_only_rank_0_sends_requests_and_only_the_last_party_gets_corrections() -> None:
    who, _, sessions = ask(3, lambda provider: provider.square((7,)))
    offline = [session.meter.exact().get("offline", {}) for session in sessions]
    size = len(Request("square", ((7,),)).encode())
    assert offline[0] == {"crypten request": {"rounds": 0, "messages": 3, "bytes": 8 + size + 8}}
    assert offline[1] == offline[2] == {}
    assert offline[3] == {"crypten square": {"rounds": 0, "messages": 1, "bytes": 7 * 8}}


def test_data_owners_stay_in_step_however_much_crypten_draws() -> None:
    who = roster(2, owners=4)

    def program(session: Session) -> int:
        before = session._operation
        if session.is_compute:
            provider = connected(session)
            for _ in range(5):
                provider.square((2,))
            provider.stop()
        elif session.is_dealer:
            serve(session)
        return session._operation - before

    results, _ = run_with_sessions(who, program)
    assert results == [0] * who.size


def test_a_request_travels_unchanged() -> None:
    request = Request("additive", ((2, 3), (3,)), "conv2d", (None, 1), {"padding": (1, 0), "groups": 2})
    assert Request.decode(request.encode()) == request
    assert Request.decode(Request("bits", ((),)).encode()) == Request("bits", ((),))


@pytest.mark.parametrize("request_", [Request("secret", ((2,),)), Request("additive", ((2,), (2,)), "load")])
def test_an_unknown_request_is_refused(request_: Request) -> None:
    with pytest.raises(AgreementError, match="asks the dealer for an unknown"):
        request_.recipe(2)


def test_only_a_dealer_apart_from_the_compute_parties_serves() -> None:
    for who, rank in ((roster(2), 0), (roster(2, owners=4), 3), (SIMULATIONS["simulation, p0 deals"], 0)):
        with pytest.raises(ValueError, match="is no dealer apart"):
            serve(Session.dry(who, rank))
