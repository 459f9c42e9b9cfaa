"""What CrypTen is made of while our provider is in: its randomness is ours, and what is insecure is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from mpcfl.errors import MpcflError
from mpcfl.offline.crypten_provider import crypten_context, serve
from mpcfl.world import _crypten
from mpcfl.world.party import Party, Roster
from mpcfl.world.transport import Mesh
from tests.offline.crypten_runs import TWO, UNIT, X, Y, start
from tests.world.crew import crew


def inside(mesh: Mesh, say: Any) -> dict[str, Any] | None:
    session, x, y = start(TWO, mesh)
    if session.is_dealer:
        serve(session)
        serve(session)
        return None
    crypten = _crypten.load()
    seen: dict[str, Any] = {}
    randomness = vars(crypten.common.rng)["generate_random_ring_element"]
    with crypten_context(session):
        seen["providers"] = list(vars(crypten.mpc)["__SUPPORTED_PROVIDERS"])
        arithmetic = crypten.mpc.primitives.ArithmeticSharedTensor
        seen["zero"] = arithmetic.PRZS((50,)).share.tolist()
        seen["binary zero"] = crypten.mpc.primitives.BinarySharedTensor.PRZS((50,)).share.tolist()
        seen["own input"] = crypten.cryptensor(X.float(), src=1).get_plain_text().tolist()
        seen["uniform"] = crypten.mpc.MPCTensor.rand(1000).get_plain_text().tolist()
        dropped = crypten.cryptensor(torch.ones(1000)).dropout(p=0.25)
        seen["dropout"] = dropped.get_plain_text().tolist()
        a, b = x.to_crypten(), crypten.cryptensor(Y.float(), precision=20)
        seen["scales differ"] = (b + a).get_plain_text().tolist(), (a + b).get_plain_text().tolist()
        seen["refused"] = {}
        for name, settings in {"TFP": {"mpc.provider": "TFP"}, "replicated": {"mpc.protocol": "replicated"}}.items():
            with crypten.cfg.temp_override(settings):
                try:
                    x.to_crypten() * y.to_crypten()
                except MpcflError as error:
                    seen["refused"][name] = str(error)
        try:
            with crypten_context(session):
                pass
        except RuntimeError as error:
            seen["refused"]["twice"] = str(error)
    seen["restored"] = vars(crypten.common.rng)["generate_random_ring_element"] is randomness
    seen["initialised"] = crypten.is_initialized()
    try:
        crypten.mpc.get_default_provider()
    except MpcflError as error:
        seen["refused"]["outside"] = str(error)
    try:
        with crypten_context(session):
            raise KeyError("the user's own error")
    except KeyError as error:
        seen["own error"] = str(error)
    return seen


@pytest.fixture(scope="module")
def seen() -> Iterator[list[dict[str, Any]]]:
    with crew(inside, TWO.size, links=TWO.links(), timeout=60.0) as run:
        yield run.values()[:2]


Seen = list[dict[str, Any]]


def test_our_provider_is_the_only_one(seen: Seen) -> None:
    assert [party["providers"] for party in seen] == [["mpcfl"]] * 2


def test_the_first_party_provider_is_refused_with_the_reason(seen: Seen) -> None:
    for party in seen:
        refusal = party["refused"]["TFP"]
        assert "CrypTen's provider 'TFP' is refused: with it one compute party knows every mask" in refusal
        assert "insecure_simulation = true" in refusal


def test_the_leaking_protocol_is_refused(seen: Seen) -> None:
    assert all("'replicated' leaks secrets" in party["refused"]["replicated"] for party in seen)


def test_zero_sharings_are_of_zero_and_random(seen: Seen) -> None:
    a, b = (torch.tensor(party["zero"]) for party in seen)
    assert torch.equal(a + b, torch.zeros(50, dtype=torch.int64))
    assert len(a.unique()) == 50
    a, b = (torch.tensor(party["binary zero"]) for party in seen)
    assert torch.equal(a ^ b, torch.zeros(50, dtype=torch.int64))
    assert len(a.unique()) == 50


def test_inputs_of_crypten_s_own_are_shared_by_any_party(seen: Seen) -> None:
    assert all(party["own input"] == X.tolist() for party in seen)


def test_random_numbers_are_in_step(seen: Seen) -> None:
    """CrypTen's uniform numbers from local bits, and dropout, for which all parties must drop the same elements."""
    uniform = torch.tensor(seen[0]["uniform"])
    assert seen[0]["uniform"] == seen[1]["uniform"]
    assert 0 <= uniform.min() and uniform.max() < 1 and uniform.unique().numel() > 900
    dropped = torch.tensor(seen[0]["dropout"])
    assert seen[0]["dropout"] == seen[1]["dropout"]
    assert set((dropped * 3).round().int().tolist()) == {0, 4}
    assert 600 < int((dropped > 0).sum()) < 900


def test_operands_that_crypten_rescales_in_place_are_copies(seen: Seen) -> None:
    for party in seen:
        for result in party["scales differ"]:
            assert (torch.tensor(result, dtype=torch.float64) - X - Y).abs().max() <= 2 * UNIT


def test_one_use_at_a_time_and_none_outside(seen: Seen) -> None:
    for party in seen:
        assert "in use by a session of this process already" in party["refused"]["twice"]
        assert "CrypTen is not connected to a session" in party["refused"]["outside"]
        assert party["initialised"] is False
        assert party["restored"] is True


def test_an_error_in_the_user_s_code_is_the_user_s_and_the_dealer_is_released(seen: Seen) -> None:
    assert [party["own error"] for party in seen] == ['"the user\'s own error"'] * 2  # and `serve` returned twice


# -- the experiment that is not secure ---------------------------------------------------------------------------------


SIMULATION = Roster(
    [Party.of("north", ["data", "compute", "dealer"]), Party.of("south", ["compute"])], insecure_simulation=True
)


def simulate(mesh: Mesh, say: Any) -> dict[str, Any]:
    session, x, y = start(SIMULATION, mesh)
    crypten = _crypten.load()
    seen: dict[str, Any] = {}
    with crypten_context(session):
        seen["providers"] = sorted(vars(crypten.mpc)["__SUPPORTED_PROVIDERS"])
        seen["ours"] = (x.to_crypten() * y.to_crypten()).get_plain_text().tolist()
        with crypten.cfg.temp_override({"mpc.provider": "TFP"}):
            seen["theirs"] = (x.to_crypten() * y.to_crypten()).get_plain_text().tolist()
    return seen


def test_in_an_insecure_simulation_crypten_s_first_party_is_allowed() -> None:
    with crew(simulate, 2, timeout=60.0) as run:
        for party in run.values():
            assert party["providers"] == ["TFP", "mpcfl"]
            for which in ("ours", "theirs"):
                assert (torch.tensor(party[which]) - (X * Y).float()).abs().max() <= 2 * UNIT
