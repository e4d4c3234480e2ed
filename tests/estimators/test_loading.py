import pytest
from sklearn.datasets import load_wine
from tests.estimators.plus.quick_fits import fit_quickly

from qcl_mixnet import ModelFileError, QCLMixNetClassifier, QCLMixNetPlusClassifier
from qcl_mixnet.estimators.loading import load_classifier

X, Y = load_wine(return_X_y=True)


@pytest.mark.parametrize("cls", [QCLMixNetClassifier, QCLMixNetPlusClassifier])
def test_load_classifier__files_of_either_class__is_of_that_class(cls, tmp_path):
    if cls is QCLMixNetClassifier:
        model = cls(epochs=1, random_state=0, n_jobs=1).fit(X, Y)
    else:
        model = fit_quickly(X, Y, n_members=1)
    model.save(tmp_path / "model")
    loaded = load_classifier(tmp_path / "model", device="cpu")
    assert type(loaded) is cls
    assert (loaded.predict_proba(X) == model.predict_proba(X)).all()
    with pytest.raises(ValueError, match="device='nowhere'"):
        load_classifier(tmp_path / "model", device="nowhere")


def test_load_classifier__no_model__is_refused(tmp_path):
    with pytest.raises(ModelFileError, match=r"model\.json does not exist"):
        load_classifier(tmp_path)
