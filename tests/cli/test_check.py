"""`mpcfl check` says what is wrong with an environment and what to type."""

import io
import re
import socket
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import torch

from mpcfl.cli import check
from mpcfl.errors import SetupError
from tests.simulated_cuda import simulated_cuda

PYPROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
PACKAGES = [*check.NEEDED, *check.OPTIONAL]


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The versions that are installed, to be changed by the test; a package taken out is missing."""
    installed = {name: metadata.version(name) for name in [*PACKAGES, "crypten"]}

    def version(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(check.metadata, "version", version)
    return installed


def report() -> tuple[int, dict[str, str], str]:
    """Exit code, the line about each name, and the last line."""
    stream = io.StringIO()
    code = check.check(stream)
    *lines, last = stream.getvalue().splitlines()
    return code, {line.split()[1]: line for line in lines}, last


def test_here_everything_is_ok() -> None:
    code, lines, last = report()
    assert [line for line in lines.values() if not line.startswith("ok ")] == []
    assert (code, last) == (0, "mpcfl can run here.")
    assert {"python", "torch", "crypten", "device", "gloo", "loopback", "chacha20", "kernel", "machine"} <= set(lines)


def test_columns_are_aligned() -> None:
    _, lines, _ = report()
    starts = {re.match(r"\S+ +\S+ +", line).end() for line in lines.values()}  # type: ignore[union-attr]
    assert len(starts) == 1


def test_versions_are_those_of_pyproject() -> None:
    wanted = [
        f"{name}>={low}" + (f",<{check.TOO_NEW[name]}" if name in check.TOO_NEW else "")
        for name, low in check.NEEDED.items()
    ]
    assert sorted(wanted) == sorted(PYPROJECT["dependencies"])
    extras = PYPROJECT["optional-dependencies"]
    assert [f"{name}>={low}" for name, low in check.OPTIONAL.items()] == extras["pandas"] + extras["demo"]
    assert PYPROJECT["requires-python"] == ">=" + ".".join(map(str, check.PYTHON))


@pytest.mark.parametrize("name", check.NEEDED)
def test_a_missing_package_is_named_with_what_to_type(versions: dict[str, str], name: str) -> None:
    del versions[name]
    code, lines, last = report()
    assert lines[name].startswith("missing") and f"-> pip install '{name}>={check.NEEDED[name]}" in lines[name]
    assert (code, last) == (4, f"mpcfl cannot run here yet: mend {name}.")


@pytest.mark.parametrize("version", ["1.13.1", "2.9.1+cu130", "2.10", "3.0.0"])
def test_torch_too_old_or_too_new_is_wrong(versions: dict[str, str], version: str) -> None:
    versions["torch"] = version
    code, lines, _ = report()
    assert code == 4
    assert lines["torch"] == f"wrong    torch         {version}; needs torch>=2.11,<3  -> pip install 'torch>=2.11,<3'"


@pytest.mark.parametrize("version", ["2.11.0", "2.11.0a0+git1", "2.13.0+cpu", "2.100"])
def test_torch_in_range_is_ok(versions: dict[str, str], version: str) -> None:
    versions["torch"] = version
    assert check.package("torch", "2.11").state == "ok"


@pytest.mark.parametrize("name", check.OPTIONAL)
def test_a_missing_optional_package_is_told_and_does_not_fail(versions: dict[str, str], name: str) -> None:
    del versions[name]
    code, lines, last = report()
    assert lines[name].startswith("missing") and "optional" in lines[name] and f"pip install '{name}" in lines[name]
    assert (code, last) == (0, "mpcfl can run here.")


def test_missing_crypten_says_how_to_install_it(versions: dict[str, str]) -> None:
    del versions["crypten"]
    code, lines, _ = report()
    assert code == 4
    assert lines["crypten"] == "missing  crypten       not installed  -> pip install --no-deps crypten==0.4.1"


def test_another_crypten_is_wrong(versions: dict[str, str]) -> None:
    versions["crypten"] = "0.4.0"
    code, lines, _ = report()
    assert code == 4
    assert lines["crypten"].startswith("wrong") and "0.4.0 is installed" in lines["crypten"]


def test_crypten_that_does_not_import_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> None:
        raise SetupError("CrypTen cannot be imported: no module named omegaconf", hint="pip install omegaconf")

    monkeypatch.setattr("mpcfl.world._crypten.load", load)
    code, lines, _ = report()
    assert code == 4
    assert lines["crypten"].startswith("wrong") and "no module named omegaconf" in lines["crypten"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_it_says_why_and_what_auto_takes() -> None:
    code, lines, _ = report()
    assert code == 0 and "triton" not in lines and "nccl" not in lines
    assert re.search(r"torch (has no CUDA|finds no GPU).* build of torch; \"auto\" takes cpu\)$", lines["device"])


def test_gpus_are_listed_with_their_memory_and_whether_kernels_run_on_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with simulated_cuda():
        monkeypatch.setattr("mpcfl.ring._triton.why_not", lambda kind: "triton is not installed")
        code, slower, _ = report()
        monkeypatch.setattr("mpcfl.ring._triton.why_not", lambda kind: None)
        _, fast, _ = report()
    assert code == 0
    assert "cuda:0 simulated, 8.6 of 8.6 GB free; cuda:1 simulated" in slower["device"]
    assert slower["device"].endswith('"auto" takes cuda:0)')
    assert slower["triton"].startswith("missing") and "slower  -> pip install triton" in slower["triton"]
    assert fast["triton"].startswith("ok") and "kernels run (" in fast["triton"]


def test_where_there_are_gpus_it_says_whether_openings_can_go_over_nccl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpcfl.ring._triton.why_not", lambda kind: None)
    monkeypatch.setattr("torch.cuda.nccl.version", lambda: (2, 29, 3))
    with simulated_cuda():
        monkeypatch.setattr("torch.distributed.is_nccl_available", lambda: False)
        code, without, _ = report()
        monkeypatch.setattr("torch.distributed.is_nccl_available", lambda: True)
        _, there, _ = report()
    assert code == 0 and without["nccl"].startswith("missing") and "this build of torch has no NCCL" in without["nccl"]
    assert there["nccl"].startswith("ok") and '2.29.3, for [network] openings = "nccl"' in there["nccl"]


def test_a_gpu_that_adds_up_wrongly_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpcfl.ring._triton.why_not", lambda kind: None)
    with simulated_cuda():
        monkeypatch.setattr(torch, "arange", lambda size, device: torch.ones(size, device=device))
        code, lines, _ = report()
    assert code == 4 and lines["device"].startswith("wrong") and "cuda:0 adds" in lines["device"]


def test_gloo_that_finds_no_address_says_which_variable_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("gloo: unable to find address for: north\nand a stack that nobody reads")

    monkeypatch.setattr("torch.distributed.ProcessGroupGloo.create_default_device", fail)
    code, lines, _ = report()
    assert code == 4
    assert "unable to find address for: north" in lines["gloo"] and "GLOO_SOCKET_IFNAME" in lines["gloo"]


def test_closed_loopback_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "create_connection", refuse)
    code, lines, _ = report()
    assert code == 4
    assert lines["loopback"].startswith("wrong") and "127.0.0.1" in lines["loopback"]


def test_a_cipher_that_is_not_chacha20_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "CHACHA_NONCE", bytes(12))  # another nonce gives another block, as a wrong cipher would
    code, lines, _ = report()
    assert code == 4
    assert lines["chacha20"].startswith("wrong") and "RFC 8439" in lines["chacha20"]


def test_a_kernel_that_does_not_wrap_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.njit", lambda _: lambda x, y: 0)
    code, lines, _ = report()
    assert code == 4
    assert lines["kernel"].startswith("wrong") and "Z_2^64" in lines["kernel"]


def test_a_module_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    assert check.attempt("kernel", check.kernel, "").state == "missing"
    assert check.attempt("kernel", check.kernel, "").mend == "pip install numba"


def test_an_old_python_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 13, "final", 0))
    assert check.python().fails
    assert "3.11 or newer" in check.python().found
