import pytest
from sklearn.datasets import load_wine
from sklearn.exceptions import NotFittedError

from qcl_mixnet import QCLMixNetClassifier


class Subclass(QCLMixNetClassifier):
    pass


@pytest.fixture
def model():
    return QCLMixNetClassifier(epochs=1, random_state=0, n_jobs=1).fit(*load_wine(return_X_y=True))


def test_load__subclass__is_an_instance_of_it(model, tmp_path):
    model.save(tmp_path / "model")
    loaded = Subclass.load(tmp_path / "model")
    assert type(loaded) is Subclass
    X, _ = load_wine(return_X_y=True)
    assert (loaded.predict_proba(X) == model.predict_proba(X)).all()


@pytest.mark.parametrize(
    "write",
    [lambda model: model.save("never"), lambda model: model.to_onnx()],
    ids=["save", "onnx"],
)
def test_save_and_to_onnx__unfitted__are_refused(write):
    with pytest.raises(NotFittedError):
        write(QCLMixNetClassifier())


def test_to_onnx__unusable_decision_set_after_fit__does_not_matter(model):
    before = model.to_onnx()
    assert model.set_params(decision={"no": "such class"}).to_onnx() == before
