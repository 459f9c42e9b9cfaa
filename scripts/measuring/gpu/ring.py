"""Figures of the ring: products, masks, and which way of multiplying suits which shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import torch

from measuring.gpu.clock import Clock
from measuring.gpu.figure import FIGURE, Row, row
from measuring.gpu.peaks import Peaks, Size
from mpcfl.ring import _cuda, _digits, _limbs
from mpcfl.ring._triton import why_not
from mpcfl.ring.prg import Stream, fresh_key
from mpcfl.ring.product import keep, matmul, matmul_pair, matmul_pair_t

_PRODUCTS = 36  # of digits, in a product of two elements
_OPERATIONS = 960  # of integers, in a block of 64 bytes of ChaCha20
_CHOICES_WORK = 1 << 34  # multiply-adds of a product beyond which native integers are not tried


def uniform(device: torch.device, *shape: int) -> torch.Tensor:
    return Stream(fresh_key(), device).operation(0).elements(shape)


def ring_product(clock: Clock, peaks: Peaks, size: Size) -> Row:
    """A large product, beside CrypTen's way on the same device."""
    n, device = size.square, clock.device
    a, b = uniform(device, n, n), uniform(device, n, n)
    _same("matmul", matmul(a, b)[:16], _limbs.matmul(a[:16], b))
    timing = clock.time(lambda: matmul(a, b))
    keep(a)
    again = clock.time(lambda: matmul(a, b))
    name, peer = crypten_matmul(device)
    rate = n**3 / 1e12
    return row(
        f"ring_product_{n}", rate / timing.seconds, "1e12 multiply-adds/s",
        peer=(name, lambda: rate / clock.time(lambda: peer(a, b)).seconds),
        roofline=("8-bit multiply-adds", peaks.int8 / _PRODUCTS / 1e12),
        target=14.0, timing=timing, with_kept_digits=round(rate / again.seconds, 4),
    )  # fmt: skip


def matvec(clock: Clock, peaks: Peaks, size: Size) -> Iterator[Row]:
    """[X] @ delta + E @ b + c and its transpose: milliseconds for each of the two matrices that are read."""
    n, d, device = size.rows, size.columns, clock.device
    x, e = uniform(device, n, d), uniform(device, n, d)
    name, peer = crypten_matmul(device)
    for case, product, k, m in (("matvec", matmul_pair, d, n), ("matvec_t", matmul_pair_t, n, d)):
        v, w, plus = uniform(device, k), uniform(device, k), uniform(device, m)
        left = (x, e) if case == "matvec" else (x.t(), e.t())
        wanted = [_limbs.matmul(part[:64], u[:, None])[:, 0] for part, u in zip(left, (v, w), strict=True)]
        _same(case, product(x, v, e, w, plus)[:64], wanted[0] + wanted[1] + plus[:64])
        timing = clock.time(lambda product=product, v=v, w=w, plus=plus: product(x, v, e, w, plus))
        yield row(
            f"{case}_{size.table}", timing.seconds / 2 * 1e3, "ms a pass", less_is_better=True,
            peer=(name, lambda v=v, left=left: 1e3 * clock.time(lambda: peer(left[0], v)).seconds),
            roofline=("bytes", 8 * n * d / peaks.bandwidth * 1e3),
            target=0.25, timing=timing, terabytes_a_second=round(16 * n * d / timing.seconds / 1e12, 4),
        )  # fmt: skip


def chacha20(clock: Clock, peaks: Peaks, size: Size) -> Row:
    words = torch.empty(size.words, dtype=torch.int64, device=clock.device)
    stream, numbers = Stream(fresh_key(), clock.device), count()
    timing = clock.time(lambda: stream.operation(next(numbers)).fill(words))
    roofs = {"bytes": peaks.bandwidth}
    if peaks.integer is not None:
        roofs["integer operations"] = peaks.integer / _OPERATIONS * 64
    bound = min(roofs, key=lambda name: roofs[name])
    low, high, rate = -(2**63), 2**63 - 1, 8 * size.words / 1e12
    return row(
        "chacha20", rate / timing.seconds, "TB/s",
        peer=("torch.Tensor.random_", lambda: rate / clock.time(lambda: words.random_(low, high)).seconds),
        roofline=(bound, roofs[bound] / 1e12), target=0.8, timing=timing,
    )  # fmt: skip


def choices(clock: Clock, size: Size) -> Row:
    """What each way takes for each of some shapes, beside the one that the table of `_cuda.py` takes."""
    n, d = size.rows, size.columns
    shapes = [(n, d, columns) for columns in (1, 8, 32, d)] + [(d, n, columns) for columns in (1, 8, 32, d)]
    shapes += [(d, d, d), (2 * d, 2 * d, 2 * d)]
    shapes += [(side, side, side) for side in (size.square // 8, size.square // 4, size.square // 2, size.square)]
    quick, lines, right = Clock(clock.device, clock.budget / 10, least=2, most=20), [], 0
    for shape in shapes:
        a, b = uniform(clock.device, shape[0], shape[1]), uniform(clock.device, shape[1], shape[2])
        seconds = {way: quick.time(lambda f=f, a=a, b=b: f(a, b)).seconds for way, f in _ways(clock, shape).items()}
        chosen, best = _cuda.choice(*shape), min(seconds, key=lambda way: seconds[way])
        right += chosen in seconds and seconds[chosen] <= 1.1 * seconds[best]
        line = {"shape": list(shape), "chosen": chosen, "best": best}
        lines.append({**line, "milliseconds": {way: round(1e3 * taken, 4) for way, taken in seconds.items()}})
    more: Row = {"table": lines, "rules": [vars(choice) for choice in _cuda.CHOICES]}
    missing = why_not(clock.device.type)
    if missing is not None:
        return {"figure": FIGURE, "case": "choices", "name": "choices", "not_measured": missing, **more}
    return row("choices", right / len(shapes), "of shapes by the fastest way, or within 10 %", **more)


def _ways(clock: Clock, shape: tuple[int, int, int]) -> dict[str, Callable[[torch.Tensor, torch.Tensor], object]]:
    n, k, m = shape
    ways: dict[str, Callable[[torch.Tensor, torch.Tensor], object]] = {"limbs": _limbs.matmul}
    ways["digits"] = lambda a, b: _digits.matmul(_digits.digits_of(a, left=True), _digits.digits_of(b.t(), left=False))
    if why_not(clock.device.type) is None:
        from mpcfl.ring import _tiles_triton

        if _cuda.choice(n, k, m) == "skinny":
            ways["skinny"] = _cuda.matmul
        if n * k * m <= _CHOICES_WORK:
            ways["tiles"] = _tiles_triton.matmul
    return ways


def crypten_matmul(device: torch.device) -> tuple[str, Callable[[torch.Tensor, torch.Tensor], object]]:
    """CrypTen's product of ring elements there: float64 blocks on CUDA, torch's own on the CPU."""
    if device.type != "cuda":
        return "torch.matmul, CrypTen's way on the CPU", torch.matmul
    from mpcfl.world._crypten import load

    load()
    from crypten.cuda import CUDALongTensor

    return "CrypTen 0.4.1, CUDALongTensor", lambda a, b: CUDALongTensor.matmul(a, b)


def _same(name: str, found: torch.Tensor, wanted: torch.Tensor) -> None:
    if not torch.equal(found, wanted):
        raise AssertionError(f"{name} gives other ring elements than float64 limbs do")
