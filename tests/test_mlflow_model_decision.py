"""A decision that was set after training is that of the model in MLflow."""

import mlflow
import numpy as np
import pandas as pd
from tests.estimators.ensembles import make_model, make_table

from qcl_mixnet import Costs, RecallAtLeast
from qcl_mixnet.mlflow_model import save_model


def test_save_model__after_set_decision__labels_are_those_of_predict(tmp_path):
    X, y = make_table()
    table = pd.DataFrame(X, columns=list("abcde"))
    model = make_model(n_members=2, bagging="folds", calibrate=True).fit(table, y)
    before = model.predict(table)
    costs = np.array([[0, 1, 2], [5, 0, 1], [90, 40, 0]])
    for i, decision in enumerate((RecallAtLeast("small", 0.5), Costs(costs))):
        model.set_decision(decision)
        save_model(model, tmp_path / str(i))
        served = mlflow.pyfunc.load_model(str(tmp_path / str(i))).predict(table)
        assert served["label"].tolist() == model.predict(table).tolist()
        assert served["label"].tolist() != before.tolist()
