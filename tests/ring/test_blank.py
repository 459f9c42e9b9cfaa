"""A tensor without content has, after every operation, the shape that torch gives a tensor with content."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from mpcfl.ring import blank as module
from mpcfl.ring.blank import ELEMENTWISE, Blank, blank, indices

# Pairs of shapes as protocols have them: alike, a row or a column beside a matrix, a scalar, nothing at all.
PAIRS = [((4, 3), (4, 3)), ((4, 3), (3,)), ((4, 3), (4, 1)), ((), (2, 3)), ((5,), ()), ((0, 3), (1, 3))]
PAIRS += [((2, 1, 3), (4, 1))]

Call = Callable[[Any, Any], torch.Tensor]
REAL_ONLY = {"div", "true_divide", "__truediv__", "sqrt", "floor", "ceil", "round"}  # of integers torch has no root
ONE: dict[str, Call] = {  # operations of one tensor, and those that make one like it
    "neg": lambda x, _: torch.neg(x),
    "__neg__": lambda x, _: -x,
    "sign": lambda x, _: x.sign(),
    "round": lambda x, _: x.round(),
    "abs": lambda x, _: x.abs(),
    "square": lambda x, _: x.square(),
    "sqrt": lambda x, _: x.sqrt(),
    "floor": lambda x, _: x.floor(),
    "ceil": lambda x, _: x.ceil(),
    "clone": lambda x, _: x.clone(),
    "contiguous": lambda x, _: x.contiguous(),
    "clamp": lambda x, _: x.clamp(min=0),
    "logical_not": lambda x, _: torch.logical_not(x),
    "bitwise_not": lambda x, _: torch.bitwise_not(x),
    "__invert__": lambda x, _: ~x,
    "zeros_like": lambda x, _: torch.zeros_like(x),
    "ones_like": lambda x, _: torch.ones_like(x),
    "empty_like": lambda x, _: torch.empty_like(x),
    "full_like": lambda x, _: torch.full_like(x, 7),
    "__rsub__": lambda x, _: 1 - x,
    "__rand__": lambda x, _: 1 & x,
    "__ror__": lambda x, _: 1 | x,
    "__rxor__": lambda x, _: 1 ^ x,
    "__rlshift__": lambda x, _: 1 << x,
    "__rrshift__": lambda x, _: 1 >> x,
    "__radd__": lambda x, _: 1 + x,
    "__rmul__": lambda x, _: 3 * x,
    "rsub": lambda x, _: torch.rsub(x, 5),
}
TWO: dict[str, Call] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "eq": torch.eq,
    "ne": torch.ne,
    "gt": torch.gt,
    "ge": torch.ge,
    "lt": torch.lt,
    "le": torch.le,
    "div": lambda x, y: torch.div(x, y, rounding_mode="floor"),
    "true_divide": torch.true_divide,
    "floor_divide": torch.floor_divide,
    "remainder": torch.remainder,
    "ldexp": torch.ldexp,
    "bitwise_and": torch.bitwise_and,
    "bitwise_or": torch.bitwise_or,
    "bitwise_xor": torch.bitwise_xor,
    "where": lambda x, y: torch.where(x == 0, y, 1),
    "__add__": lambda x, y: x + y,
    "__sub__": lambda x, y: x - y,
    "__mul__": lambda x, y: x * y,
    "__truediv__": lambda x, y: x / y,
    "__mod__": lambda x, y: x % y,
    "__and__": lambda x, y: x & y,
    "__or__": lambda x, y: x | y,
    "__xor__": lambda x, y: x ^ y,
    "__lshift__": lambda x, y: x << y,
    "__rshift__": lambda x, y: x >> y,
    "__eq__": lambda x, y: x == y,
    "__ne__": lambda x, y: x != y,
    "__gt__": lambda x, y: x > y,
    "__ge__": lambda x, y: x >= y,
    "__lt__": lambda x, y: x < y,
    "__le__": lambda x, y: x <= y,
}
ROWS, NO_ROWS = torch.tensor([2, 0, 2, 1]), torch.tensor([], dtype=torch.int64)
SHAPED: dict[str, list[Call]] = {
    "__getitem__": [
        lambda x, _: x[1],
        lambda x, _: x[-1, 0],
        lambda x, _: x[1:, ::2],
        lambda x, _: x[..., 0],
        lambda x, _: x[:, None],
        lambda x, _: x[ROWS],
        lambda x, _: x[NO_ROWS],
        lambda x, _: x[ROWS.reshape(2, 2)],
        lambda x, _: x[ROWS.numpy()],
        lambda x, _: x[[2, 0]],
        lambda x, _: x[:, ROWS],
        lambda x, _: x[ROWS, ROWS],
        lambda x, _: x[ROWS[:, None], ROWS],
        lambda x, _: x[torch.tensor([True, False, True])],
        lambda x, _: x[np.array([True, False, False])],
        lambda x, _: x[..., torch.tensor([0, 1, 1])],
    ],
    "sum": [
        lambda x, _: x.sum(),
        lambda x, _: x.sum(0),
        lambda x, _: x.sum(-1),
        lambda x, _: x.sum(dim=1),
        lambda x, _: x.sum((0, 2)),
        lambda x, _: x.sum(dim=[-1, 0]),
        lambda x, _: x.sum(1, keepdim=True),
        lambda x, _: x.sum((0, 1, 2), True),
        lambda x, _: torch.sum(x, 2),
    ],
    "cat": [
        lambda x, _: torch.cat([x, x]),
        lambda x, _: torch.cat((x, x, x), 1),
        lambda x, _: torch.cat([x, x], dim=-1),
    ],
    "concat": [lambda x, _: torch.concat([x, x], 2)],
    "stack": [
        lambda x, _: torch.stack([x, x]),
        lambda x, _: torch.stack((x,), 2),
        lambda x, _: torch.stack([x, x, x], dim=-1),
    ],
    "gather": [lambda x, _: torch.gather(x, 1, torch.zeros(3, 1, 5, dtype=torch.int64))],
    "index_select": [
        lambda x, _: torch.index_select(x, 0, ROWS),
        lambda x, _: torch.index_select(x, -2, ROWS),
        lambda x, _: x.index_select(2, NO_ROWS),
    ],
    "reshape": [
        lambda x, _: x.reshape(-1),
        lambda x, _: x.reshape(15, 3),
        lambda x, _: x.reshape((5, 9)),
        lambda x, _: x.reshape(-1, 1, 5),
        lambda x, _: x[:0].reshape(7, 0),
        lambda x, _: x[0, 0, 0].reshape(()),
        lambda x, _: x[0, 0, 0].reshape(1, 1),
    ],
}
UNKNOWN: list[Call] = [
    lambda x, _: x.T if x.dim() == 2 else x.mT,
    lambda x, _: x.unsqueeze(1),
    lambda x, _: x.expand(2, *x.shape),
    lambda x, _: x.transpose(0, 1),
    lambda x, _: x.diagonal(),
    lambda x, _: x.flatten(1),
    lambda x, _: x.to(torch.float64),
    lambda x, _: x.prod(0),
    lambda x, _: x.cumsum(1),
    lambda x, _: x.roll(1),
    lambda x, _: x.view(-1),
    lambda x, _: x.add_(1),
]


def full(shape: tuple[int, ...], dtype: torch.dtype = torch.int64) -> torch.Tensor:
    """Content: ones, so that nothing is divided by zero or shifted too far."""
    return torch.ones(shape, dtype=dtype)


def agree(found: torch.Tensor, content: torch.Tensor) -> None:
    assert isinstance(found, Blank) and found.is_meta
    assert found.shape == content.shape
    assert isinstance(found.shape, torch.Size)
    assert (found.ndim, found.dim(), found.numel(), len(found.size())) == (
        content.ndim, content.dim(), content.numel(), content.ndim,
    )  # fmt: skip


def test_every_operation_of_the_table_is_held_against_torch_below() -> None:
    assert ONE.keys() | TWO.keys() == ELEMENTWISE
    assert SHAPED.keys() == module._SHAPES.keys()


@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize("shape", [(4, 3), (2, 1, 3), (), (0,)], ids=str)
def test_an_operation_of_one_tensor_keeps_its_shape(shape: tuple[int, ...], name: str) -> None:
    content = full(shape, torch.float64 if name in REAL_ONLY else torch.int64)
    agree(ONE[name](blank(shape), None), ONE[name](content, None))


@pytest.mark.parametrize("name", TWO)
@pytest.mark.parametrize(("left", "right"), PAIRS, ids=str)
def test_an_operation_of_two_broadcasts_them(left: tuple[int, ...], right: tuple[int, ...], name: str) -> None:
    """Both without content, or one of them an ordinary tensor, on either side."""
    call, x, y = TWO[name], full(left), full(right)
    content = call(x, y)
    agree(call(blank(left), blank(right)), content)
    agree(call(blank(left), y), content)
    agree(call(x, blank(right)), content)


@pytest.mark.parametrize("name", sorted(TWO.keys() - {"where", "ldexp"}))
def test_an_operation_with_a_number_keeps_the_shape(name: str) -> None:
    agree(TWO[name](blank((4, 3)), 2), TWO[name](full((4, 3)), 2))


def test_shapes_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="shape mismatch"):
        blank((3,)) + blank((2,))


@pytest.mark.parametrize(("name", "index"), [(name, k) for name, calls in SHAPED.items() for k in range(len(calls))])
def test_an_operation_that_changes_the_shape_changes_it_as_torch_does(name: str, index: int) -> None:
    call = SHAPED[name][index]
    agree(call(blank((3, 3, 5)), None), call(full((3, 3, 5)), None))


def test_an_index_without_content_counts_by_its_shape() -> None:
    assert blank((9, 2))[blank((4, 5))].shape == (4, 5, 2)
    assert blank((2, 9))[:, blank((4,))].shape == (2, 4)
    assert full((9, 2))[blank((4,))].shape == (4, 2)


def test_a_large_index_takes_no_memory() -> None:
    """A dealer's rows are as many as everybody's, and hold nothing."""
    import tracemalloc

    rows = torch.arange(1 << 20)
    tracemalloc.start()
    assert blank((1 << 20, 1 << 10))[rows].shape == (1 << 20, 1 << 10)
    assert blank((1 << 20, 1 << 10)).sum(0).shape == (1 << 10,)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 16


@pytest.mark.parametrize("call", UNKNOWN)
def test_what_is_not_in_the_table_is_left_to_torch(call: Call) -> None:
    shape = (4, 4)
    found = call(blank(shape), None)
    agree(found, call(full(shape), None))
    assert found.dtype == call(full(shape), None).dtype


def test_several_results_are_all_without_content() -> None:
    parts = blank((5, 2)).split([2, 3])
    assert [tuple(part.shape) for part in parts] == [(2, 2), (3, 2)]
    assert all(isinstance(part, Blank) for part in [*parts, *blank((3,)).unbind(0)])


def test_what_torch_refuses_of_real_tensors_is_refused() -> None:
    for shape in ((7,), (-1, 4), (-1, -1)):
        with pytest.raises(RuntimeError):
            blank((3, 5)).reshape(shape)
    with pytest.raises(IndexError):
        blank((3, 5))[3]
    with pytest.raises(IndexError):
        blank((3, 5)).sum(2)


def test_there_is_one_for_each_shape_and_nothing_changes_it() -> None:
    one = blank((2, 3))
    assert one is blank([2, 3]) and one is not blank((2, 3), torch.uint8) and one is not blank((3, 2))
    one += 1
    one[0] = 5
    one.zero_()
    assert blank((2, 3)).shape == (2, 3) and blank((2, 3)).dtype == torch.int64


def test_a_dtype_and_the_bytes_of_it_are_those_asked_for() -> None:
    made = blank((6,), torch.uint8)
    assert (made.dtype, made.element_size(), made.numel(), made.device.type) == (torch.uint8, 1, 6, "meta")
    assert blank((6,)).element_size() == 8


def test_it_has_no_content_to_give() -> None:
    for exit_ in (lambda x: x.tolist(), lambda x: x.numpy(), lambda x: x[0].item(), lambda x: bool(x[0])):
        with pytest.raises((RuntimeError, NotImplementedError, TypeError)):
            exit_(blank((2,)))


def test_one_that_a_protocol_made_serves_outside_of_inference_mode_too() -> None:
    with torch.inference_mode():
        made = blank((7, 11, 13))
    assert blank((7, 11, 13)) is made and made.add_(1).shape == (7, 11, 13)


def test_indices_are_real_numbers_beside_it() -> None:
    assert indices(3, blank((2,))).tolist() == indices(3, full((2,))).tolist() == [0, 1, 2]


def test_the_operations_of_the_table_load_no_module() -> None:
    """torch's own arithmetic without content loads 800 modules, for seconds, at the first addition."""
    program = """
import sys, torch
from mpcfl.ring.blank import blank
before = set(sys.modules)
x, y = blank((4, 3)), torch.ones(3, dtype=torch.int64)
z = (x + y) * 2 - y & x ^ 1
w = torch.where(z == 0, x >> 3, -z << 1).clamp(min=0).reshape(-1)
torch.stack([x, x]).sum(0)[torch.tensor([0, 1])], torch.cat([x, x])[:, 0].T
print(len(set(sys.modules) - before))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(run.stdout) == 0
