import numpy as np


def nearest_by_search(asked, rows, k, *, skip_own=False):
    """All distances, one pair after another; ties go to the earlier row."""
    found = []
    for i, a in enumerate(asked.astype(np.float64)):
        distances = np.array([np.square(a - b).sum() for b in rows.astype(np.float64)])
        if skip_own:
            distances[i] = np.inf
        found.append(np.argsort(distances, kind="stable")[:k])
    return np.array(found)
