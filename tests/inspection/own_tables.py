"""Files as users have them, made with a seed: what each holds is said beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class OwnTable:
    """A file, and what a reader should find in it.

    Parameters
    ----------
    path : Path
    target : str
    kinds : dict of str to str
        What each column is.
    options : dict
        Options of a `FileSource` that are not the usual ones.
    planted : tuple of str
        Columns that give the target away.
    """

    path: Path
    target: str
    kinds: dict[str, str]
    options: dict[str, object] = field(default_factory=dict)
    planted: tuple[str, ...] = ()


def comma(values, digits=2):
    return [f"{value:.{digits}f}".replace(".", ",") for value in values]


def semicolons(folder, seed=0, n=300):
    """Semicolons, decimal commas, points between thousands, umlauts of Windows."""
    rng = np.random.default_rng(seed)
    good = rng.random(n) < 0.3
    turnover = rng.uniform(100, 90_000, n)
    frame = pd.DataFrame(
        {
            "Säure": comma(rng.normal(6 - good, 1, n)),
            "Alkohol": comma(rng.normal(10 + 2 * good, 1, n), 1),
            "Umsatz": [f"{v:,.2f}".translate(str.maketrans(",.", ".,")) for v in turnover],
            "Sorte": rng.choice(["Weiß", "Rosé", "Rot"], n),
            "Güte": np.where(good, "gut", "schlecht"),
        }
    )
    path = Path(folder, "weine.csv")
    frame.to_csv(path, sep=";", index=False, encoding="cp1252")
    kinds = dict.fromkeys(["Säure", "Alkohol", "Umsatz"], "number")
    kinds |= {"Sorte": "category", "Güte": "target"}
    options = {"separator": ";", "encoding": "cp1252", "decimal": ",", "thousands": "."}
    return OwnTable(path, "Güte", kinds, options)


def question_marks(folder, seed=0, n=400):
    """Gaps written as `?`, among numbers and in text."""
    rng = np.random.default_rng(seed)
    yes = rng.random(n) < 0.25
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n).astype(str),
            "income": [f"{v:.2f}" for v in rng.normal(2000 + 900 * yes, 400, n)],
            "job": rng.choice(["clerk", "nurse", "smith"], n),
            "approved": np.where(yes, "yes", "no"),
        },
        dtype=object,
    )
    for name in ("age", "income", "job"):
        frame.loc[rng.choice(n, n // 10, replace=False), name] = "?"
    path = Path(folder, "credit.csv")
    frame.to_csv(path, index=False)
    kinds = {"age": "number", "income": "number", "job": "category", "approved": "target"}
    return OwnTable(path, "approved", kinds, {"na_values": ("?",)})


def dates_and_ids(folder, seed=0, n=400):
    """Dates with the day first, times in ISO form, a key of numbers and one of letters."""
    rng = np.random.default_rng(seed)
    gone = rng.random(n) < 0.2
    since = pd.Timestamp("2019-03-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D")
    seen = pd.Timestamp("2024-06-01 08:30") - pd.to_timedelta(
        rng.integers(0, 400_000, n) + 600_000 * gone * (rng.random(n) < 0.7), unit="min"
    )
    frame = pd.DataFrame(
        {
            "customer_id": rng.permutation(np.arange(10_000, 10_000 + 3 * n))[:n],
            "token": [f"{a:08x}-{b:04x}" for a, b in rng.integers(4096, 65536, (n, 2))],
            "since": since.strftime("%d/%m/%Y"),
            "last_seen": seen.strftime("%Y-%m-%d %H:%M:%S"),
            "plan": rng.choice(["basic", "plus", "pro"], n),
            "amount": rng.normal(30 - 8 * gone, 6, n).round(2),
            "churned": np.where(gone, "yes", "no"),
        }
    )
    path = Path(folder, "churn.csv")
    frame.to_csv(path, index=False)
    kinds = dict.fromkeys(["customer_id", "token"], "identifier")
    kinds |= {"since": "date", "last_seen": "date", "plan": "category", "amount": "number"}
    return OwnTable(path, "churned", kinds | {"churned": "target"})


def four_classes(folder, seed=0, n=400, rare=12):
    """Four classes, of which one has twelve rows."""
    rng = np.random.default_rng(seed)
    rest = n - rare
    sizes = [rest - rest // 3 - rest // 5, rest // 3, rest // 5, rare]
    label = rng.permutation(np.repeat(["healthy", "mild", "severe", "acute"], sizes))
    centre = pd.Series(label).map({"healthy": 0, "mild": 1, "severe": 2, "acute": 3}).to_numpy()
    frame = pd.DataFrame(
        {
            **{f"marker_{i}": rng.normal(centre * 0.5, 1).round(3) for i in range(6)},
            "sex": rng.choice(["f", "m"], n),
            "diagnosis": label,
        }
    )
    path = Path(folder, "diagnoses.csv")
    frame.to_csv(path, index=False)
    kinds = {f"marker_{i}": "number" for i in range(6)}
    return OwnTable(path, "diagnosis", kinds | {"sex": "category", "diagnosis": "target"})


def fraud(folder, seed=0, n=20_000, share=0.01):
    """Twelve columns, of which one is constant and one numbers the rows; 1 % of them is fraud."""
    rng = np.random.default_rng(seed)
    is_fraud = np.zeros(n, dtype=int)
    is_fraud[rng.choice(n, max(2, round(n * share)), replace=False)] = 1
    frame = pd.DataFrame(
        {
            "transaction_id": np.arange(1, n + 1),
            "currency": "EUR",
            "amount": np.exp(rng.normal(3 + 0.7 * is_fraud, 1)).round(2),
            "country": rng.choice(["DE", "FR", "IT", "ES"], n),
            **{f"v{i}": rng.normal(is_fraud * (i < 4), 1).round(4) for i in range(8)},
            "is_fraud": is_fraud,
        }
    )
    path = Path(folder, "fraud.csv")
    frame.to_csv(path, index=False)
    kinds = {f"v{i}": "number" for i in range(8)} | {"amount": "number", "country": "category"}
    kinds |= {"transaction_id": "identifier", "currency": "constant", "is_fraud": "target"}
    return OwnTable(path, "is_fraud", kinds)


FIVE = (semicolons, question_marks, dates_and_ids, four_classes, fraud)
"""The makers of the five files."""


def with_leak(table, seed=0):
    """Add a copy of the target with noise as a number, and one as a word with 1 % of errors."""
    rng = np.random.default_rng(seed)
    frame = pd.read_csv(table.path)
    codes, _ = pd.factorize(frame[table.target], sort=True)
    frame.insert(0, "settled", (codes + rng.normal(0, 0.1, len(frame))).round(4))
    errors = rng.random(len(frame)) < 0.01
    words = np.where(errors, rng.permutation(codes), codes)
    frame.insert(1, "letter", [f"sort {chr(97 + code)}" for code in words])
    path = table.path.with_stem(f"{table.path.stem}_leak")
    frame.to_csv(path, index=False)
    kinds = {"settled": "number", "letter": "category", **table.kinds}
    return OwnTable(path, table.target, kinds, table.options, ("settled", "letter"))


def with_duplicates(table, same=10, contradicting=4, seed=0):
    """Repeat rows at the end: some as they are, some with the label of another class."""
    rng = np.random.default_rng(seed)
    frame = pd.read_csv(table.path)
    rows = rng.choice(len(frame), same + contradicting, replace=False)
    more = frame.iloc[rows].copy()
    labels = sorted(frame[table.target].unique())
    other = dict(zip(labels, labels[1:] + labels[:1], strict=True))
    more.iloc[same:, more.columns.get_loc(table.target)] = [
        other[label] for label in more[table.target].iloc[same:]
    ]
    path = table.path.with_stem(f"{table.path.stem}_twice")
    pd.concat([frame, more]).to_csv(path, index=False)
    return OwnTable(path, table.target, table.kinds, table.options)
