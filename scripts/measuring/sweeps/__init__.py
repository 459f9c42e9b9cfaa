"""What is swept by scripts/run_sweep.py: one file a question, each with a function from a `Sweep` to rows."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sweep:
    """`seed` of all tables. `full`: all sizes, not only those that are quickly measured. `spu`: the Python of an
    environment in which SecretFlow SPU is, or empty."""

    seed: int
    full: bool = False
    spu: str = ""
