"""The only file that imports crypten: how it is loaded, carried and kept from dealing.

CrypTen 0.4.1 does not import on today's torch (its ONNX converter uses what torch removed), so that one module is
stubbed before the import; mpcfl needs none of it. Shares are carried by `ArithmeticSharedTensor`, and a user's own
CrypTen code on them draws *our* correlated randomness over *our* connections: `install` puts our provider into
CrypTen's provider table, our collectives (TLS, time limits, meter) in the place of Gloo (plaintext), and our ChaCha20
in that of its Mersenne Twister (32 effective seed bits).
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
import types
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import torch

from mpcfl.errors import SetupError

PROVIDER = "mpcfl"
FIRST_PARTY = "TFP"  # CrypTen's name for "rank 0 deals"
RandomElements = Callable[[str, tuple[int, ...], int], torch.Tensor]
_HINT = "pip install omegaconf pyyaml && pip install --no-deps crypten==0.4.1"


_LOADING = threading.Lock()
_undo: list[Callable[[], None]] = []  # what `install` has changed, the last change last


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
    """A CrypTen `ArithmeticSharedTensor` over this party's share (no copy); `ring` int64, `scale` >= 0.

    It holds a share and is not for CrypTen to compute with: all of one scale have one encoder, since CrypTen's way of
    making a new one takes as long as the arithmetic on a short vector. `to_mpc_tensor` gives what CrypTen may change.
    """
    frame, encoder = _frame(scale)
    result = frame.__new__(frame)
    result._tensor, result.encoder = ring, encoder
    return result


@functools.cache
def _frame(scale: int) -> tuple[Any, Any]:
    """CrypTen's class, and its encoder of a scale."""
    if scale < 0:  # CrypTen's encoder knows 2^scale as an integer only
        raise ValueError(f"scale {scale} is below 0")
    tensor = _own(torch.empty(0, dtype=torch.int64), scale)
    return type(tensor), tensor.encoder


def _own(ring: torch.Tensor, scale: int) -> Any:
    """An `ArithmeticSharedTensor` with an encoder of its own, which CrypTen's protocols change while they run."""
    return load().mpc.primitives.ArithmeticSharedTensor.from_shares(ring, precision=scale)


def to_mpc_tensor(ring: torch.Tensor, scale: int) -> Any:
    """A CrypTen `MPCTensor` of this party's share: a copy, since CrypTen rescales operands in place. It is on the CPU:
    CrypTen's way of multiplying integers on CUDA is another one, and none of ours.

    Its own `MPCTensor.from_shares` first makes an empty tensor, which draws masks and needs a communicator: then a
    dealer or a dry run could not do what the compute parties do.
    """
    mpc = load().mpc
    result = mpc.MPCTensor.__new__(mpc.MPCTensor)
    load().CrypTensor.__init__(result)
    result._tensor, result.ptype = _own(ring.clone() if ring.is_meta else ring.cpu().clone(), scale), mpc.arithmetic
    return result


def from_mpc_tensor(tensor: Any) -> tuple[torch.Tensor, int]:
    """This party's share, a copy, and the scale of a CrypTen `MPCTensor` with arithmetic sharing."""
    mpc = load().mpc
    if not isinstance(tensor, mpc.MPCTensor) or tensor.ptype is not mpc.arithmetic:
        raise TypeError("only an arithmetically shared MPCTensor can become a Share")
    inner = tensor._tensor
    scale = int(inner.encoder.scale).bit_length() - 1
    return inner.share.clone(), scale


def arithmetic(ring: torch.Tensor) -> Any:
    """An integer in CrypTen's arithmetic sharing, by this party's share."""
    return _own(ring, 0)


def binary(ring: torch.Tensor) -> Any:
    """64 bits in CrypTen's binary sharing (by exclusive or), by this party's share."""
    return load().mpc.primitives.BinarySharedTensor.from_shares(ring, precision=0)


def restricted_loads(data: bytes) -> Any:
    """An object that another party has pickled, of CrypTen's short list of harmless classes only."""
    load()
    return importlib.import_module("crypten.common.serial").restricted_loads(data)


def install(provider: Any, random_elements: RandomElements, communicator: Any, *, first_party: bool = False) -> None:
    """Make CrypTen run among our compute parties with our randomness and over our connections, until `uninstall`.

    `provider`: an object with CrypTen's provider methods (see `mpcfl.offline.crypten_provider`); it becomes the only
    one, but for CrypTen's own first party where `first_party` allows it. `random_elements(generator, size, bits)`:
    int64 tensor from the project's PRG, `generator` one of "prev", "next", "local", "global". `communicator`: has
    CrypTen's collectives (see `mpcfl.world.collectives`).
    """
    require_free()
    crypten = load()
    table = _providers(crypten)
    own = dict(table) if first_party else {}
    table.clear()
    table.update({PROVIDER: provider} | {name: method for name, method in own.items() if name == FIRST_PARTY})
    crypten.cfg.mpc.provider = PROVIDER
    link = crypten.communicator.DistributedCommunicator
    _put(link, "instance", communicator)
    _put(link, "is_initialized", classmethod(lambda cls: cls.instance is not None))  # torch.distributed need not be
    _put(sys.modules["crypten.mpc.primitives.arithmetic"], "replicated", _Refused())
    _replace_generators(crypten, random_elements)


def require_free() -> None:
    """RuntimeError while CrypTen is installed: its state is the process's, so one session at a time has it."""
    if _undo:
        raise RuntimeError("CrypTen is in use by a session of this process already")


def uninstall() -> None:
    """CrypTen as it was, but for its providers: none is left, so that nobody falls back to its first party."""
    while _undo:
        _undo.pop()()
    if "crypten" in sys.modules:
        _providers(load()).clear()


def _put(place: Any, name: str, value: Any) -> None:
    """Set an attribute until `uninstall`."""
    old = vars(place)[name]
    _undo.append(lambda: setattr(place, name, old))
    setattr(place, name, value)


def _providers(crypten: Any) -> Any:
    """CrypTen's provider table, which refuses what it does not have with a reason."""
    names = vars(crypten.mpc)
    if not isinstance(names["__SUPPORTED_PROVIDERS"], _Providers):
        names["__SUPPORTED_PROVIDERS"] = _Providers(names["__SUPPORTED_PROVIDERS"])
    return names["__SUPPORTED_PROVIDERS"]


class _Providers(dict):  # type: ignore[type-arg]
    def __missing__(self, name: str) -> NoReturn:
        if PROVIDER not in self:
            raise SetupError(
                "CrypTen is not connected to a session", hint="run it by run_crypten of mpcfl.protocols.crypten_code"
            )
        raise SetupError(
            f"CrypTen's provider '{name}' is refused: with it one compute party knows every mask and reads all data",
            hint=f"leave cfg.mpc.provider = '{PROVIDER}', or set insecure_simulation = true for an experiment",
        )


class _Refused:
    """In the place of CrypTen's replicated sharing, with which one party alone recovers secrets after one square."""

    def __getattr__(self, name: str) -> NoReturn:
        raise SetupError("CrypTen's protocol 'replicated' leaks secrets", hint="leave cfg.mpc.protocol = 'beaver'")


def _replace_generators(crypten: Any, random_elements: RandomElements) -> None:
    def ring_element(size: Any, ring_size: int = 2**64, generator: Any = None, **_: Any) -> torch.Tensor:
        return random_elements(generator or "local", tuple(size), ring_size.bit_length() - 1)

    def kbit(size: Any, bitlength: int | None = None, generator: Any = None, **_: Any) -> torch.Tensor:
        return random_elements(generator or "local", tuple(size), bitlength or 64)

    names = {"generate_random_ring_element": ring_element, "generate_kbit_random_tensor": kbit}
    for module in [m for key, m in sys.modules.items() if key.startswith("crypten") and m is not None]:
        for name, function in names.items():
            if name in vars(module):
                _put(module, name, function)
    _put(crypten, "generators", {which: _Same(which) for which in crypten.generators})
    _put(sys.modules["crypten.gradients"], "torch", _Torch(random_elements))


class _Same(dict):  # type: ignore[type-arg]
    """A table of CrypTen's generators in which every device has the same one: its name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def __missing__(self, _device: Any) -> str:
        return self.name


class _Torch:
    """torch for CrypTen's dropout, which asks for random numbers that all compute parties have in common."""

    def __init__(self, random_elements: RandomElements) -> None:
        self._random_elements = random_elements

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    def rand(self, size: Any, *, generator: str, **_: Any) -> torch.Tensor:
        return self._random_elements(generator, tuple(size), 24).to(torch.float32) * 2.0**-24
