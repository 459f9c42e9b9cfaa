"""A device "cuda" made of the CPU's memory, which is as strict as a real one: for machines without a GPU.

    with simulated_cuda():
        torch.arange(3, device="cuda") + torch.arange(3)      RuntimeError, as on a real one

A tensor "on" the device is a wrapper around one of the CPU. Every function of torch that meets one comes through
`OnDevice.__torch_function__`, which refuses what CUDA refuses: operands on different devices (but for a tensor without
dimensions beside others in arithmetic, and indices, which may lie on the CPU), products of integers, `.numpy()`.

Copies that do not block are as late as CUDA may be: what is copied to pinned memory lies there only after somebody has
waited for it (before that the memory holds poison), and what is copied from it must not be changed before. What was
made on one stream may be used on another only after that one has been told to wait.

What it cannot show: kernels, their speed and rounding, and how much memory a run takes.
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from mpcfl.ring import _draw_elsewhere, _kept, opened, prg, product, waves
from mpcfl.ring.blank import Blank

DEVICES = 2
MEMORY = 8 << 30
POISON = 0xA5

_MOVES = {"to", "copy_", "type", "cpu", "cuda"}  # between devices
_HOST = {"item", "tolist", "__bool__", "__int__", "__float__", "__index__", "nonzero", "equal", "allclose"}  # wait
_INDEXING = {"__getitem__", "__setitem__", "index", "index_put_"}
_PRODUCTS = {"matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "mv", "dot", "addmm", "addmv", "einsum", "tensordot"}
_STRICT = {"cat", "concat", "stack", "gather", "scatter", "scatter_", "index_select", "index_add_", "index_add", "take"}
_ASK = {"device", "is_cuda", "is_cpu", "is_meta", "is_sparse", "get_device", "is_pinned"}

crossings: Counter[str] = Counter()
"""Copies between host and device, or two devices: which way, and whether the host waited."""

_ticks = count(1)
_local = threading.local()


# -- streams ---------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Stream:
    """Copies under way on it, and up to which moment of other streams it has waited."""

    device: Any = None
    pending: list[Copy] = field(default_factory=list)
    waited: dict[Stream, int] = field(default_factory=dict)

    def synchronize(self) -> None:
        _finish(self, next(_ticks))

    def wait_event(self, event: Event) -> None:
        if event.stream is not None:
            self.waited[event.stream] = max(event.tick, self.waited.get(event.stream, 0))

    def wait_stream(self, stream: Stream) -> None:
        self.waited[stream] = next(_ticks)

    def record_event(self, event: Event | None = None) -> Event:
        event = event or Event()
        event.record(self)
        return event


class Event:
    def __init__(self, **_: Any) -> None:
        self.stream: Stream | None = None
        self.tick = 0

    def record(self, stream: Stream | None = None) -> None:
        self.stream, self.tick = stream or current_stream(), next(_ticks)

    def synchronize(self) -> None:
        if self.stream is not None:
            _finish(self.stream, self.tick)

    def wait(self, stream: Stream | None = None) -> None:
        (stream or current_stream()).wait_event(self)


@dataclass(eq=False)
class Copy:
    """`target`: pinned memory that is to hold `content`; or `source`: pinned memory that must hold it still."""

    tick: int
    content: torch.Tensor
    target: torch.Tensor | None = None
    source: torch.Tensor | None = None


def _finish(stream: Stream, until: int) -> None:
    done = [copy for copy in stream.pending if copy.tick < until]
    stream.pending = [copy for copy in stream.pending if copy.tick >= until]
    for copy in done:
        if copy.target is not None:
            with torch.inference_mode():  # the device does it, in whatever mode the host is by then
                copy.target.copy_(copy.content)
        elif not torch.equal(copy.source, copy.content):
            raise RuntimeError("simulated CUDA: pinned memory was changed while a copy from it was under way")


def current_stream(_: Any = None) -> Stream:
    if not hasattr(_local, "streams"):
        _local.streams = [Stream()]
    return _local.streams[-1]


@contextmanager
def _on_stream(stream: Stream) -> Iterator[None]:
    current_stream()
    _local.streams.append(stream)
    try:
        yield
    finally:
        _local.streams.pop()


# -- memory ----------------------------------------------------------------------------------------------------------


class Memory:
    """Of one device: bytes of the storages that tensors on it have now, and the most that they had since `reset`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: dict[int, int] = {}
        self.now = self.peak = 0

    def reset(self) -> None:
        self.peak = self.now

    def holds(self, tensor: torch.Tensor, storage: torch.UntypedStorage) -> None:
        address, size = storage.data_ptr(), storage.nbytes()
        with self._lock:
            self._users[address] = self._users.get(address, 0) + 1
            if self._users[address] == 1:
                self.now += size
                self.peak = max(self.peak, self.now)
        weakref.finalize(tensor, self._leaves, address, size)

    def _leaves(self, address: int, size: int) -> None:
        with self._lock:
            self._users[address] -= 1
            if not self._users[address]:
                del self._users[address]
                self.now -= size


memory = [Memory() for _ in range(DEVICES)]


# -- tensors ---------------------------------------------------------------------------------------------------------


class OnDevice(torch.Tensor):
    """A tensor on the simulated device. `inner`: the CPU tensor with its content."""

    inner: torch.Tensor
    made: tuple[Stream, int]
    recorded: set[Stream]

    @staticmethod
    def of(inner: torch.Tensor, device: torch.device) -> OnDevice:
        made = torch.Tensor._make_wrapper_subclass(OnDevice, inner.shape, dtype=inner.dtype, device=device)
        made.inner, made.made, made.recorded = inner, (current_stream(), next(_ticks)), set()
        memory[device.index or 0].holds(made, inner.untyped_storage())
        return made

    def record_stream(self, stream: Stream) -> None:  # type: ignore[override]
        self.recorded.add(stream)

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if any(issubclass(kind, Blank) for kind in types):
            return NotImplemented
        name = func.__name__ if func.__name__ != "__get__" else func.__self__.__name__  # type: ignore[attr-defined]
        return _run(name, func, list(args), dict(kwargs or {}))

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RuntimeError(f"simulated CUDA: {func} came by a way that the simulation does not know")


def _run(name: str, func: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> Any:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    ours = [tensor for tensor in tensors if isinstance(tensor, OnDevice)]
    device = _device_of(ours[0])
    for tensor in ours:
        _require_visible(tensor)
    if name in _ASK:
        return _answer(name, ours[0])
    if name in ("numpy", "__array__"):
        raise TypeError(
            f"can't convert {device} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory."
        )
    if name == "pin_memory":
        raise RuntimeError("cannot pin 'torch.cuda.LongTensor' only dense CPU tensors can be pinned")
    if name in _MOVES:
        return _move(name, func, args, kwargs)
    _require_one_device(name, args, tensors, ours)
    if name in _PRODUCTS and not ours[0].inner.dtype.is_floating_point:
        raise RuntimeError(f"\"addmm_cuda\" not implemented for '{ours[0].inner.dtype}'")
    wanted = kwargs.get("device")
    if wanted is not None:
        kwargs = {**kwargs, "device": "cpu"}
    if name in _HOST:
        crossings["to the host, waiting"] += 1
        current_stream().synchronize()
    result = func(*tree_map(_bare, args), **tree_map(_bare, kwargs))
    if name == "__setitem__":
        _require_not_kept(name, ours[0])
    if wanted is not None and torch.device(wanted).type != "cuda":
        return result
    if isinstance(result, torch.Tensor) and any(result is tensor.inner for tensor in ours):
        changed = next(tensor for tensor in ours if result is tensor.inner)
        _require_not_kept(name, changed)
        return changed
    if not any(isinstance(leaf, torch.Tensor) for leaf in tree_leaves(result)):
        return result
    return tree_map(lambda part: OnDevice.of(part, device) if isinstance(part, torch.Tensor) else part, result)


def _device_of(tensor: OnDevice) -> torch.device:
    with torch._C.DisableTorchFunctionSubclass():
        return tensor.device


def _bare(value: Any) -> Any:
    return value.inner if isinstance(value, OnDevice) else value


def _answer(name: str, tensor: OnDevice) -> Any:
    device = _device_of(tensor)
    return {"device": device, "is_cuda": True, "get_device": device.index}.get(name, False)


def _require_not_kept(name: str, changed: OnDevice) -> None:
    """Digits that are kept of a matrix would be wrong after it, and torch does not count changes in inference mode."""
    if changed in _kept._kept and changed.inner.is_inference():
        raise RuntimeError(f"simulated CUDA: {name} changes in place a matrix of which digits are kept")


def _require_visible(tensor: OnDevice) -> None:
    stream, tick = tensor.made
    here = current_stream()
    if here is stream:
        return
    if here.waited.get(stream, 0) < tick:
        raise RuntimeError("simulated CUDA: a stream uses what another one makes, and has not waited for it")
    if here not in tensor.recorded:
        raise RuntimeError("simulated CUDA: a stream uses memory of another one, which may give it away: record_stream")


def _require_one_device(name: str, args: list[Any], tensors: list[torch.Tensor], ours: list[OnDevice]) -> None:
    devices = {_device_of(tensor) for tensor in ours}
    others = [tensor for tensor in tensors if not isinstance(tensor, OnDevice)]
    if name in _INDEXING:
        if not isinstance(args[0], OnDevice):
            raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
        value = args[2] if name == "__setitem__" else None
        if isinstance(value, torch.Tensor) and not isinstance(value, OnDevice) and value.ndim and not _sliced(args[1]):
            raise RuntimeError("expected self and value to be on the same device, but got cuda:0 and cpu")
        others = []
    if name not in _STRICT:
        others = [tensor for tensor in others if tensor.ndim]
    if others or len(devices) > 1:
        found = sorted({str(device) for device in devices} | {str(tensor.device) for tensor in others})
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found at least two devices, {' and '.join(found)}! "
            f"(in {name})"
        )


def _sliced(index: Any) -> bool:
    """Whether an assignment is a copy into a view, which may come from another device."""
    parts = index if isinstance(index, tuple) else (index,)
    return not any(isinstance(part, torch.Tensor | np.ndarray | list) for part in parts)


# -- between host and device -----------------------------------------------------------------------------------------


def _move(name: str, func: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> Any:
    if name == "copy_":
        target, source = args[0], args[1]
        late = bool(kwargs.get("non_blocking", args[2] if len(args) > 2 else False))
        return _copy(target, source, late)
    own = args[0]
    device = _target(name, own, args, kwargs)
    plain = [arg for arg in args[1:] if not _names_device(arg) and not isinstance(arg, torch.Tensor)]
    plain = [] if name in ("cpu", "cuda") else plain
    rest = {key: value for key, value in kwargs.items() if key not in ("device", "non_blocking")}
    late = bool(kwargs.get("non_blocking", False))
    bare = _bare(own)
    changed = bare.to(*plain, **rest) if plain or rest else bare
    if device.type == "cpu":
        if not isinstance(own, OnDevice):
            return changed
        crossings["to the host, waiting"] += 1
        current_stream().synchronize()
        return changed.clone() if changed is bare else changed
    if isinstance(own, OnDevice) and _device_of(own) == device:
        return own if changed is bare else OnDevice.of(changed, device)
    made = OnDevice.of(changed.clone(), device)
    late = late and not isinstance(own, OnDevice) and _is_pinned(own)
    crossings["to a device, late" if late else "to a device, waiting"] += 1
    if late:
        current_stream().pending.append(Copy(next(_ticks), own.clone(), source=own))
    return made


def _copy(target: torch.Tensor, source: torch.Tensor, late: bool) -> torch.Tensor:
    into, out_of = _bare(target), _bare(source)
    host = target if not isinstance(target, OnDevice) else source if not isinstance(source, OnDevice) else None
    if host is not None:
        way = "to the host" if host is target else "to a device"
        crossings[f"{way}, late" if late and _is_pinned(host) else f"{way}, waiting"] += 1
    if host is target and late and _is_pinned(host):
        current_stream().pending.append(Copy(next(_ticks), out_of.clone().expand_as(into), target=into))
        into.view(torch.uint8).fill_(POISON)
        return target
    into.copy_(out_of)
    if host is source and late and _is_pinned(host):
        current_stream().pending.append(Copy(next(_ticks), host.clone(), source=host))
    elif host is not None:
        current_stream().synchronize()
    return target


def _target(name: str, own: torch.Tensor, args: list[Any], kwargs: dict[str, Any]) -> torch.device:
    if name in ("cpu", "cuda"):
        return _whole(name)
    wanted = kwargs.get("device")
    for arg in args[1:]:
        if isinstance(arg, torch.Tensor):
            wanted = arg.device
        elif _names_device(arg):
            wanted = arg
    return _whole(wanted) if wanted is not None else own.device


def _names_device(value: Any) -> bool:
    return isinstance(value, str | torch.device)


def _whole(device: Any) -> torch.device:
    device = torch.device(device)
    return torch.device("cuda", device.index or 0) if device.type == "cuda" else device


_pinned: dict[int, torch.UntypedStorage] = {}  # storages stay alive, so that their addresses stay theirs


def _is_pinned(tensor: torch.Tensor) -> bool:
    return tensor.untyped_storage().data_ptr() in _pinned


class _Factories(TorchFunctionMode):
    """Makes on the simulated device what is asked for there."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        leaves = tree_leaves((args, kwargs))
        if any(isinstance(leaf, OnDevice) for leaf in leaves):
            if any(isinstance(leaf, Blank) for leaf in leaves):
                return func(*args, **kwargs)
            return OnDevice.__torch_function__(func, types, args, kwargs)
        if name == "is_pinned" and isinstance(args[0], torch.Tensor):
            return _is_pinned(args[0])
        if name in ("to", "cuda") and args and isinstance(args[0], torch.Tensor) and not isinstance(args[0], Blank):
            if _target(name, args[0], list(args), kwargs).type == "cuda":
                return _move(name, func, list(args), kwargs)
        pin = bool(kwargs.pop("pin_memory", False)) or name == "pin_memory"
        wanted = kwargs.get("device")
        if name == "pin_memory":
            made = args[0].clone()
        elif wanted is not None and torch.device(wanted).type == "cuda":
            return OnDevice.of(func(*args, **{**kwargs, "device": "cpu"}), _whole(wanted))
        else:
            made = func(*args, **kwargs)
        if pin:
            _pinned[made.untyped_storage().data_ptr()] = made.untyped_storage()
        return made


@contextmanager
def simulated_cuda() -> Iterator[None]:
    """torch with `DEVICES` devices, in this process until it ends; threads enter `on_thread` beside it.

    Ring products, waves and key streams are those of the CPU, at the places where the house asks what a device has.
    """
    cuda = {
        "is_available": lambda: True, "device_count": lambda: DEVICES, "current_device": lambda: 0,
        "mem_get_info": lambda device=None: (MEMORY, MEMORY), "get_device_name": lambda device=None: "simulated",
        "synchronize": lambda device=None: current_stream().synchronize(), "current_stream": current_stream,
        "Stream": Stream, "Event": Event, "stream": _on_stream, "is_initialized": lambda: True,
        "set_device": lambda device: None,
    }  # fmt: skip
    with ExitStack() as stack:
        for name, value in cuda.items():
            stack.enter_context(patch.object(torch.cuda, name, value))
        stack.enter_context(patch.object(product, "_load", _products(product._load)))
        stack.enter_context(patch.object(waves, "_load", _waves(waves._load)))
        stack.enter_context(patch.object(opened, "_load", lambda kind: opened.Plain()))
        stack.enter_context(patch.object(_draw_elsewhere, "filling", lambda kind: _fill))
        stack.enter_context(on_thread())
        yield


@contextmanager
def on_thread() -> Iterator[None]:
    """In a thread of its own: streams of its own. At the end every copy has arrived, and none was overtaken."""
    with _Factories():
        yield
        for stream in {current_stream(), *current_stream().waited}:
            stream.synchronize()


# -- what the house asks a device for --------------------------------------------------------------------------------


class _Twin:
    """A backend of the CPU under the simulated device: takes and gives tensors on it, all of them."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._backend, name)

        def on_device(*args: Any) -> Any:
            tensors = [arg for arg in args if isinstance(arg, torch.Tensor)]
            if not all(isinstance(tensor, OnDevice) for tensor in tensors):
                raise RuntimeError(f"{name}: operands on the CPU and on the simulated device")
            result = function(*map(_bare, args))
            return OnDevice.of(result, _device_of(tensors[0]))

        return on_device


def _products(load: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda kind: _Twin(load("cpu")) if kind == "cuda" else load(kind)


_waves = _products


def _fill(key: bytes, nonce: bytes, first: int, out: torch.Tensor) -> None:
    draw = prg.Draw(key, int.from_bytes(nonce, "little"))
    draw.elements(first)
    out.inner.copy_(draw.elements(tuple(out.inner.shape)))  # type: ignore[attr-defined]
