"""What CrypTen asks its provider for, as recipes: the same request makes the same recipe at every party.

Requests are public: shapes and an operation, never a value. They travel to the dealer as JSON, because a user's own
CrypTen code runs at the compute parties only and nobody else knows what it will ask for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from mpcfl.errors import AgreementError
from mpcfl.offline.dealing import Recipe, Shape, Tensors
from mpcfl.ring.blank import blank
from mpcfl.ring.product import matmul

BILINEAR = ("mul", "matmul", "conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d")


@dataclass(frozen=True, slots=True)
class Request:
    """kind: additive, square, binary, wraps or bits; `shapes` of its masks; `operation` and its further arguments of
    an additive triple."""

    kind: str
    shapes: tuple[Shape, ...]
    operation: str = ""
    arguments: tuple[Any, ...] = ()
    named: dict[str, Any] = field(default_factory=dict)

    def encode(self) -> bytes:
        return json.dumps([self.kind, self.shapes, self.operation, self.arguments, self.named]).encode()

    @classmethod
    def decode(cls, data: bytes) -> Request:
        kind, shapes, operation, arguments, named = json.loads(data)
        named = {name: _tuple(value) for name, value in named.items()}
        return cls(kind, _tuple(shapes), operation, _tuple(arguments), named)

    def recipe(self, parties: int) -> Recipe:
        """How the dealer fulfils it for so many compute parties. AgreementError for what no CrypTen asks."""
        shapes = [tuple(shape) for shape in self.shapes]
        if self.kind == "additive" and self.operation in BILINEAR:
            return Recipe("crypten triple", shapes, [self._result_shape()], lambda m: [self._bilinear(*m)])
        if self.kind == "square":
            return Recipe("crypten square", shapes, shapes, lambda m: [m[0] * m[0]])
        if self.kind == "binary":
            shape = np.broadcast_shapes(*shapes)
            return Recipe("crypten binary triple", shapes, [shape], lambda m: [m[0] & m[1]], xor=True)
        if self.kind == "wraps":
            return Recipe("crypten wraps", shapes, shapes, lambda m: [_wraps(m)], apart=True)
        if self.kind == "bits":  # the lowest bit of a sum is the exclusive or of the lowest bits
            return Recipe("crypten bits", shapes, shapes, lambda m: [m[0] & 1])
        raise AgreementError(f"CrypTen at the compute parties asks the dealer for an unknown '{self.kind}'")

    def _bilinear(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        if self.operation == "matmul" and a.ndim == 2 and b.ndim in (1, 2):
            return matmul(a, b)
        result: torch.Tensor = getattr(torch, self.operation)(a, b, *self.arguments, **self.named)
        return result

    def _result_shape(self) -> Shape:
        if self.operation == "mul":
            return np.broadcast_shapes(*self.shapes)
        a, b = (blank(shape) for shape in self.shapes)
        return tuple(self._bilinear(a, b).shape)


def _wraps(shares: Tensors) -> torch.Tensor:
    """How often the sum of the shares, one after the other, leaves the range of int64: upward minus downward."""
    count, total = torch.zeros_like(shares[0]), shares[0]
    for share in shares[1:]:
        after = total + share
        count += ((total >= 0) & (share >= 0) & (after < 0)).long()
        count -= ((total < 0) & (share < 0) & (after >= 0)).long()
        total = after
    return count


def _tuple(value: Any) -> Any:
    return (
        tuple(_tuple(item) for item in value) if isinstance(value, Sequence) and not isinstance(value, str) else value
    )
