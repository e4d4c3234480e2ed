import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.replay.designs import Design, Said, blend, check_names, make_designs, score
from qcl_mixnet.replay.options import ReplayOptions


@pytest.fixture
def labels():
    return np.array([0, 0, 0, 1, 1, 1])


@pytest.fixture
def said():
    """Candidates: one that is mostly right, one that is always half sure, one that is wrong."""
    right = np.array([0.9, 0.8, 0.4, 0.3, 0.2, 0.1])
    half, wrong = np.full(6, 0.5), 1 - right
    test = {"right": [0.7, 0.1], "half": [0.5, 0.5], "wrong": [0.2, 0.8]}
    p = {"right": right, "half": half, "wrong": wrong}

    def two(column):
        column = np.asarray(column)
        return np.stack([column, 1 - column], axis=1)

    return {name: Said(two(p[name]), two(test[name])) for name in p}


def options(**fields):
    return ReplayOptions.model_validate(fields)


def test_blend__uniform_uncalibrated__is_the_plain_average(said, labels):
    design = Design("d", ("right", "half"), weighting="uniform", calibrated=False)
    mean, weights = blend(design, said, labels)
    assert weights == {"right": 0.5, "half": 0.5}
    np.testing.assert_allclose(mean.test[:, 0], [0.6, 0.3])
    np.testing.assert_allclose(mean.out_of_fold[:, 0], [0.7, 0.65, 0.45, 0.4, 0.35, 0.3])


def test_blend__greedy__leaves_out_what_is_wrong(said, labels):
    mean, weights = blend(Design("d", ("right", "wrong"), calibrated=False), said, labels)
    assert weights == {"right": 1, "wrong": 0}
    np.testing.assert_allclose(mean.test, said["right"].test)


def test_blend__shrunk__is_half_way_to_equal_weights(said, labels):
    design = Design("d", ("right", "wrong"), weighting="shrunk", calibrated=False)
    mean, weights = blend(design, said, labels)
    assert weights == {"right": 0.75, "wrong": 0.25}
    np.testing.assert_allclose(mean.test[:, 0], [0.75 * 0.7 + 0.25 * 0.2, 0.75 * 0.1 + 0.25 * 0.8])


def test_blend__calibrated__members_then_the_mean(said, labels):
    (single, weights) = blend(Design("d", ("wrong",)), said, labels)
    assert weights == {"wrong": 1}
    # Worse than chance: the highest temperature is the best, and it is 20.
    odds = np.log(said["wrong"].test[:, 0] / said["wrong"].test[:, 1]) / 20
    np.testing.assert_allclose(single.test[:, 0], 1 / (1 + np.exp(-odds)), atol=1e-4)
    mean, _ = blend(Design("d", ("right", "half"), weighting="uniform"), said, labels)
    plain = Design("d", ("right", "half"), weighting="uniform", calibrated=False)
    uncalibrated, _ = blend(plain, said, labels)
    assert log_loss(labels, mean.out_of_fold) < log_loss(labels, uncalibrated.out_of_fold)


def test_blend__members_failed__the_others_are_blended(said, labels):
    del said["half"]
    _, weights = blend(Design("d", ("right", "half"), weighting="uniform"), said, labels)
    assert weights == {"right": 1}
    assert blend(Design("d", ("half",)), said, labels) is None


def test_make_designs__pool_of_three__all_kinds_of_designs():
    found = options(
        candidates={
            "waves": {"base": "waves"},
            "periodic": {"base": "periodic"},
            "plain": {"base": "plain"},
            "forest": {"trees": "extra_trees"},
            "close": {"neighbors": "neighbors_close"},
        },
        pool="waves+periodic+plain+close",
    )
    designs = {design.name: design for design in make_designs(found)}
    assert [*designs] == [
        "waves", "periodic", "plain", "forest", "close", "uniform", "greedy", "greedy_most_4",
        "greedy_shrunk", "greedy_uncalibrated", "greedy_without_waves",
        "greedy_without_periodic", "greedy_without_plain", "greedy_without_close",
        "greedy_without_paper_parts", "greedy_trained", "greedy_with_trees",
    ]  # fmt: skip
    assert designs["greedy"].members == ("waves", "periodic", "plain", "close")
    assert designs["greedy_trained"].members == ("waves", "periodic", "plain")
    assert designs["greedy_without_periodic"].members == ("waves", "plain", "close")
    # Without its parts waves is periodic, which is there; plain's twin is not.
    assert designs["greedy_without_paper_parts"].members == ("periodic", "close")
    with_trees = ("waves", "periodic", "plain", "close", "forest")
    assert designs["greedy_with_trees"].members == with_trees
    assert designs["greedy_most_4"].most == 4
    assert not designs["greedy_uncalibrated"].calibrated


def test_make_designs__twin_outside_of_the_pool__takes_the_place():
    twin = {"base": "plain", "network": {"entangle": False}}
    twin["loss"] = {"mixup": False, "metric_weight": 0}
    found = options(
        candidates={"bins": {"base": "bins"}, "plain": {"base": "plain"}, "twin": twin},
        pool="bins+plain",
    )
    designs = {design.name: design for design in make_designs(found)}
    assert designs["greedy_without_paper_parts"].members == ("bins", "twin")


def test_make_designs__only__what_needs_others_is_left_out():
    names = [design.name for design in make_designs(options(only="bins"))]
    assert names == [
        "bins", "uniform", "greedy", "greedy_most_4", "greedy_shrunk", "greedy_uncalibrated",
    ]  # fmt: skip


def test_check_names__unknown_design__is_told():
    check_names(
        options(chosen="uniform", only="bins", parts={"x": {"present": "waves", "absent": "bins"}})
    )
    with pytest.raises(
        EvaluationError, match=r"replay\.chosen is 'gredy', which is neither a design"
    ):
        check_names(options(chosen="gredy"))
    with pytest.raises(EvaluationError, match=r"replay\.parts\.x\.absent is 'wave'.*choose among"):
        check_names(options(parts={"x": {"present": "waves", "absent": "wave"}}))


def test_score__three_rules__as_worked_out_by_hand():
    rng = np.random.default_rng(0)
    y_train = np.repeat([0, 1], [90, 30])
    # Class 1 is always given too little: argmax never predicts it, weights do.
    p1 = np.where(y_train == 1, 0.4, 0.2) + rng.uniform(-0.05, 0.05, len(y_train))
    test1, y_test = np.array([0.42, 0.38, 0.21, 0.19, 0.45]), np.array([1, 1, 0, 0, 0])
    said = Said(np.stack([1 - p1, p1], axis=1), np.stack([1 - test1, test1], axis=1))
    found = score(said, y_train, y_test, seed=0)
    assert found["log_loss"] == pytest.approx(log_loss(y_test, said.test))
    assert found["macro_f1_argmax"] == pytest.approx(0.75 / 2)  # class 0: 2 * 3 / (5 + 3)
    expected = f1_score(y_test, [1, 1, 0, 0, 1], average="macro")
    assert found["macro_f1_power"] == pytest.approx(expected)
    assert found["macro_f1_tuned"] == pytest.approx(expected)
