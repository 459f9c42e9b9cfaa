"""scripts/bench_gpu.py: every figure on the CPU at tiny sizes, what a row has, and that one failure is one row's."""

import importlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.ring.interpreted import needs_triton

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`gpu("ring")`: the module measuring.gpu.ring, as the script sees it; `gpu("")`: the script."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return lambda name: importlib.import_module(f"measuring.gpu.{name}" if name else "bench_gpu")


@pytest.fixture
def small(gpu: Any) -> tuple[Any, Any, Any]:
    clock, size = gpu("clock").Clock(torch.device("cpu"), budget=0.0, least=2), gpu("peaks").SMALL
    return clock, gpu("peaks").Peaks(clock, size), size


def script(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / "bench_gpu.py"), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS.parent)}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment)


def test_every_part_makes_the_rows_that_it_names(gpu: Any, small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu("crypten"), "iteration", lambda clock, size: 12.5)
    for names, maker in gpu("").parts(*small).values():
        made = list(gpu("").rows(names, maker))
        assert [row["name"] for row in made] == names
        for row in made:
            if row["name"] in ("choices", "tuning"):
                assert row["not_measured"] == "Triton has no kernels for cpu devices"
                assert row["name"] == "tuning" or len(row["table"]) == 14
                continue
            assert row["value"] > 0 and row["figure"] == "gpu" and row["case"] == row["name"] and row["unit"]
            if "peer" in row:
                assert row["ratio"] > 0 and row["peer"]["value"] > 0
            if "roofline" in row:
                assert row["roofline"]["share"] > 0
            gpu("").line(row)


def test_a_part_that_fails_is_rows_with_the_reason(gpu: Any) -> None:
    def maker() -> Any:
        yield {"name": "one", "value": 1.0}
        raise MemoryError("out of memory")

    first, *others = gpu("").rows(["one", "two", "three"], maker)
    assert first == {"name": "one", "value": 1.0}
    assert [(row["name"], row["not_measured"]) for row in others] == [
        ("two", "MemoryError: out of memory"),
        ("three", "MemoryError: out of memory"),
    ]


def test_a_peer_that_fails_leaves_our_figure(gpu: Any) -> None:
    def peer() -> float:
        raise RuntimeError("no such operator\nand much more")

    row = gpu("figure").row("a", 2.0, "s", peer=("theirs", peer), target=1.0, less_is_better=True)
    assert row["value"] == 2.0 and not row["reached"] and "ratio" not in row
    assert row["peer"] == {"name": "theirs", "not_measured": "RuntimeError: no such operator"}
    assert "theirs: not measured" in gpu("").line(row)


@pytest.mark.parametrize(("less", "ratio", "share", "reached"), [(True, 2.0, 0.25, False), (False, 0.5, 4.0, True)])
def test_ratios_and_shares_are_of_how_good_a_figure_is(
    gpu: Any, less: bool, ratio: float, share: float, reached: bool
) -> None:
    row = gpu("figure").row(
        "a", 4.0, "s", less_is_better=less, peer=("p", lambda: 8.0), roofline=("bytes", 1.0), target=3.0
    )
    assert (row["ratio"], row["roofline"]["share"], row["reached"]) == (ratio, share, reached)


def test_constants_are_tried_and_put_back(gpu: Any) -> None:
    class Kernels:
        WIDTH = 2

    def work() -> float:
        if Kernels.WIDTH == 4:
            raise RuntimeError("too many registers")
        return float(Kernels.WIDTH)

    clock = SimpleNamespace(time=lambda work: gpu("clock").Timing(work(), 0.0, 1))
    found = gpu("tuning").measured(clock, gpu("tuning").Knob("width", Kernels, "WIDTH", (1, 2, 4), work))
    assert (found["chosen"], found["best"], Kernels.WIDTH) == ("2", "1", 2)
    assert found["milliseconds"]["4"] == "RuntimeError: too many registers"


@needs_triton
def test_every_constant_is_one_that_its_kernel_reads(gpu: Any) -> None:
    """Interpreted, at the smallest sizes: no value that is tried is refused."""
    if torch.cuda.is_available():
        pytest.skip("kernels are compiled where there is a CUDA device")
    size = gpu("peaks").Size(square=8, rows=3, columns=2, words=1 << 8, iterations=1)
    clock = gpu("clock").Clock(torch.device("cpu"), budget=0.0, least=1, most=1)
    for knob in gpu("tuning").knobs(clock.device, size):
        assert hasattr(knob.module, knob.attribute)
        found = gpu("tuning").measured(clock, replace(knob, options=knob.options[-1:]))
        assert all(isinstance(taken, float) for taken in found["milliseconds"].values()), found


def test_a_product_that_is_wrong_is_not_timed(gpu: Any, small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu("ring"), "matmul", lambda a, b: a)
    (row,) = gpu("").rows(["ring_product_64"], lambda: [gpu("ring").ring_product(*small)])
    assert "other ring elements" in row["not_measured"]


def test_one_party_alone_does_the_iterations_of_a_run(gpu: Any, small: Any) -> None:
    """What comes back is what was sent, of the right shape: the party neither waits nor notices."""
    found = gpu("solo").iterations(small[0], rows=60, columns=3, count=6)
    assert found["whole"].repeats == 3 and found["whole"].seconds > 0 and found["kernels"] == {}


def test_the_script_writes_rows_in_the_format_of_all_results(tmp_path: Path) -> None:
    options = ["--device", "cpu", "--small", "--out", str(tmp_path), "--only", "chacha20", "peaks"]
    assert "chacha20" in script(*options).stdout
    rows = [json.loads(line) for line in (tmp_path / "gpu.jsonl").read_text().splitlines()]
    assert [row["name"] for row in rows] == ["chacha20", "peaks"]
    for row in rows:
        assert {"seed", "run", "machine", "versions"} <= set(row)
        assert (row["device"], row["how"]) == ("CPU", "measured")
    assert (tmp_path / "gpu.svg").exists()


@pytest.mark.slow
def test_the_whole_script_runs_with_crypten_and_a_fit_of_its_own_process(tmp_path: Path) -> None:
    script("--device", "cpu", "--small", "--out", str(tmp_path))
    rows = {row["name"]: row for row in map(json.loads, (tmp_path / "gpu.jsonl").read_text().splitlines())}
    assert {name for name, row in rows.items() if "not_measured" in row} == {"choices", "tuning"}
    assert rows["logistic_iteration_400x5"]["peer"]["value"] > 0
    assert rows["logistic_fit_400x5"]["relative"] < 1e-3 and rows["logistic_fit_400x5"]["as_planned"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_and_measures_nothing(
    gpu: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench_gpu.py"])
    gpu("").main()
    assert capsys.readouterr().out.startswith("nothing measured: there is no GPU")


def test_a_fit_and_sharing_run_on_a_device(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulated one, which refuses what CUDA refuses; all three parties on it, and the meter as planned."""
    from tests.simulated_cuda import on_thread, simulated_cuda

    training, clock = gpu("training"), gpu("clock").Clock(torch.device("cuda"))
    threads = training.run_threads

    def on_device(roster: Any, program: Any, **options: Any) -> list[Any]:
        def party(session: Any) -> Any:
            with on_thread():
                return program(session)

        return threads(roster, party, **options)

    monkeypatch.setattr(training, "run_threads", on_device)
    with simulated_cuda():
        assert training.share_reveal(clock, gpu("peaks").SMALL)["value"] > 0
        row = training.whole_fit(clock, gpu("peaks").SMALL)
    assert row["as_planned"] and row["refused"] is None and row["relative"] < 1e-3


def test_one_party_alone_runs_on_a_device(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulated one, whose clock counts events; what a profile would say is made up, copies among it."""
    from tests import simulated_cuda

    class Profile:
        def __init__(self, **_: Any) -> None: ...

        def __enter__(self) -> None: ...

        def __exit__(self, *_: Any) -> None: ...

        def key_averages(self) -> list[Any]:
            taken = {"_rows": 6e6, "Memcpy DtoH (Device -> Pinned)": 9e9, "_series": 3e6}
            return [SimpleNamespace(key=key, self_device_time_total=time) for key, time in taken.items()]

    monkeypatch.setattr("torch.profiler.profile", Profile)
    monkeypatch.setattr(simulated_cuda.Event, "elapsed_time", lambda one, two: two.tick - one.tick, raising=False)
    with simulated_cuda.simulated_cuda():
        found = gpu("solo").iterations(gpu("clock").Clock(torch.device("cuda")), rows=60, columns=3, count=6)
    assert found["whole"].repeats == 3 and found["kernels"] == {"_rows": 2.0, "_series": 1.0}
