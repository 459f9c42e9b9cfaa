"""What parties of the tests need, imported in the server that they are forked off (`tests/forked.py`)."""

import matplotlib.backends.backend_svg
import matplotlib.figure
import pytest
import scipy.stats
import sklearn.datasets
import torch

import mpcfl.cli.main
import mpcfl.cli.train
import mpcfl.report.output
from mpcfl.world import join

LOADED = (matplotlib, mpcfl, pytest, scipy, sklearn)

torch.set_num_threads(1)  # OMP_NUM_THREADS = 1, which a party is given, comes after the import
join.load("cpu")
