from pathlib import Path

from qcl_mixnet.project.configuration_resolvers import artifact_folder, mlflow_uri

ROOT = Path(__file__).resolve().parents[2]


def test_mlflow_uri__is_the_users_or_a_file_in_the_project(monkeypatch):
    assert mlflow_uri() == f"sqlite:///{ROOT / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example:5000")
    assert mlflow_uri() == "http://tracking.example:5000"


def test_artifact_folder__beside_the_file__and_a_servers_own_otherwise(monkeypatch, tmp_path):
    assert artifact_folder() == (ROOT / "mlartifacts").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'runs.db'}")
    assert artifact_folder() == (tmp_path.resolve() / "mlartifacts").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example:5000")
    assert artifact_folder() is None


def test_artifact_folder__file_with_options__beside_that_file(monkeypatch, tmp_path):
    # Read as a path, "file:" would be a folder of the working directory.
    monkeypatch.setenv(
        "MLFLOW_TRACKING_URI", f"sqlite:///file:{tmp_path / 'a.db'}?mode=ro&uri=true"
    )
    assert artifact_folder() == (tmp_path.resolve() / "mlartifacts").as_uri()
