"""Compiled loops of comparisons: what `cut.py` defines, in one pass over memory. All that wraps is unsigned, as in
`_kernels.py`; entries of tables are signed, and are made unsigned words before they are added up.
"""

from __future__ import annotations

import numpy as np

from mpcfl.ring._compiled import compiled

_FLAT, _TABLE = "uint64[::1]", "uint64[:,::1]"


@compiled(f"void({_FLAT},{_FLAT},int16[:,::1],int8[:,::1],{_TABLE},int64,uint64,boolean,{_TABLE},int64,int64)")
def read(
    c: np.ndarray,
    lower: np.ndarray,
    long: np.ndarray,
    short: np.ndarray,
    digits: np.ndarray,
    wide: int,
    end: np.uint64,
    public: bool,
    out: np.ndarray,
    first: int,
    last: int,
) -> None:
    """out[first:last], (n, K). digits (count, 3): place, mask and first entry of each, the first `wide` in `long`."""
    count, one = digits.shape[0], np.uint64(1)
    for i in range(first, last):
        for k in range(lower.shape[0]):
            d = c[i] - lower[k]
            total = high = np.uint64(0)
            for j in range(wide):
                total += np.uint64(long[i, digits[j, 2] + ((d >> digits[j, 0]) & digits[j, 1])])
            for j in range(wide, count):
                high += np.uint64(short[i, digits[j, 2] + ((d >> digits[j, 0]) & digits[j, 1])])
            total += high << np.uint64(wide)
            if public:
                total += ((d >> end) & one) << np.uint64(count)
            out[i, k] = total


@compiled(f"void({_FLAT},{_TABLE},uint64,boolean,{_FLAT},int64,int64)")
def settle(
    word: np.ndarray, shared: np.ndarray, top: np.uint64, public: bool, out: np.ndarray, first: int, last: int
) -> None:
    """out[first:last] (m,). top: n."""
    one = np.uint64(1)
    below = (one << top) - one
    for i in range(first, last):
        flipped = (word[i] >> top) & one
        share = shared[i, word[i] & below] * (one - (flipped << one))
        out[i] = share + flipped if public else share


@compiled(
    f"void({_TABLE},uint64[:,:,::1],uint64[:,:,::1],{_FLAT},{_FLAT},uint64,boolean,{_TABLE},{_TABLE},int64,int64)"
)
def settle_product(
    word: np.ndarray,
    shared: np.ndarray,
    times: np.ndarray,
    opened: np.ndarray,
    factor: np.ndarray,
    top: np.uint64,
    public: bool,
    bits: np.ndarray,
    products: np.ndarray,
    first: int,
    last: int,
) -> None:
    """bits[first:last] (n, K) and products[first:last] (n, P), P <= K."""
    one = np.uint64(1)
    below = (one << top) - one
    for i in range(first, last):
        for k in range(word.shape[1]):
            flipped, at = (word[i, k] >> top) & one, word[i, k] & below
            sign, found = one - (flipped << one), shared[i, k, at]
            bits[i, k] = found * sign + flipped if public else found * sign
            if k < products.shape[1]:
                products[i, k] = (opened[i] * found - times[i, k, at]) * sign + factor[i] * flipped
