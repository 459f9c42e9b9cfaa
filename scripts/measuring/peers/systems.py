"""Which systems are measured, on which links, and what each needs to be there."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

from measuring.peers import wan

NETWORKS = ("loopback", "40ms-100mbit")


@dataclass(frozen=True, kw_only=True)
class System:
    """`program` in this folder, as `size` processes, of which the last `servers` are not waited for. `dealer` and
    `remark` are for the reader. `wide`: measured on the slow link too (any row can be asked for by name)."""

    name: str
    program: str
    size: int
    dealer: str
    remark: str
    servers: int = 0
    wide: bool = True
    spec: dict[str, Any] = field(default_factory=dict)


def _spu(sigmoid: str, once: bool) -> System:
    return System(
        name=f"spu-{sigmoid}" + "-once" * once,
        program="spu_party",
        size=2,
        dealer="rank 0",
        remark=f"SPU SEMI2K, {sigmoid} sigmoid, X opened " + ("once" if once else "at each product"),
        wide=once,
        spec={"sigmoid": sigmoid, "once": once},
    )


def _crypten(provider: str, dealer: str) -> System:
    third = provider == "TTP"
    return System(
        name=f"crypten-{provider.lower()}",
        program="crypten_party",
        size=2 + third,
        servers=int(third),
        dealer=dealer,
        remark=f"CrypTen 0.4.1, provider {provider}",
        wide=third,
        spec={"provider": provider},
    )


SYSTEMS = (
    System(
        name="mpcfl",
        program="mpcfl_party",
        size=3,
        dealer="a third process",
        remark="mpcfl, TLS",
        spec={"links": "TLS"},
    ),
    _crypten("TTP", "a third process"),
    _crypten("TFP", "rank 0"),
    _spu("taylor", True),
    _spu("taylor", False),
    _spu("logistic", True),
    _spu("logistic", False),
)


def why_not(system: System, network: str, spu: str) -> str:
    """Why a row cannot be measured here, or an empty text. `spu`: the Python of SPU's environment, or empty."""
    if network != NETWORKS[0] and (lacks := wan.missing()):
        return lacks
    if system.program == "spu_party" and not (spu and _imports(spu, "spu")):
        return "spu is not installed"
    return ""


def python_of(system: System, spu: str) -> str:
    return spu if system.program == "spu_party" else sys.executable


def _imports(python: str, module: str) -> bool:
    command = [python, "-c", f"import importlib.util as u, sys; sys.exit(u.find_spec('{module}') is None)"]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False
