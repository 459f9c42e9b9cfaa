#!/bin/sh
# Makes .venv with pinned versions. `make` runs it; run it alone for `mpcfl` without make.
#
#   sh scripts/setup.sh
#   PYTHON=/opt/python3.12/bin/python3 sh scripts/setup.sh                     that Python and no other
#   TORCH_INDEX=https://download.pytorch.org/whl/cu130 sh scripts/setup.sh     that build of torch (CUDA 13.0 here)
#
# Without TORCH_INDEX: the CPU build that pip finds by its own configuration; else, on Linux without an NVIDIA GPU, the
# CPU build of pytorch.org (gigabytes less than the other); else what pip takes by itself.
set -eu
cd "$(dirname "$0")/.."

CPU_INDEX=https://download.pytorch.org/whl/cpu
PINS=requirements/pins.txt
LOG=$(mktemp)
trap 'rm -f "$LOG"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

say() { printf '%s\n' "$*" >&2; }
stop() {
    say "setup: $1"
    say "  hint: $2"
    exit 4
}
python_fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
python_has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# pick_python: the first Python that is new enough and can make a virtual environment
pick_python() {
    if [ -n "${PYTHON:-}" ]; then set -- "$PYTHON"; else set -- python3.12 python3.11 python3.13 python3; fi
    lacks_venv=
    for python in "$@"; do
        python_fits "$python" || continue
        if python_has_venv "$python"; then
            echo "$python"
            return
        fi
        lacks_venv=${lacks_venv:-$python}
    done
    if [ -n "$lacks_venv" ]; then
        package=$("$lacks_venv" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        stop "$lacks_venv cannot make virtual environments (its module ensurepip is missing)" \
            "on Debian and Ubuntu: sudo apt install $package"
    fi
    stop "no Python 3.11 or newer among: $*" \
        "install one (python.org, apt, brew, uv python install 3.12), or name it: make setup PYTHON=/path/to/python3"
}

pip_install() { .venv/bin/python -m pip install --quiet --constraint "$PINS" "$@" >"$LOG" 2>&1; }
must() {
    "$@" || {
        tail -n 20 "$LOG" >&2
        stop "pip failed (its last lines are above)" \
            "behind a proxy set HTTPS_PROXY; for a mirror set PIP_INDEX_URL; then run the same command again"
    }
}

install_torch() {
    torch=$(sed -n 's/^torch==//p' "$PINS")
    if [ -n "${TORCH_INDEX:-}" ]; then
        must pip_install --extra-index-url "$TORCH_INDEX" "torch==$torch"
        return
    fi
    pip_install "torch==$torch+cpu" && return
    if [ "$(uname -s)" = Linux ] && ! nvidia-smi -L >/dev/null 2>&1; then
        pip_install --extra-index-url "$CPU_INDEX" --timeout 20 --retries 1 "torch==$torch+cpu" && return
        say "setup: no CPU build of torch found ($CPU_INDEX did not answer); taking pip's, which may be large"
    fi
    must pip_install "torch==$torch"
}

if ! { [ -x .venv/bin/python ] && python_fits .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; }; then
    python=$(pick_python)
    say "setup: .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
fi
say "setup: torch (1 of 3)"
install_torch
say "setup: mpcfl and what it needs (2 of 3)"
must pip_install --no-build-isolation --editable '.[demo,dev]'
say "setup: CrypTen, without its outdated requirements (3 of 3)"
must pip_install --no-deps --requirement requirements/crypten.txt
