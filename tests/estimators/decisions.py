"""Problems and a naive score for the tests of decision weights."""

import numpy as np
from hypothesis import strategies as st

METRICS = ["macro_f1", "balanced_accuracy"]


def from_odds(odds, rest=0.0):
    """Probabilities of two classes whose ratio p1 / p0 is given, and a third of share `rest`."""
    p1 = np.asarray(odds) / (1 + np.asarray(odds))
    p = np.column_stack([1 - p1, p1])
    return p if rest == 0 else np.column_stack([p * (1 - rest), np.full(len(p), rest)])


def random_problem(seed, shares=(0.7, 0.2, 0.1), n=150):
    """Noisy probabilities that lean towards the large classes."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(shares)), (np.array(shares) * n).astype(int)))
    logits = rng.normal(size=(len(labels), len(shares))) + np.log(shares)
    logits[np.arange(len(labels)), labels] += 1.0
    p = np.exp(logits)
    return p / p.sum(axis=1, keepdims=True), labels


def naive_score(p, weights, labels, metric):
    """Score of a prediction made row by row, class by class."""
    chosen = []
    for row in (p * weights).tolist():
        chosen.append(row.index(max(row)))
    total, present = 0.0, set(labels.tolist())
    for c in present:
        hits = sum(a == b == c for a, b in zip(chosen, labels, strict=True))
        rows = (labels == c).sum()
        total += (
            hits / rows if metric == "balanced_accuracy" else 2 * hits / (rows + chosen.count(c))
        )
    return total / len(present)


@st.composite
def problems(draw, max_classes=4):
    """Few different numbers, so that ties and zeros are common."""
    n_classes = draw(st.integers(2, max_classes))
    n = draw(st.integers(1, 25))
    row = st.lists(st.integers(0, 5), min_size=n_classes, max_size=n_classes).filter(any)
    p = draw(st.lists(row, min_size=n, max_size=n))
    labels = draw(st.lists(st.integers(0, n_classes - 1), min_size=n, max_size=n))
    return np.array(p, dtype=float), np.array(labels)
