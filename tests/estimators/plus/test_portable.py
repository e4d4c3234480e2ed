import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from qcl_mixnet import ModelFileError, QCLMixNetPlusClassifier
from qcl_mixnet.estimators.plus.blend import Blend
from qcl_mixnet.estimators.plus.kinds import TreesMember
from qcl_mixnet.preprocessing.gap_indicators import GapIndicatingPreprocessor


@pytest.mark.parametrize(
    "write",
    [lambda model: model.save("never"), lambda model: model.to_onnx()],
    ids=["save", "onnx"],
)
def test_save_and_to_onnx__unfitted__are_refused(write):
    with pytest.raises(NotFittedError):
        write(QCLMixNetPlusClassifier())


@pytest.mark.parametrize("write", ["save", "to_onnx"])
def test_save_and_to_onnx__trees_in_the_blend__are_refused_by_name(write, tmp_path):
    model = QCLMixNetPlusClassifier(trees=True)
    model.classes_, model.preprocessor_ = np.arange(2), GapIndicatingPreprocessor().fit([[1.0]])
    trees, one = TreesMember("extra_trees", [], 2), np.ones(1)
    model.blend_ = Blend([trees], one, one, 1.0, np.ones((0, 2)))
    model.decision_weights_ = np.ones(2)
    with pytest.raises(
        ModelFileError, match=r"'extra_trees'.*trees=False, or use joblib"
    ) as caught:
        getattr(model, write)(tmp_path / "model")
    assert str(caught.value).count(".") == 1  # one sentence
    assert not list(tmp_path.iterdir())
