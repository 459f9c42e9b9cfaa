"""`python -m mpcfl`, and so `torchrun ... -m mpcfl train job.toml`: the same as the command `mpcfl`."""

from mpcfl.cli.main import main

if __name__ == "__main__":  # a spawned process imports this file again, and must not run the command again
    raise SystemExit(main())
