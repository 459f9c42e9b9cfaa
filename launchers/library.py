"""The library in ten lines: every party runs this file and brings rows of its own; each gets the same weights.

    torchrun --standalone --nproc-per-node 3 launchers/library.py

Here the rows are generated: y = 3 age - 2 dose + 1 and a little noise. In your program `my_rows` is a DataFrame, an
Arrow table, a dict of arrays, or `mpcfl.open_table("rows.csv")`; a party without data passes None.
"""

import numpy as np

import mpcfl

PARTIES = {"north": ["data", "compute"], "south": ["data", "compute"], "east": ["data", "dealer"]}

if __name__ == "__main__":
    with mpcfl.join(mpcfl.roster(PARTIES)) as session:
        random = np.random.default_rng(session.rank)
        age, dose = random.normal(50, 10, size=200), random.normal(0, 1, size=200)
        my_rows = {"age": age, "dose": dose, "y": 3 * age - 2 * dose + 1 + random.normal(0, 0.01, size=200)}
        model = mpcfl.LinearRegression().fit(session, my_rows, target="y")
    if session.rank == 0:
        print("coef", model.coef_.round(3), "intercept", round(model.intercept_, 2))
        print("revealed:", *[entry["what"] for entry in model.ledger_], sep="\n  ")
