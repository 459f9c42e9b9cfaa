"""`mpcfl check`: what is wrong with this environment, and what to type.

One line for each thing that mpcfl needs: `ok`, `missing` or `wrong`, its name, what was found, and after an arrow the
command that mends it. This file imports nothing but the standard library at its top, so that it runs where the rest
does not. Optional packages are named and never fail the check. Sends nothing outside this machine.
"""

from __future__ import annotations

import os
import platform
import re
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import TextIO

EXIT_OK, EXIT_WRONG = 0, 4  # as mpcfl.errors.SetupError.exit_code

PYTHON = (3, 11)
NEEDED = {  # package: the lowest version, as in pyproject.toml
    "torch": "2.11",
    "numpy": "2.0",
    "numba": "0.61",
    "cryptography": "42.0",
    "safetensors": "0.5",
    "pyarrow": "17.0",
    "scipy": "1.13",
    "matplotlib": "3.9",
    "omegaconf": "2.3",
    "pyyaml": "6.0",
}
TOO_NEW = {"torch": "3"}
OPTIONAL = {"pandas": "2.2", "scikit-learn": "1.5"}
WHAT_FOR = {"pandas": "to hand in a DataFrame", "scikit-learn": "for mpcfl demo"}
CRYPTEN = "0.4.1"

# RFC 8439, section 2.3.2: the first 16 bytes of the block of key 00..1f, counter 1, this nonce.
CHACHA_NONCE = bytes.fromhex("000000090000004a00000000")
CHACHA_BLOCK = bytes.fromhex("10f1e7e4d13b5915500fdd1fa32071c4")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `state`: "ok", "missing" or "wrong"; `mend`: what to type, if anything."""

    state: str
    name: str
    found: str
    mend: str = ""
    optional: bool = False

    @property
    def fails(self) -> bool:
        return self.state != "ok" and not self.optional


def check(stream: TextIO = sys.stdout) -> int:
    """Write the report to `stream`; 0 if mpcfl can run here, 4 if something that it needs is missing or wrong."""
    findings = list(look())
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        arrow = f"  -> {finding.mend}" if finding.mend else ""
        stream.write(f"{finding.state:<7}  {finding.name:<{width}}  {finding.found}{arrow}\n")
    failing = [finding.name for finding in findings if finding.fails]
    stream.write(f"mpcfl cannot run here yet: mend {', '.join(failing)}.\n" if failing else "mpcfl can run here.\n")
    return EXIT_WRONG if failing else EXIT_OK


def look() -> Iterator[Finding]:
    """All findings, in the order in which one would mend them."""
    yield python()
    for name, lowest in NEEDED.items():
        yield package(name, lowest)
    yield attempt("crypten", crypten, f"pip install --no-deps crypten=={CRYPTEN}")
    for name, lowest in OPTIONAL.items():
        yield package(name, lowest, optional=True)
    yield attempt("device", device, "pip install --force-reinstall torch")
    if (kernels := triton()) is not None:
        yield kernels
    if (between := nccl()) is not None:
        yield between
    yield attempt("gloo", gloo, "export GLOO_SOCKET_IFNAME=lo (Linux; lo0 on macOS), or name this host in /etc/hosts")
    yield attempt("loopback", loopback, "allow connections to 127.0.0.1 (firewall or sandbox)")
    yield attempt("chacha20", chacha20, "pip install --force-reinstall cryptography")
    yield attempt("kernel", kernel, "pip install --force-reinstall numba llvmlite")
    yield Finding("ok", "machine", machine())


def python() -> Finding:
    found = f"Python {platform.python_version()}"
    if sys.version_info[:2] < PYTHON:
        return Finding(
            "wrong", "python", f"{found}; needs {PYTHON[0]}.{PYTHON[1]} or newer", "make clean setup PYTHON=..."
        )
    return Finding("ok", "python", found)


def package(name: str, lowest: str, *, optional: bool = False) -> Finding:
    """Is the package there, and neither too old nor too new?"""
    highest = TOO_NEW.get(name)
    wanted = f"{name}>={lowest}" + (f",<{highest}" if highest else "")
    use = f"optional, {WHAT_FOR[name]}" if optional else ""
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding("missing", name, use or f"needs {wanted}", f"pip install '{wanted}'", optional)
    if _number(version) < _number(lowest) or (highest and _number(version) >= _number(highest)):
        return Finding("wrong", name, f"{version}; needs {wanted}", f"pip install '{wanted}'", optional)
    return Finding("ok", name, version, optional=optional)


def attempt(name: str, probe: Callable[[], str], mend: str) -> Finding:
    """Run a probe, which returns what it found; whatever it raises is told, with what to type."""
    try:
        return Finding("ok", name, probe())
    except metadata.PackageNotFoundError:
        return Finding("missing", name, "not installed", mend)
    except ModuleNotFoundError as error:
        return Finding("missing", name, f"needs the module {error.name}", f"pip install {error.name}")
    except Exception as error:  # broken packages raise all sorts, and a check must go on to the next line
        words = str(error).strip().splitlines() or [""]
        return Finding("wrong", name, f"{type(error).__name__}: {words[0]}", mend)


def crypten() -> str:
    """The version that mpcfl was written against, and does it import with the stub?"""
    version = metadata.version("crypten")
    if version != CRYPTEN:
        raise RuntimeError(f"{version} is installed; mpcfl is written against {CRYPTEN}")
    from mpcfl.world import _crypten

    _crypten.load()
    return version


def device() -> str:
    """Which build of torch, which GPUs that it can use, and what "auto" takes. Does a tensor on each add up?"""
    import torch

    from mpcfl.world.device import device_of, why_no_gpu

    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"
    takes = f'{build} build of torch; "auto" takes {device_of("auto")}'
    if (why := why_no_gpu()) is not None:
        return f"{why[0]} ({takes})"
    found = []
    for index in range(torch.cuda.device_count()):
        if int(torch.arange(4, device=f"cuda:{index}").sum()) != 6:
            raise RuntimeError(f"cuda:{index} adds 0 + 1 + 2 + 3 up wrongly")
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        found.append(f"cuda:{index} {name}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free")
    return f"{'; '.join(found)} ({takes})"


def triton() -> Finding | None:
    """Do our kernels run on the GPU? None where there is none."""
    try:
        import torch

        from mpcfl.ring._triton import why_not

        if not torch.cuda.is_available():
            return None
        why = why_not("cuda")
        found = (
            f"kernels run ({metadata.version('triton')})" if why is None else f"{why}: GPUs work without, but slower"
        )
    except Exception as error:  # as in `attempt`
        why = found = f"{type(error).__name__}: {error}".splitlines()[0]
    mend = "" if why is None else "pip install triton, and a C compiler beside it"
    return Finding("ok" if why is None else "missing", "triton", found, mend, optional=True)


def nccl() -> Finding | None:
    """Could openings go over NCCL? None where there is no GPU."""
    try:
        import torch

        from mpcfl.world.nccl import why_no_nccl

        if not torch.cuda.is_available():
            return None
        why = why_no_nccl()
        if why is None:
            version = ".".join(map(str, torch.cuda.nccl.version()))
            return Finding("ok", "nccl", f'{version}, for [network] openings = "nccl"', optional=True)
    except Exception as error:  # as in `attempt`
        why = f"{type(error).__name__}: {error}".splitlines()[0]
    return Finding("missing", "nccl", f'{why}: openings = "nccl" cannot be used, "tls" can', optional=True)


def gloo() -> str:
    """Is Gloo in this torch, and does it find an address of this machine? (Fails where the host name has none.)"""
    import torch.distributed as dist

    if not dist.is_available() or not dist.is_gloo_available():
        raise RuntimeError("this build of torch has no Gloo")
    dist.ProcessGroupGloo.create_default_device()
    return "there"


def loopback() -> str:
    """A message over 127.0.0.1 and back, as between parties on one machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        with socket.create_connection(server.getsockname(), timeout=5) as ours:
            theirs, _ = server.accept()
            with theirs:
                theirs.settimeout(5)
                ours.sendall(b"mpcfl")
                theirs.sendall(theirs.recv(5, socket.MSG_WAITALL))
            if ours.recv(5, socket.MSG_WAITALL) != b"mpcfl":
                raise RuntimeError("a message came back changed")
    return "127.0.0.1 sends and receives"


def chacha20() -> str:
    """Does ChaCha20 give the block of RFC 8439, section 2.3.2? (OpenSSL builds limited to FIPS lack it.)"""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    cipher = Cipher(algorithms.ChaCha20(bytes(range(32)), (1).to_bytes(4, "little") + CHACHA_NONCE), mode=None)
    if cipher.encryptor().update(bytes(16)) != CHACHA_BLOCK:
        raise RuntimeError("not the block of RFC 8439")
    return "agrees with RFC 8439"


def kernel() -> str:
    """Does numba compile, and does int64 wrap around, as the ring needs?"""
    import numba
    import numpy as np

    @numba.njit
    def inner_product(x: np.ndarray, y: np.ndarray) -> np.int64:
        total = np.int64(0)
        for i in range(x.size):
            total += x[i] * y[i]
        return total

    x = np.array([2**62 + 1, -(2**63), 3], dtype=np.int64)
    y = np.array([5, 2**63 - 1, -7], dtype=np.int64)
    exact = sum(a * b for a, b in zip(x.tolist(), y.tolist(), strict=True))
    if (int(inner_product(x, y)) - exact) % 2**64:
        raise RuntimeError("a product in Z_2^64 is wrong")
    return "products in Z_2^64 are exact"


def machine() -> str:
    """Cores that this process may use, and memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{cores} core{'s' if cores > 1 else ''}, {memory:.0f} GiB of memory"


def _number(version: str) -> tuple[int, ...]:
    """ "2.13.0+cpu" as (2, 13, 0); "2.11.0a1" as (2, 11, 0): enough to compare with a lowest version."""
    match = re.match(r"\d+(\.\d+)*", version)
    parts = [int(part) for part in match.group().split(".")] if match else []
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts)
