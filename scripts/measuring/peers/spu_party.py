"""SecretFlow SPU, SEMI2K with two parties, 64-bit ring, 18 fractional bits, links over brpc without TLS.

It runs in an environment of its own (`pip install spu`). Its wheel has no server for a third dealer, so SPU's default
is measured: rank 0 deals what it then uses ("BeaverTfpUnsafe"), nothing is sent for it, and rank 0 can read everything.

The program is a loop unrolled before it is compiled, as in SPU's own library sml; compiling is not in the seconds.
`once`: X goes through SPU's `make_cached_var`, which opens each batch of it only once. `sigmoid`: "logistic" is
1 / (1 + exp(-z)); "taylor" is 1/2 + z/4 cut off at 0 and 1, the cheapest in sml, and wrong by up to 12 %.

Bytes and sends are SPU's own link statistics of a run; a send counts as a round, since each waits for its answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from measuring.peers.stage import Stage

_STATISTICS = re.compile(r"Link details: total send bytes (\d+), recv bytes \d+, send actions (\d+)")
FRACTION = 18


class Machine:
    """SPU's runtime at this party, and shares that rank 0 makes or puts together."""

    def __init__(self, stage: Stage) -> None:
        import spu.api
        from spu import libspu

        self.spu, self.rank, self._log = libspu, stage.rank, Path(stage.spec["log"])
        description = libspu.link.Desc()
        description.recv_timeout_ms = 120_000
        for rank, (address, port) in enumerate(zip(stage.spec["addresses"], stage.spec["ports"], strict=True)):
            description.add_party(f"party{rank}", f"{address}:{port}")
        self.link = libspu.link.create_brpc(description, stage.rank)
        config = libspu.RuntimeConfig(libspu.ProtocolKind.SEMI2K, libspu.FieldType.FM64)
        config.fxp_fraction_bits = stage.spec.get("fraction_bits", FRACTION)
        config.enable_pphlo_profile = True  # prints the link's statistics after a run
        self.io, self.runtime = spu.api.Io(2, config), spu.api.Runtime(self.link, config)

    def share(self, name: str, array: Any) -> None:
        secret = self.spu.Visibility.VIS_SECRET
        if self.rank == 0:
            own, other = self.io.make_shares(array, secret)
            for part in (other.meta, *other.share_chunks):
                self.link.send(1, part.hex())
            self.link.send(1, "")
        else:
            own, (own.meta, *own.share_chunks) = self.spu.Share(), self._received(0)
        self.runtime.set_var(name, own)

    def reveal(self, name: str) -> Any:
        """The value at rank 0, None at rank 1."""
        own = self.runtime.get_var(name)
        if self.rank == 1:
            for part in (own.meta, *own.share_chunks):
                self.link.send(0, part.hex())
            self.link.send(0, "")
            return None
        other = self.spu.Share()
        other.meta, *other.share_chunks = self._received(1)
        return self.io.reconstruct([own, other])

    def _received(self, source: int) -> list[bytes]:
        parts = []
        while text := self.link.recv(source).decode():
            parts.append(bytes.fromhex(text))
        return parts

    def statistics(self) -> dict[str, int]:
        """Of the last run."""
        sent, actions = _STATISTICS.findall(self._log.read_text(errors="replace"))[-1]
        return {"rounds": int(actions), "bytes": int(sent)}


def program(stage: Stage, iterations: int) -> Callable[..., Any]:
    """(x with its column of ones, y) -> weights, for jax."""
    import jax
    import jax.numpy as jnp
    from spu import experimental

    once, rate = stage.spec["once"], stage.spec["rate"]
    sigmoid = jax.nn.sigmoid if stage.spec["sigmoid"] == "logistic" else lambda z: jnp.clip(0.5 + 0.25 * z, 0, 1)

    def train(x: Any, y: Any) -> Any:
        x = experimental.make_cached_var(x) if once else x
        w = jnp.zeros((x.shape[1], 1), dtype=jnp.float32)
        for rows in stage.batches(len(x), iterations):
            error = sigmoid(jnp.matmul(x[rows], w)) - y[rows]
            w = w - jnp.matmul(x[rows].T, error) * (rate / (stage.spec["batch"] or len(x)))
        if once:
            experimental.drop_cached_var(x, w)
        return w

    return train


def main() -> None:
    stage = Stage()
    from spu.utils import frontend

    machine = Machine(stage)
    x, y = stage.table()
    table = np.c_[x, np.ones(len(x))].astype(np.float32), y.astype(np.float32)[:, None]
    secret = machine.spu.Visibility.VIS_SECRET
    compiled = {
        k: frontend.compile(frontend.Kind.JAX, program(stage, k), table, {}, ["x", "y"], [secret] * 2, lambda _: ["w"])[
            0
        ]
        for k in set(stage.spec["fits"])
    }
    for name, array in zip(("x", "y"), table, strict=True):
        machine.share(name, array)

    def fit(iterations: int) -> dict[str, Any]:
        machine.link.barrier()
        machine.runtime.run(compiled[iterations])
        counts, weights = machine.statistics(), machine.reveal("w")
        return counts if weights is None else counts | {"weights": weights[:, 0].tolist()}

    stage.say_versions(spu=_version("spu"), jax=_version("jax"))
    stage.fits(fit)


def _version(name: str) -> str:
    from importlib.metadata import version

    return version(name)


if __name__ == "__main__":
    main()
