import logging

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from qcl_mixnet.replay import cache
from qcl_mixnet.replay.cache import candidate_key, train_missing
from qcl_mixnet.replay.options import ReplayOptions
from qcl_mixnet.replay.training import Trained


def train_all(data, options, folder):
    """Names of what was trained, each saved before the next, as the pipeline does."""
    names = []
    for result in train_missing(data, options, folder):
        folder.save(result)
        names.append((result.record["candidate"], result.record["seed"]))
    return names


def stored(data, options, folder, name):
    split = data.splits[0]
    key = candidate_key(data, split, options.trained[name], options)
    return folder.result(name, split.seed, key)


def changed(options, **values):
    return ReplayOptions.model_validate({**options.model_dump(), **values})


@pytest.fixture
def counted(monkeypatch):
    """Trainings that take no time; their probabilities tell nothing."""
    calls = []

    def train(recipe, block, **kwargs):
        calls.append(block.seed)
        rows = (len(block.y_train), len(block.y_test))
        return Trained(*(np.full((n, 2), 0.5) for n in rows), best_epoch=1, seconds=0.0)

    train.__module__ = cache.train_candidate.__module__
    monkeypatch.setattr(cache, "train_candidate", train)
    return calls


def test_train_missing__second_time__trains_nothing(make_data, options, folder):
    data = make_data()
    assert train_all(data, options, folder) == [("tiny", 42), ("bins", 42)]
    first = stored(data, options, folder, "tiny")
    assert first.arrays["out_of_fold"].shape == (48, 2)
    assert first.arrays["test"].shape == (12, 2)
    for part in ("out_of_fold", "test"):
        np.testing.assert_allclose(first.arrays[part].sum(axis=1), 1, atol=1e-6)
    _, test = train_test_split(np.arange(60), test_size=0.2, stratify=data.labels, random_state=42)
    assert first.arrays["y_test"].tolist() == data.labels[test].tolist()
    assert train_all(data, options, folder) == []


def test_train_missing__test_rows_change__out_of_fold_probabilities_do_not(
    make_data, options, tmp_path
):
    data, results = make_data(), []
    other = data.features.copy()
    other.loc[data.splits[0].test, ["a", "b"]] = 100.0
    for i, table in enumerate((data.features, other)):
        own = make_data(table.assign(target=data.labels))
        folder = cache.CandidateFolder(tmp_path / str(i))
        train_all(own, options, folder)
        results.append([stored(own, options, folder, name).arrays for name in ("tiny", "bins")])
    for one, two in zip(*results, strict=True):
        assert (one["out_of_fold"] == two["out_of_fold"]).all()
        assert not (one["test"] == two["test"]).all()


def test_train_missing__interrupted__goes_on_where_it_was(make_data, options, folder, counted):
    data = make_data(repeats=2)
    results = train_missing(data, options, folder)
    for _ in range(3):
        folder.save(next(results))
    results.close()
    assert train_all(data, options, folder) == [("bins", 43)]
    assert counted == [42, 42, 43, 43]


def test_train_missing__a_candidate_raises__is_noted_and_the_others_go_on(
    make_data, options, folder, monkeypatch, caplog, counted
):
    plain = cache.train_candidate

    def fails_once(recipe, block, **kwargs):
        if recipe.recipe.name == "tiny":
            raise ValueError("no luck")
        return plain(recipe, block, **kwargs)

    fails_once.__module__ = plain.__module__
    data = make_data()
    with monkeypatch.context() as patch:
        patch.setattr(cache, "train_candidate", fails_once)
        assert [name for name, _ in train_all(data, options, folder)] == ["tiny", "bins"]
    record = stored(data, options, folder, "tiny").record
    assert record["status"] == "failed"
    assert record["error"] == "ValueError: no luck"
    assert "mine.tiny, split 42: failed: ValueError: no luck" in caplog.text
    assert train_all(data, options, folder) == [("tiny", 42)]  # tried again
    assert stored(data, options, folder, "tiny").record["status"] == "ok"


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "other key"])
def test_result__damaged_file__is_told_and_trained_again(
    make_data, options, folder, counted, caplog, damage
):
    data = make_data()
    train_all(data, options, folder)
    key = candidate_key(data, data.splits[0], options.trained["tiny"], options)
    path = folder.file("tiny", 42, key)
    whole = path.read_bytes()
    other = next(folder.path.glob("bins/*")).read_bytes()
    path.write_bytes(
        {"cut": whole[:200], "text": b"what", "empty": b"", "other key": other}[damage]
    )
    with caplog.at_level(logging.WARNING):
        assert train_all(data, options, folder) == [("tiny", 42)]
    assert f"{path} is damaged (" in caplog.text
    assert "the candidate is trained again." in caplog.text
    assert train_all(data, options, folder) == []


def test_candidate_key__what_decides_a_result__is_in_it(make_data, options):
    data = make_data(repeats=2)
    split, recipe = data.splits[0], options.trained["tiny"]
    before = candidate_key(data, split, recipe, options)
    other_table = make_data(data.features.assign(a=0.0, target=data.labels))
    assert before == candidate_key(make_data(), split, recipe, options)
    assert before == candidate_key(data, split, recipe, changed(options, rope=0.1, repeats=5))
    keys = {
        before,
        candidate_key(data, data.splits[1], recipe, options),
        candidate_key(other_table, split, recipe, options),
        candidate_key(data, split, options.trained["bins"], options),
        candidate_key(data, split, recipe, changed(options, max_rows=50)),
        candidate_key(data, split, recipe, changed(options, max_steps=3)),
    }
    assert len(keys) == 6


def test_candidate_key__another_name__is_the_same_candidate(make_data, options):
    candidates = {"other": options.candidates["tiny"].model_dump()}
    renamed = changed(options, candidates=candidates, pool=["other"])
    data = make_data()
    split = data.splits[0]
    assert candidate_key(data, split, renamed.trained["other"], renamed) == candidate_key(
        data, split, options.trained["tiny"], options
    )
