"""What every solver works on: shared moments in near-correlation form.

Column j (features first, the target last) is divided by a secret power of two 2^e_j that brings its variance to
[1/4, 1). No mean and no variance is revealed. Dividing the Gram matrix by the number of features d as well makes its
trace at most 1, so that gradient descent with step 1 converges for every table.
"""

from __future__ import annotations

from dataclasses import dataclass

from mpcfl.sharing.share import Share

GRAM_SCALE = 30
PRODUCT_SCALE = 60  # of a Gram matrix before its truncation
MEAN_SCALE = 30
TEST_SLACK = 8  # bits by which the variance of held-out rows may exceed that of the others
LARGEST_EXPONENT = 63  # of the powers of two, up or down
FOLD_SLACK = 2  # bits by which a fold may exceed all rows, about the mean of the others
LEVELS = 16  # a spread below 2^-16 of the column's size counts as constant


@dataclass(frozen=True, slots=True)
class Fold:
    """Sums over rows, divided by the rows of all folds, (D, D) at scale 30; the penalty is in `gram` only:

    gram: of the rows outside the fold, about their own mean: no larger than that of all rows.
    apart: of the rows of the fold, about the mean of the others: at most 4 / d.
    """

    rows: int
    gram: Share
    apart: Share


@dataclass(frozen=True, slots=True)
class Standardised:
    """D = d + 1 columns. With x~_j = x_j / 2^e_j:

    gram (D, D): sum over rows of centred x~_i x~_j / (n d), plus the penalty, scale 30, diagonal in [1/(4d), 1/d);
    exponent (D,): e_j, integers from -63 to 63; power (D,): 2^(a_j - e_j), integers, where |x_j| <= 2^a_j;
    mean (D,): mean of x_j / 2^a_j, scale 30, None without intercept;
    varies (D,): bits, whether a column's spread could be brought to [1/4, 1); None where each owner has checked it;
    test (D, D): the same Gram matrix of held-out rows, about the mean of the training rows, scale 28; None without;
    test_target (1,): the last diagonal element of it, about the held-out rows' own mean;
    test_fits (D,): bits, whether the held-out rows spread less than 16 times the size that column was brought to;
    folds: of a cross-validation, in the same units;
    shrink (d,): 2^-g_j, scale 15, where features were divided by 2^g_j more in gram and exponent, and nowhere else.
    """

    rows: int
    features: int
    gram: Share
    exponent: Share
    power: Share
    mean: Share | None
    varies: Share | None
    test: Share | None = None
    test_target: Share | None = None
    test_fits: Share | None = None
    folds: tuple[Fold, ...] = ()
    shrink: Share | None = None
