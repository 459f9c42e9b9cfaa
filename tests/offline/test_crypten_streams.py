"""CrypTen's generators on ChaCha20: who has which in common, and no stretch twice."""

from typing import Any

import pytest
import torch

from mpcfl.offline.crypten_provider import inner_session
from mpcfl.offline.crypten_streams import CryptenStreams
from mpcfl.world.session import Session
from tests.evaluation import PARTIES, UNLIKELY, uniformity
from tests.parties import roster, run_parties

GENERATORS = ("prev", "next", "local", "global")
N = 400


def drawn(parties: int, times: int = 2) -> list[dict[str, list[torch.Tensor]]]:
    """What each compute party draws from each generator."""

    def program(session: Session) -> Any:
        if not (session.is_compute or session.is_dealer):
            return None
        streams = CryptenStreams(inner_session(session))
        if session.is_dealer:
            with pytest.raises(KeyError):
                streams.elements("global", (1,), 64)
            return None
        return {name: [streams.elements(name, (N,), 64) for _ in range(times)] for name in GENERATORS}

    return run_parties(roster(parties, owners=parties + 2), program)[:parties]


@pytest.mark.parametrize("parties", PARTIES)
def test_next_of_a_party_is_prev_of_the_one_after_it(parties: int) -> None:
    views = drawn(parties)
    for rank in range(parties):
        after = views[(rank + 1) % parties]
        assert all(torch.equal(a, b) for a, b in zip(views[rank]["next"], after["prev"], strict=True))
    zero = sum(view["prev"][0] - view["next"][0] for view in views)
    assert torch.equal(zero, torch.zeros(N, dtype=torch.int64))


@pytest.mark.parametrize("parties", PARTIES)
def test_nothing_else_is_in_common_and_nothing_comes_twice(parties: int) -> None:
    """Also for two parties, whose "next" and "prev" are both in common with the same other one."""
    views = drawn(parties)
    once = [t for view in views for name in ("next", "local") for t in view[name]]
    once += views[0]["global"]
    assert len({tuple(t.tolist()) for t in once}) == len(once) == 4 * parties + 2
    assert len(torch.cat(once).unique()) == len(once) * N
    assert uniformity(once) > UNLIKELY


@pytest.mark.parametrize("parties", PARTIES)
def test_global_is_the_same_at_all_compute_parties(parties: int) -> None:
    views = drawn(parties)
    assert all(torch.equal(view["global"][1], views[0]["global"][1]) for view in views)


def test_two_uses_of_crypten_in_one_session_have_streams_of_their_own() -> None:
    def program(session: Session) -> Any:
        both = [CryptenStreams(inner_session(session)) for _ in range(2)]
        return None if session.is_dealer else [s.elements("next", (N,), 64) for s in both]

    first, second = run_parties(2, program)[0]
    assert not set(first.tolist()) & set(second.tolist())


@pytest.mark.parametrize("bits", [1, 16, 63, 64])
def test_bits_limit_what_is_drawn(bits: int) -> None:
    def program(session: Session) -> Any:
        streams = CryptenStreams(inner_session(session))
        return None if session.is_dealer else streams.elements("local", (3, N), bits)

    result = run_parties(2, program)[0]
    assert result.shape == (3, N)
    if bits == 64:
        assert int(result.min()) < 0 < int(result.max())
    else:
        assert 0 <= int(result.min())
        assert 2**bits // 2 <= int(result.max()) < 2**bits
