"""One party of a run, for torchrun: the same as `mpcfl train`, as a file that a launcher can be pointed at.

One machine, every party a process:

    torchrun --standalone --nproc-per-node 3 launchers/train.py job.toml --out run

Several machines, this line on each, with its own rank (`mpcfl plan job.toml` prints them):

    torchrun --nnodes 3 --node-rank 0 --nproc-per-node 1 --master-addr HOST_OF_RANK_0 --master-port 29500 \\
        launchers/train.py job.toml --out run
"""

import sys

from mpcfl.cli.main import main

if __name__ == "__main__":  # a spawned process imports this file again, and must not run it again
    sys.exit(main(["train", *sys.argv[1:]]))
