"""What a session needs from a transport, and the transport of a dry run, which only answers with shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch

from mpcfl.ring.blank import blank

Expected = tuple[tuple[int, ...], torch.dtype]


class Wire(Protocol):
    """Moves tensors between linked parties; `mpcfl.world.transport.Mesh` is the real one."""

    phase: str

    def exchange(
        self,
        sends: Mapping[int, torch.Tensor],
        receives: Mapping[int, Expected],
        into: Mapping[int, torch.Tensor] | None = None,
    ) -> dict[int, torch.Tensor]:
        """Send and receive at once; what arrives is new, or lies in the tensors `into`."""
        ...

    def advance(self) -> None: ...

    def abort(self, reason: str, culprit: int | None = None) -> None: ...

    def close(self) -> None: ...


class DryWire:
    """Sends nothing; what it "receives" are tensors without content (torch's meta device)."""

    phase = "plan"

    def exchange(
        self,
        sends: Mapping[int, torch.Tensor],
        receives: Mapping[int, Expected],
        into: Mapping[int, torch.Tensor] | None = None,
    ) -> dict[int, torch.Tensor]:
        return {rank: blank(shape, dtype) for rank, (shape, dtype) in receives.items()}

    def advance(self) -> None:
        pass

    def abort(self, reason: str, culprit: int | None = None) -> None:
        pass

    def close(self) -> None:
        pass
