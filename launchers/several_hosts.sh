#!/bin/sh
# One organisation's part of a run over several hosts. Every organisation runs this with its own name, within the
# job's `timeout` of each other:
#
#   sh launchers/several_hosts.sh job.toml north RENDEZVOUS_HOST [PORT] [RUN_FOLDER]
#
# RENDEZVOUS_HOST: the host of rank 0 (`mpcfl plan job.toml` prints the ranks), under a name or address that all others
# reach; PORT (29500): free there and open to the others. The other ports: README.md, "Across machines".
#
# Run for real with three parties on one machine (tests/launchers); not run between separate hosts.
set -eu
usage='usage: sh launchers/several_hosts.sh job.toml PARTY RENDEZVOUS_HOST [PORT] [RUN_FOLDER]'
job=${1:?$usage} party=${2:?$usage} host=${3:?$usage}
here=$(cd "$(dirname "$0")" && pwd)
if [ -x "$here/../.venv/bin/python" ]; then python=$here/../.venv/bin/python; else python=python3; fi
python=${PYTHON:-$python}

export MASTER_ADDR="$host" MASTER_PORT="${4:-29500}"
exec "$python" -m mpcfl train "$job" --party "$party" ${5:+--out "$5"}
