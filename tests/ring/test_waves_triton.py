"""Waves in Triton have the bits of the definition, at every corner and on every device."""

import hashlib

import pytest
import torch

from mpcfl.ring import _waves_cpu, _waves_torch
from mpcfl.ring.waves import Coefficients
from tests.ring.interpreted import kernel_devices
from tests.ring.test_waves import ANGLES, HIGHEST, coefficients, uniform


@kernel_devices
@pytest.mark.parametrize(("terms", "n"), [(1, 0), (1, 1), (7, 256), (32, 257)])
def test_tables_are_those_of_torch(terms: int, n: int, device: str) -> None:
    """256 angles are one program's."""
    from mpcfl.ring import _waves_triton

    for scale in (0, 16, HIGHEST):
        found = _waves_triton.tables(uniform(n).to(device), terms, scale)
        assert torch.equal(found.cpu(), _waves_torch.tables(uniform(n), terms, scale))


@kernel_devices
@pytest.mark.parametrize(("sines", "cosines"), [(1, 1), (0, 2), (3, 0), (0, 0)])
def test_combinations_are_those_of_torch(sines: int, cosines: int, device: str) -> None:
    from mpcfl.ring import _waves_triton

    for terms, n, size in ((1, 0, 1.0), (7, 300, 2.0**16), (32, 256, 2.0**50)):
        angles, shares, c = uniform(n), uniform(2, terms, n), coefficients(sines, cosines, terms, size)
        found = _waves_triton.combine(angles.to(device), shares.to(device), c)
        assert found.shape == (sines + cosines, n)
        assert torch.equal(found.cpu(), _waves_torch.combine(angles, shares, c))


@kernel_devices
@pytest.mark.parametrize("n", [2, 258])
def test_words_are_those_of_torch(n: int, device: str) -> None:
    from mpcfl.ring import _waves_triton

    found = _waves_triton.tables(uniform(n).to(device), 7, 30, torch.int32)
    assert torch.equal(found.cpu(), _waves_torch.tables(uniform(n), 7, 30, torch.int32))
    angles, shares, c = uniform(n), uniform(2, 7, n).to(torch.int32), coefficients(2, 1, 7, 2.0**50)
    found = _waves_triton.combine(angles.to(device), shares.to(device), c)
    assert torch.equal(found.cpu(), _waves_torch.combine(angles, shares, c))


@kernel_devices
def test_integers_halfway_go_to_the_even_one(device: str) -> None:
    from mpcfl.ring import _waves_triton

    zero, shares = torch.zeros(1, dtype=torch.int64), torch.tensor([[[1]], [[0]]])
    for value, wanted in ((1.0, 0), (2.0, 2), (3.0, 2), (4.0, 4), (-1.0, -2), (-2.0, -2)):
        c = Coefficients(torch.empty(0, 1).numpy(), torch.tensor([[value]]).numpy())
        assert _waves_triton.combine(zero.to(device), shares.to(device), c).item() == wanted


@kernel_devices
def test_the_bits_are_those_of_other_machines(device: str) -> None:
    """Half of what `test_waves.py` has the digest of, which all processors give."""
    from mpcfl.ring import _waves_triton

    digest = hashlib.sha256()
    angles, shares = torch.cat([ANGLES, uniform(3000)]), uniform(2, 64, len(ANGLES) + 3000)
    rows = uniform(4, 64).double().numpy() * 2.0**-14  # up to 2^49
    found = [_waves_triton.tables(angles.to(device), 64, HIGHEST).cpu()]
    found.append(_waves_triton.combine(angles.to(device), shares.to(device), Coefficients(rows[:2], rows[2:])).cpu())
    wanted = [_waves_cpu.tables(angles, 64, HIGHEST)]
    wanted.append(_waves_cpu.combine(angles, shares, Coefficients(rows[:2], rows[2:])))
    for _ in range(2):
        for part in found:
            digest.update(part.numpy().tobytes())
    assert all(torch.equal(x, y) for x, y in zip(found, wanted, strict=True))
    assert digest.hexdigest()[:16] == "b1f3d714b31b466f"
