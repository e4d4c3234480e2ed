"""Content that does not fit together, in files whose checksums are right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.persistence.forging import assert_usable_or_refused, fuzz

from qcl_mixnet import QCLMixNetPlusClassifier


def of_member(**changes):
    return lambda content: content["members"][0].update(changes)


def of_network(**changes):
    return lambda content: content["members"][0]["network"].update(changes)


def of_kind(**changes):
    return lambda content: content["training"]["leaderboard"][0].update(changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(class_name="os.system"), "class_name"),
        (lambda c: c.update(hook="x"), "hook"),
        (lambda c: c["parameters"].update(magic=1), "magic"),
        (lambda c: c["parameters"].update(n_members=0), "n_members"),
        (lambda c: c["classes"].update(values=[0, 1, 2, 3]), "decision weights for 4 classes"),
        (lambda c: c.update(feature_names=["a"]), "feature names"),
        (lambda c: c.update(decision_weights=[1.0, 1.0, -1.0]), "decision_weights"),
        (lambda c: c.update(temperature=1e-300), "temperature"),
        (lambda c: c.update(members=[]), "members"),
        (lambda c: c.update(members=c["members"] * 30), "members"),
        (lambda c: c.update(members=c["members"] + c["members"][:1]), "different kinds"),
        (lambda c: c["members"].pop(), "unknown tensor 'member.9"),
        (lambda c: c["layout"].update(n_numbers=4), "layout has 4 numbers among 23 columns"),
        (lambda c: c["layout"]["levels"].append(10**9), "1000000024 columns"),
        (lambda c: c["layout"].update(levels=[0]), "levels"),
        (of_member(name="other"), "different kinds of the leaderboard"),
        (of_member(weight=0.05), "sum to 0.95, not to 1"),
        (of_member(weight=-0.2), "weight"),
        (of_member(temperature=0.0), "temperature"),
        (of_network(embedding="magic"), "embedding"),
        (of_network(embedding="tree"), "member.0.numbers.frequency"),
        (of_network(width=64), "should be float32"),
        (of_network(width=10**9), "width"),
        (of_network(depth=10**9), "depth"),
        (of_network(depth=3), "member.0.hidden.2"),
        (of_network(n_bins=65536, embedding_width=65536), "should be float32"),
        (of_network(dropout=1.0), "dropout"),
        (of_network(entangle=False), "entangle.theta' is unknown"),
        (of_kind(log_loss=None), "log_loss"),
        (of_kind(best_epoch=2**63), "best_epoch"),
        (lambda c: c["training"].update(leaderboard=[]), "leaderboard"),
    ],
)
def test_load__forged_json_with_a_right_checksum__is_refused(
    plus_files, change, message, edit, assert_plus_refused
):
    edit(plus_files, change)
    assert_plus_refused(plus_files, message)


WEIGHT, SCALE = "member.0.classifier.weight", "member.5.numbers.scale"
VOTES, ROWS = "member.1.labels", "member.1.rows"  # of the neighbours
GAPS = "preprocessor.gap_columns"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop(WEIGHT), "member.0.classifier.weight' is missing"),
        (lambda t: t.update({"member.0.more": t[WEIGHT]}), "member.0.more' is unknown"),
        (lambda t: t.update({"member.10.more": t[WEIGHT]}), "unknown tensor 'member.10.more'"),
        (lambda t: t.update({WEIGHT: t[WEIGHT][:1]}), "classifier.weight' is float32 of shape"),
        (lambda t: t.update({WEIGHT: t[WEIGHT].astype(float)}), "should be float32"),
        (lambda t: t.update({WEIGHT: np.full_like(t[WEIGHT], np.inf)}), "infinity"),
        (lambda t: t.update({SCALE: np.zeros_like(t[SCALE])}), "member.5.numbers.scale' holds"),
        (lambda t: [t.pop(n) for n in list(t) if n.startswith("member.5.")], "no network"),
        (lambda t: t.pop(VOTES), r"tensors of 'member.1.' are not \['center', 'labels'"),
        (lambda t: t.update({VOTES: t[VOTES][:1]}), "labels' is int64 of shape"),
        (lambda t: t.update({VOTES: t[VOTES] + 1}), "labels or scales out of their range"),
        (lambda t: t.update({ROWS: t[ROWS] * np.nan}), "member.1.rows' holds NaN"),
        (lambda t: t.update({"preprocessor.medians": np.zeros(1)}), "medians"),
        (lambda t: t.update(out_of_fold_proba=np.zeros((60, 2))), "out_of_fold_proba"),
        (lambda t: t.pop(GAPS), "no array 'gap_columns'"),
        (lambda t: t.update({GAPS: t[GAPS].astype(float)}), "no array 'gap_columns'"),
        (lambda t: t.update({GAPS: np.array([5])}), "other positions"),
        (lambda t: t.update({GAPS: np.array([1, 1])}), "ascending"),
        (lambda t: t.update({GAPS: t[GAPS][:1]}), "layout has 5 numbers"),
    ],
)
def test_load__forged_tensors_with_right_checksums__are_refused(
    plus_files, change, message, replace_tensors, assert_plus_refused
):
    replace_tensors(plus_files, change)
    assert_plus_refused(plus_files, message)


@fuzz(30)
@given(data=st.data())
def test_load__any_value_of_the_json_replaced__usable_model_or_one_error(
    saved_plus, tmp_path, data, edit, plus_table
):
    assert_usable_or_refused(
        QCLMixNetPlusClassifier, saved_plus, tmp_path / "model", data, edit, plus_table[0]
    )
