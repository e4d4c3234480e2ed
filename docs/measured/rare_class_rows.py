"""Measure what more rows of the rare class buy: figures of docs/rare-class-rows.md.

`python docs/measured/rare_class_rows.py` writes `rare_class_rows.csv` beside this file and
`docs/images/rare-class-rows.png`. It needs the extra `project`, and some minutes of one core.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.data.sources.bundled import package_files

HERE = Path(__file__).parent
RESULTS, FIGURE = HERE / "rare_class_rows.csv", HERE.parent / "images" / "rare-class-rows.png"
SIZES = (5, 10, 20, 40, 80, 160, 320)
N_COMMON, N_SEEDS = 1000, 4
RARE_SHARE = 0.05  # of the rows that models are judged on
MODELS = {
    "logistic regression": lambda _: make_pipeline(
        StandardScaler(), LogisticRegression(max_iter=1000)
    ),
    "random forest": lambda seed: RandomForestClassifier(100, random_state=seed),
    "QCLMixNetClassifier": lambda seed: QCLMixNetClassifier.recommended(
        n_members=5, epochs=30, random_state=seed, device="cpu"
    ),
}


def made_up(seed, **options):
    """A table of 12,000 rows, a quarter of the rare class."""
    return make_classification(
        12_000, weights=[0.75], flip_y=0, random_state=seed, **{"n_features": 10, **options}
    )


def ada():
    """Incomes above a limit, by the census: 4,147 rows of 48 columns, 1,029 of the rare class."""
    folder = package_files() / "data" / "classification" / "ada"
    with (folder / "ada_train.data").open() as data, (folder / "ada_train.labels").open() as labels:
        X = pd.read_csv(data, sep=r"\s+", header=None).to_numpy(np.float64)
        y = pd.read_csv(labels, header=None)[0].to_numpy()
    return X, (y == 1).astype(int)


TABLES = {
    "one group": lambda: made_up(1, n_informative=4, n_clusters_per_class=1, class_sep=0.8),
    "three groups": lambda: made_up(2, n_informative=5, n_clusters_per_class=3, class_sep=1.2),
    "eight groups": lambda: made_up(3, n_informative=6, n_clusters_per_class=8, class_sep=1.2),
    "ada": ada,
}


def parts(y, n_rare, seed):
    """Training rows, of which `n_rare` are rare, and others of which 5 % are."""
    rng = np.random.default_rng(seed)
    rare, common = (rng.permutation(np.flatnonzero(y == label)) for label in (1, 0))
    test_rare, test_common = rare[max(SIZES) :], common[N_COMMON:]
    n = min(len(test_rare), int(len(test_common) * RARE_SHARE / (1 - RARE_SHARE)))
    # The rare rows of a smaller size are among those of a larger one.
    return (
        np.concatenate([rare[:n_rare], common[:N_COMMON]]),
        np.concatenate([test_rare[:n], test_common]),
    )


def scores(y, p):
    """Scores of an order of rows: how many are alerts is decided by the number of rows alone."""
    ranked = y[np.argsort(-p, kind="stable")]
    return {
        "average_precision": average_precision_score(y, p),
        # As many alerts as there are rare rows: precision, recall and F1 are the same.
        "f1": ranked[: y.sum()].mean(),
        "recall_at_100": ranked[: len(y) // 10].sum() / y.sum(),
    }


def measure():
    """Scores of every table, size, seed and model."""
    rows = []
    for table, make in TABLES.items():
        X, y = make()
        for seed in range(N_SEEDS):
            for n_rare in SIZES:
                train, test = parts(y, n_rare, seed)
                for name, make_model in MODELS.items():
                    p = make_model(seed).fit(X[train], y[train]).predict_proba(X[test])[:, 1]
                    found = scores(y[test], p)
                    rows.append(
                        {"table": table, "seed": seed, "rare": n_rare, "model": name, **found}
                    )
    return pd.DataFrame(rows)


def draw(results):
    """Average precision over the number of rare rows, a panel for each table."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(TABLES), figsize=(12, 3.2), sharey=True, layout="tight")
    for ax, table in zip(axes, TABLES, strict=True):
        of_table = results[results["table"] == table]
        for name in MODELS:
            by_size = of_table[of_table["model"] == name].groupby("rare")["average_precision"]
            mean, low, high = by_size.mean(), by_size.min(), by_size.max()
            ax.plot(mean.index, mean, marker="o", markersize=3, label=name)
            ax.fill_between(mean.index, low, high, alpha=0.2, linewidth=0)
        ax.set_xscale("log")
        ax.set_xticks(SIZES, [str(size) for size in SIZES])
        ax.minorticks_off()
        ax.set(title=table, xlabel="rare rows in training")
    axes[0].set_ylabel("average precision")
    axes[0].legend(fontsize=8)
    figure.savefig(FIGURE, dpi=120)


if __name__ == "__main__":
    results = measure()
    results.round(4).to_csv(RESULTS, index=False)
    draw(results)
