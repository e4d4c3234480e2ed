"""Files of a QCL-MixNet+: what saving refuses, and whose files are whose."""

import copy

import pytest

from qcl_mixnet import ModelFileError, QCLMixNetClassifier, QCLMixNetPlusClassifier
from qcl_mixnet.persistence.files import saved_class


def test_load__files_of_the_other_class__one_sentence_says_whose(
    saved, saved_plus, assert_refused, assert_plus_refused
):
    assert_refused(saved_plus, "holds a QCLMixNetPlusClassifier.*QCLMixNetPlusClassifier.load")
    assert_plus_refused(saved, "holds a QCLMixNetClassifier.*QCLMixNetClassifier.load")


def test_saved_class__is_that_of_the_files_or_none(saved, saved_plus, files, edit, tmp_path):
    assert saved_class(saved) == "QCLMixNetClassifier"
    assert saved_class(saved_plus) == "QCLMixNetPlusClassifier"
    for name in ("os.system", ["QCLMixNetClassifier"], None):
        edit(files, lambda content, name=name: content.update(class_name=name))
        assert saved_class(files) is None
    with pytest.raises(ModelFileError, match="does not exist"):
        saved_class(tmp_path / "missing")


def test_save__model_in_the_way__needs_overwrite_whatever_its_class(plus, files):
    with pytest.raises(FileExistsError, match="overwrite=True"):
        plus.save(files)
    plus.save(files, overwrite=True)
    assert saved_class(files) == "QCLMixNetPlusClassifier"


class Subclass(QCLMixNetPlusClassifier):
    pass


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.set_params(n_members=99), "n_members"),
        (lambda m: setattr(m, "leaderboard_", m.leaderboard_.assign(more=1)), "more"),
        (lambda m: setattr(m.blend_, "weights", 2 * m.blend_.weights), "sum to 2, not to 1"),
        (lambda m: setattr(m, "__class__", Subclass), "Subclass"),
    ],
)
def test_save__what_could_not_be_loaded__is_refused(plus, tmp_path, change, message):
    model = copy.deepcopy(plus)
    change(model)
    with pytest.raises(ModelFileError, match=message):
        model.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_load__future_version_or_max_bytes__are_refused(plus_files, edit, assert_plus_refused):
    assert_plus_refused(plus_files, "limit is 10", max_bytes=10)
    edit(plus_files, lambda content: content.update(schema_version=1))
    assert_plus_refused(plus_files, "version 1.*reads version 2 to 4 of a QCLMixNetPlusClassifier")


def test_load__model_of_version_2__predicts_the_same(
    plus, plus_files, plus_table, edit, assert_same
):
    def as_version_2(content):
        content["schema_version"] = 2
        del content["preprocessor"]["encoder"]
        for name in ("dates", "rare_levels"):
            del content["preprocessor"]["parameters"][name]

    edit(plus_files, as_version_2)
    assert_same(QCLMixNetPlusClassifier.load(plus_files), plus, plus_table[0])


def test_load__subclass__is_an_instance_of_it(saved_plus):
    assert type(Subclass.load(saved_plus)) is Subclass
    assert not isinstance(Subclass.load(saved_plus), QCLMixNetClassifier)
