from qcl_mixnet.evaluation.cells import CellResult
from qcl_mixnet.evaluation.provenance import gather_provenance

RECORD = {
    "status": "ok", "seconds": 1.5, "finished_at": "2026-01-02T03:04:05+00:00", "machine": "Linux",
    "git_commit": "abc", "environment": "base", "versions": {"python": "3.11.7", "numpy": "2"},
    "repeats": [{"device": "cuda"}, {"device": "cpu"}, {"device": "cpu"}], "error": None,
}  # fmt: skip


def test_gather_provenance__a_row_a_cell__without_those_not_run():
    failed = {**RECORD, "status": "failed", "repeats": []}
    results = {"a": CellResult(RECORD), "b": None, "c": CellResult(failed)}
    frame = gather_provenance("d", results)
    assert list(frame.columns) == [
        "dataset", "model", "status", "seconds", "finished_at", "environment", "git_commit",
        "machine", "devices", "version_python", "version_numpy",
    ]  # fmt: skip
    assert frame["model"].tolist() == ["a", "c"]
    assert frame["devices"].tolist() == ["cpu, cuda", ""]
    assert frame["version_numpy"].tolist() == ["2", "2"]


def test_gather_provenance__record_made_outside_a_run__has_unknown_origin():
    own = {k: v for k, v in RECORD.items() if k not in {"git_commit", "environment"}}
    row = gather_provenance("d", {"a": CellResult(own)}).iloc[0]
    assert (row["git_commit"], row["environment"]) == ("unknown", "unknown")


def test_gather_provenance__nothing_run__is_empty():
    assert gather_provenance("d", {"a": None}).empty
