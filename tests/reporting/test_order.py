import pandas as pd

from qcl_mixnet.reporting.order import model_order


def test_model_order__families_first__then_first_appearance():
    frame = pd.DataFrame(
        [
            ("gcn", "gnn"), ("rf", "ml"), ("no_mixup", "ablation"), ("mlp", "dl"),
            ("qcl_mixnet", "proposed"), ("rf", "ml"), ("knn", "ml"), ("no_quantum", "ablation"),
        ],
        columns=["model", "family"],
    )  # fmt: skip
    assert model_order(frame) == [
        "qcl_mixnet", "no_mixup", "no_quantum", "rf", "knn", "mlp", "gcn",
    ]  # fmt: skip


def test_model_order__no_rows__no_models():
    assert model_order(pd.DataFrame(columns=["model", "family"])) == []
