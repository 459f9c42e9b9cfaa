#!/bin/sh
# Every party of a job as a process on this machine, under torchrun:
#
#   sh launchers/local.sh job.toml [RUN_FOLDER]
#
# `mpcfl simulate job.toml` does the same without torchrun and adds the comparison with plaintext training.
set -eu
job=${1:?usage: sh launchers/local.sh job.toml [RUN_FOLDER]}
here=$(cd "$(dirname "$0")" && pwd)
if [ -x "$here/../.venv/bin/python" ]; then python=$here/../.venv/bin/python; else python=python3; fi
python=${PYTHON:-$python}

parties=$("$python" -c 'import sys; from mpcfl import Job; print(len(Job.load(sys.argv[1]).ranks))' "$job")
exec "$python" -m torch.distributed.run --standalone --nproc-per-node "$parties" \
    "$here/train.py" "$job" ${2:+--out "$2"}
