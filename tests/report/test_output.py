"""The run folder: all or nothing, and a model that survives a full disk (a real one, where the test may mount)."""

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from mpcfl.errors import GuardError, JobError, OutputError
from mpcfl.report import output
from mpcfl.report.model import load_model
from mpcfl.report.output import check_folder, write_run
from tests.report.example import COEF, FEATURES, LEDGER, REPORT, example

FILES = ["model.safetensors", "card.json", "ledger.json", "report.json", "report.html"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "deep" / "run"
    assert write_run(folder, example()) == [folder / name for name in FILES]
    return folder


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Current, home and temporary directory of the test alone, where the model may be kept."""
    found = {name: tmp_path / name for name in ("current", "home", "temporary")}
    for path in found.values():
        path.mkdir()
    monkeypatch.chdir(found["current"])
    monkeypatch.setenv("HOME", str(found["home"]))
    monkeypatch.setattr(tempfile, "tempdir", str(found["temporary"]))
    return found


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB with room for the model, the card and the ledger, not for the page."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if not sys.platform.startswith("linux") or not shutil.which("mount"):
        pytest.skip("no small disk can be made here")
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount")
    try:
        (disk / "filler").write_bytes(bytes(28 << 10))
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> None:
    with pytest.raises(OSError) as caught, open(disk / "filler", "ab", buffering=0) as file:
        while True:
            file.write(bytes(1024))
    assert caught.value.errno == errno.ENOSPC


# ---- what is written -------------------------------------------------------------------------------------------------


def test_nothing_but_the_five_files_is_left(written: Path) -> None:
    assert sorted(os.listdir(written)) == sorted(FILES)
    assert os.listdir(written.parent) == ["run"]


def test_the_model_is_safetensors_with_names(written: Path) -> None:
    with safe_open(written / "model.safetensors", framework="numpy") as file:
        assert set(file.keys()) == {"coef", "intercept"}
        coef, intercept, metadata = file.get_tensor("coef"), file.get_tensor("intercept"), file.metadata()
    assert coef.dtype == intercept.dtype == np.float64 and np.array_equal(coef, COEF)
    assert intercept.tolist() == [150.0000001]
    assert json.loads(metadata["features"]) == list(FEATURES)
    assert (metadata["target"], metadata["mpcfl"], metadata["job"]) == ("y", "0.1.0", "made-up")


def test_the_ledger_is_written_as_it_was_kept(written: Path) -> None:
    assert json.loads((written / "ledger.json").read_text()) == LEDGER


def test_the_report_has_all_that_the_caller_gave(written: Path) -> None:
    report = json.loads((written / "report.json").read_text())
    assert {key: report[key] for key in REPORT} == REPORT
    assert report["party"] == "north" and report["mpcfl"] == "0.1.0"


def test_the_card_says_what_by_whom_and_for_whom_and_no_weight(written: Path) -> None:
    card = json.loads((written / "card.json").read_text())
    assert card["features"] == list(FEATURES) and card["target"] == "y" and card["rows"] == 1200
    assert card["parties"]["east"] == ["data", "dealer"] and card["solver"]["steps"] == 65536
    assert [entry["what"] for entry in card["revealed"]] == ["coef", "intercept"]
    assert len(card["threat_model"]) == 3 and "predict" in card["how_to_use"]["command"]
    assert "coef" not in card and "0.03125" not in (written / "card.json").read_text()


def test_no_local_path_is_in_any_file(written: Path) -> None:
    for name in FILES:
        assert b"secret-path" not in (written / name).read_bytes(), name


def test_a_run_may_fill_a_folder_that_is_empty(tmp_path: Path) -> None:
    check_folder(tmp_path)
    write_run(tmp_path, example())
    assert sorted(os.listdir(tmp_path)) == sorted(FILES)


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to("disk")
    write_run(tmp_path / "run", example())
    assert (tmp_path / "run").is_symlink() and sorted(os.listdir(tmp_path / "disk")) == sorted(FILES)


def test_little_is_known_of_a_run_and_it_is_written_all_the_same(tmp_path: Path) -> None:
    paths = write_run(tmp_path / "run", example(report={}, job={}, ledger=[]))
    assert [path.name for path in paths] == FILES


@pytest.mark.parametrize("weights", [{"coef": [1, 2, np.nan, 4, 5]}, {"intercept": np.inf}])
def test_weights_that_are_not_finite_are_not_written(tmp_path: Path, weights: dict[str, object]) -> None:
    with pytest.raises(GuardError, match="not finite"):
        write_run(tmp_path / "run", example(**weights))
    assert os.listdir(tmp_path) == []


# ---- before the run --------------------------------------------------------------------------------------------------


def test_a_folder_with_something_in_it_is_refused_before_the_run(written: Path) -> None:
    with pytest.raises(JobError, match="is not empty") as caught:
        check_folder(written)
    assert "does not exist yet" in (caught.value.hint or "")


def test_a_new_folder_is_accepted_and_not_made_yet(tmp_path: Path) -> None:
    check_folder(tmp_path / "a" / "b")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["file", "file/run"])
def test_a_file_in_the_way_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JobError, match="is a file"):
        check_folder(tmp_path / name)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc is where even root cannot write")
def test_a_place_where_nothing_can_be_written_is_refused() -> None:
    with pytest.raises(JobError, match="nothing can be written there"):
        check_folder("/proc/run")


# ---- when writing fails ----------------------------------------------------------------------------------------------


def kept_in(directory: Path) -> Path:
    [path] = directory.iterdir()
    assert path.name.startswith("mpcfl-made-up-") and path.name.endswith(".model.json")
    return path


def assert_is_the_model(path: Path) -> None:
    model = load_model(path)
    assert np.array_equal(model.coef, COEF) and model.intercept == 150.0000001
    assert (model.features, model.target) == (FEATURES, "y")


def test_full_disk_keeps_the_model_and_leaves_no_half_run(full_disk: Path, places: dict[str, Path]) -> None:
    check_folder(full_disk / "run")
    with pytest.raises(OutputError, match="No space left on device") as caught:
        write_run(full_disk / "run", example())
    path = kept_in(places["current"])
    assert str(path) in str(caught.value)
    assert_is_the_model(path)
    assert os.listdir(full_disk) == ["filler"]


def test_full_current_and_home_directory_leave_the_temporary_one(
    full_disk: Path, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(full_disk)
    monkeypatch.chdir(full_disk)
    monkeypatch.setenv("HOME", str(full_disk))
    with pytest.raises(OutputError):
        write_run(full_disk / "run", example())
    assert_is_the_model(kept_in(places["temporary"]))
    assert os.listdir(full_disk) == ["filler"]


def test_where_no_directory_takes_it_the_model_is_a_line_on_standard_output(
    full_disk: Path,
    places: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fill(full_disk)
    monkeypatch.chdir(full_disk)
    monkeypatch.setenv("HOME", str(full_disk))
    monkeypatch.setattr(tempfile, "tempdir", str(full_disk))
    with pytest.raises(OutputError, match="standard output"):
        write_run(full_disk / "run", example())
    [line] = capsys.readouterr().out.splitlines()
    saved = places["home"] / "saved.model.json"
    saved.write_text(line)
    assert_is_the_model(saved)
    assert json.loads(line)["ledger"] == LEDGER


def test_any_failing_write_keeps_the_model(places: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync
    failed: list[int] = []

    def fsync(descriptor: int) -> None:
        if len(failed) < 3:
            failed.append(descriptor)
            if len(failed) == 3:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    run = places["home"] / "run"
    with pytest.raises(OutputError, match="No space left"):
        write_run(run, example())
    assert len(failed) == 3 and os.listdir(places["home"]) == []
    assert_is_the_model(kept_in(places["current"]))


def test_a_defect_in_the_page_costs_no_model(places: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def page(record: object) -> str:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(output, "page", page)
    with pytest.raises(OutputError, match="ZeroDivisionError"):
        write_run(places["home"] / "run", example())
    assert_is_the_model(kept_in(places["current"]))


def test_a_folder_filled_during_the_run_is_not_written_over(places: dict[str, Path]) -> None:
    run = places["home"] / "run"
    check_folder(run)
    run.mkdir()
    (run / "theirs").write_text("keep")
    with pytest.raises(OutputError, match="not empty"):
        write_run(run, example())
    assert os.listdir(run) == ["theirs"] and os.listdir(places["home"]) == ["run"]
    assert_is_the_model(kept_in(places["current"]))


def test_models_kept_in_the_same_second_do_not_meet(places: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output.time, "gmtime", lambda: (2000, 1, 1, 0, 0, 0, 5, 1, 0))
    kept = {output.keep_model(example()) for _ in range(3)}
    assert len(kept) == 3 and {Path(path).parent for path in kept} == {places["current"]}


def test_a_job_name_is_no_path(places: dict[str, Path]) -> None:
    job = {"job": {"name": "../../etc/x y"}, "parties": {}}
    path = Path(output.keep_model(example(job=job)))
    assert path.parent == places["current"] and path.name.startswith("mpcfl--etc-x-y-")


def test_a_kept_model_is_for_its_owner_only(places: dict[str, Path]) -> None:
    assert Path(output.keep_model(example())).stat().st_mode & 0o077 == 0


def test_a_mounted_folder_is_filled_in_place(full_disk: Path, places: dict[str, Path]) -> None:
    (full_disk / "filler").unlink()
    subprocess.run(["mount", "-o", "remount,size=512k", str(full_disk)], check=True)
    write_run(full_disk, example())
    assert sorted(os.listdir(full_disk)) == sorted(FILES)
