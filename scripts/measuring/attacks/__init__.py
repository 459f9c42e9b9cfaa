"""What the attacks in scripts/attacks/ are made of: rows, the search for a seed, recorded views, CrypTen's parties.

A row of results/attacks.jsonl has, besides what `measuring.rows` lists,

    attacker    who attacks, and `knows`: what it has besides what it saw; both in words
    recovered   so many of `of` rows (or seeds, or masks) are what they were, to `within`
    error       |found - true| / |guess - true| of rows, the median: 1 is no better than guessing the mean of the table
    trials      independent runs that the row is made of
"""
