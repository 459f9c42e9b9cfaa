"""The only file that imports crypten: how it is loaded, carried and kept from dealing.

CrypTen 0.4.1 does not import on today's torch (its ONNX converter uses what torch removed), so that one module is
stubbed before the import; mpcfl needs none of it. Shares are carried by `ArithmeticSharedTensor`, and a user's own
CrypTen code on them draws *our* correlated randomness: `install` puts our provider into CrypTen's provider table and
replaces its Mersenne Twister (32 effective seed bits) by our ChaCha20.
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
import types
import warnings
from typing import Any

import torch
import torch.distributed as dist

from mpcfl.errors import SetupError

PROVIDER = "mpcfl"
_HINT = "pip install omegaconf pyyaml && pip install --no-deps crypten==0.4.1"


_LOADING = threading.Lock()


def load() -> Any:
    """The module crypten; SetupError with what to type if it is missing."""
    with _LOADING:
        return _load()


@functools.cache
def _load() -> Any:
    stub = types.ModuleType("crypten.nn.onnx_converter")
    for name in ("from_onnx", "from_pytorch", "from_tensorflow"):
        setattr(stub, name, _no_onnx)
    stub.TF_AND_TF2ONNX = False  # type: ignore[attr-defined]
    sys.modules["crypten.nn.onnx_converter"] = stub
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module("crypten")
    except ImportError as error:
        raise SetupError(f"CrypTen cannot be imported: {error}", hint=_HINT) from error


def _no_onnx(*_: Any, **__: Any) -> None:
    raise SetupError("CrypTen's ONNX conversion does not work on this torch", hint="build the model from crypten.nn")


def carry(ring: torch.Tensor, scale: int) -> Any:
    """A CrypTen `ArithmeticSharedTensor` over this party's share (no copy); `ring` int64, `scale` >= 0."""
    if scale < 0:  # CrypTen's encoder knows 2^scale as an integer only
        raise ValueError(f"scale {scale} is below 0")
    return load().mpc.primitives.ArithmeticSharedTensor.from_shares(ring, precision=scale)


def to_mpc_tensor(ring: torch.Tensor, scale: int) -> Any:
    """A CrypTen `MPCTensor` over this party's share (no copy).

    Its own `MPCTensor.from_shares` first makes an empty tensor, which draws masks and needs a communicator: then a
    dealer or a dry run could not do what the compute parties do.
    """
    mpc = load().mpc
    result = mpc.MPCTensor.__new__(mpc.MPCTensor)
    load().CrypTensor.__init__(result)
    result._tensor, result.ptype = carry(ring, scale), mpc.arithmetic
    return result


def from_mpc_tensor(tensor: Any) -> tuple[torch.Tensor, int]:
    """This party's share and the scale of a CrypTen `MPCTensor` with arithmetic sharing."""
    mpc = load().mpc
    if not isinstance(tensor, mpc.MPCTensor) or tensor.ptype is not mpc.arithmetic:
        raise TypeError("only an arithmetically shared MPCTensor can become a Share")
    inner = tensor._tensor
    scale = int(inner.encoder.scale).bit_length() - 1
    return inner.share, scale


def install(provider_methods: Any, random_elements: Any, *, rank: int, compute_parties: int, group: Any) -> None:
    """Make CrypTen run among our compute parties with our randomness.

    `provider_methods`: an object with CrypTen's provider methods (see `mpcfl.offline.crypten_provider`);
    `random_elements(generator, size, bits)`: int64 tensor from the project's PRG, `generator` one of "prev", "next",
    "local", "global"; `group`: torch.distributed group of the compute parties, already initialised.
    """
    crypten = load()
    communicator = crypten.communicator.DistributedCommunicator
    instance = communicator.__new__(communicator)
    instance.world_size, instance.rank = compute_parties, rank
    instance.main_group = instance.ttp_group = group
    instance.ttp_initialized = False
    instance._name = f"rank{rank}"
    instance.reset_communication_stats()
    communicator.instance = instance

    table = crypten.mpc.__dict__["__SUPPORTED_PROVIDERS"]
    table.clear()  # the first-party provider lets rank 0 read everything; the others are no better
    table[PROVIDER] = provider_methods
    crypten.cfg.mpc.provider = PROVIDER
    _replace_generators(crypten, random_elements)


def _replace_generators(crypten: Any, random_elements: Any) -> None:
    def ring_element(size: Any, ring_size: int = 2**64, generator: Any = None, **_: Any) -> torch.Tensor:
        return random_elements(generator or "local", tuple(size), ring_size.bit_length() - 1)

    def kbit(size: Any, bitlength: int | None = None, generator: Any = None, **_: Any) -> torch.Tensor:
        return random_elements(generator or "local", tuple(size), bitlength or 64)

    names = {"generate_random_ring_element": ring_element, "generate_kbit_random_tensor": kbit}
    for module in [m for key, m in sys.modules.items() if key.startswith("crypten")]:
        for name, function in names.items():
            if hasattr(module, name):
                setattr(module, name, function)
    for which in crypten.generators:
        crypten.generators[which] = _Same(which)


class _Same(dict):  # type: ignore[type-arg]
    """A table of CrypTen's generators in which every device has the same one: its name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def __missing__(self, _device: Any) -> str:
        return self.name


def uninstall() -> None:
    """Forget the communicator, so that a later session can install its own."""
    if "crypten" in sys.modules:
        load().communicator.DistributedCommunicator.instance = None


def compute_group(compute_parties: int) -> Any:
    """torch.distributed group of ranks 0..compute_parties-1 (all parties must call this)."""
    return dist.new_group(list(range(compute_parties)))
