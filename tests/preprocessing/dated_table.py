"""A table as those of payments are: numbers, dates, gaps, few and many levels, booleans."""

import numpy as np
import pandas as pd


def make_dated_table(n_rows=90, seed=0):
    """Features and three classes that hang on the amount and on the hour.

    "shop" has more levels than rows of some of them, "abroad" is boolean, and "paid", "booked" and
    "joined" are dates: without and with a time zone, and without times of day.
    """
    rng = np.random.default_rng(seed)
    y = np.arange(n_rows) % 3
    seconds = rng.integers(0, 500 * 86_400, n_rows)
    paid = pd.Timestamp(2023, 3, 1) + pd.to_timedelta(seconds, unit="s")
    booked = paid.tz_localize("UTC").tz_convert("Europe/Berlin")
    table = pd.DataFrame(
        {
            "amount": rng.normal(size=n_rows) + y,
            "paid": paid.floor("D") + pd.to_timedelta(6 * y + 2, unit="h"),
            "shop": rng.zipf(1.5, n_rows).clip(max=40).astype(str),
            "colour": rng.choice(["red", "blue", None], n_rows),
            "booked": booked,
            "abroad": rng.random(n_rows) < 0.5,
            "code": pd.Categorical(rng.choice([1, 2, 30], n_rows)),
            "joined": paid.floor("D"),
        }
    )
    for name in ("amount", "paid", "booked", "joined"):
        table.loc[rng.random(n_rows) < 0.1, name] = None
    return table, y
