"""A cell's record as a run writes it, for tests that need all of it."""

KEY = "abc" * 21 + "d"


def make_repeat(number=0, score=0.5):
    return {
        "repeat": number, "seed": 42 + number, "test_selected": False,
        "metrics": {"macro_f1": score, "roc_auc_ovr": None},
        "best_parameters": {"n_neighbors": 3 + number},
    }  # fmt: skip


def make_record(**changes):
    return {
        "status": "ok", "error": None, "key": KEY, "dataset": "glass", "model": "knn",
        "label": "KNN", "family": "ml", "class": "some.KNN", "test_selected": False, "seconds": 2.5,
        "finished_at": "2026-11-01T12:00:00+00:00", "grid_failures": [],
        "protocol": {"seed": 42, "checkpoint": "last"},
        "parameters": {"weights": "uniform", "p": None},
        "metrics": {
            "macro_f1": 0.5, "g_mean": 0.4, "mcc": 0.3, "fit_seconds": 0.1, "roc_auc_ovr": None
        },
        "repeats": [make_repeat()],
        "files": {},
        **changes,
    }  # fmt: skip
