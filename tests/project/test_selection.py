import pytest
from kedro.pipeline import Node, Pipeline

from qcl_mixnet.project.parameters import ConfigurationError
from qcl_mixnet.project.selection import check_selection, check_tuned_model


def same(x):
    return x


def part(namespace, tag):
    nodes = [Node(same, "x", "y", name="knn", tags=tag), Node(same, "y", "z", name="evaluate")]
    return Pipeline(nodes, namespace=namespace, inputs=set(), outputs={"z": f"z_{namespace}"})


FULL = Pipeline([part("glass", "ml"), part("lymph", "dl"), Node(same, "z_glass", "end", name="t")])
PIPELINES = {"full": FULL, "__default__": FULL, "speed": Pipeline([Node(same, "a", "b")])}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"pipeline_names": ["full", "speed"]},
        {"tags": ("ml",), "node_names": None},
        {"tags": ("ml", "dl"), "node_names": ("glass.knn",)},
        {"from_nodes": ["glass.knn"], "to_nodes": ["t"]},
        {"from_inputs": ["z_glass"], "to_outputs": ["end"]},
        {"namespaces": ["glass"]},
    ],
)
def test_check_selection__known_names__are_let_through(given):
    check_selection(PIPELINES, given)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"pipeline_names": ["ful"]},
            "Unknown pipeline 'ful' (did you mean 'full'?) in --pipelines; choose among full, "
            "speed.",
        ),
        (
            {"tags": ("ml", "dll")},
            "Unknown tag 'dll' (did you mean 'dl'?) in --tags of pipeline full; correct it.",
        ),
        (
            {"tags": ("xyz",)},
            "Unknown tag 'xyz' in --tags of pipeline full; choose among dl, ml.",
        ),
        (
            {"tags": ("ml",), "pipeline_names": ["speed"]},
            "Unknown tag 'ml' in --tags of pipeline speed; it has no tags.",
        ),
        (
            {"node_names": ("knn",)},
            "Unknown node 'knn' (did you mean 'glass.knn'?) in --nodes of pipeline full; correct "
            "it.",
        ),
        (
            {"from_nodes": ["glas.knn"]},
            "Unknown node 'glas.knn' (did you mean 'glass.knn'?) in --from-nodes of pipeline full; "
            "correct it.",
        ),
        (
            {"to_nodes": ["glass.kn"]},
            "Unknown node 'glass.kn' (did you mean 'glass.knn'?) in --to-nodes of pipeline full; "
            "correct it.",
        ),
        (
            {"from_inputs": ["z_glas"]},
            "Unknown catalog entry 'z_glas' (did you mean 'z_glass'?) in --from-inputs of pipeline "
            "full; correct it.",
        ),
        (
            {"to_outputs": ["ned"]},
            "Unknown catalog entry 'ned' (did you mean 'end'?) in --to-outputs of pipeline full; "
            "correct it.",
        ),
        (
            {"namespaces": ["ecoli"]},
            "Unknown namespace 'ecoli' in --namespaces of pipeline full; choose among glass, "
            "lymph; what belongs to a data set or model is there if the grid has that one.",
        ),
        (
            {"tags": ("ml",), "node_names": ("lymph.knn",)},
            "No node of pipeline full is chosen by --tags=ml and --nodes=lymph.knn together; leave "
            "one of them out.",
        ),
    ],
)
def test_check_selection__unknown_name_or_nothing_left__is_one_sentence(given, sentence):
    with pytest.raises(ConfigurationError) as caught:
        check_selection(PIPELINES, given)
    assert str(caught.value) == sentence


def test_check_tuned_model__not_on_the_roster__is_told_with_the_nearest():
    check_tuned_model("knn", ["knn", "mlp"])
    with pytest.raises(ConfigurationError) as caught:
        check_tuned_model("knm", ["knn", "mlp"])
    assert str(caught.value) == (
        "Unknown model 'knm' (did you mean 'knn'?) in tuning.model; choose among knn, mlp, or add "
        "an entry for it under conf/."
    )
