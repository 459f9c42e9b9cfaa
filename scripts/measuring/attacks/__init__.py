"""What the attacks in scripts/attacks/ are made of: rows, the search for a seed, recorded views, CrypTen's parties.

A row of results/attacks.jsonl has, besides what `measuring.rows` lists,

    attacker    who attacks; `sees`, `knows`: what of the run, and what besides; all in words
    recovered   so many of `of` (`unit`: rows, seeds, masks) are what they were, to `within`
    error       |found - true| / |guess - true| of rows, the median: 1 is no better than guessing the mean of the table
    trials      independent runs, or splits, that the row is made of
    control     how masks were weakened, so that the attack must succeed; empty in a real run
    bytes_p, positions_p, told_linear, told_forest      of the tests in `measuring.attacks.telling`
    auc, auc_margin     of membership inference: the mean, and half its 95 % interval; `score_others`: R^2 or accuracy
    r2_members, r2_others (and .._without)      of model inversion; `risk`: what members lost by taking part
    models, digits      of differencing: so many published models, of so many significant digits; `off`: |found - true|
                of the target, the median; `score_lost`: R^2 or accuracy that the digits left out cost, the mean
"""
