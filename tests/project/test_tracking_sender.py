"""What is on disk reaches MLflow once, whatever happens to MLflow or to the run."""

import json
import threading
import time
from dataclasses import replace

import pandas as pd
import pytest

from qcl_mixnet.project import tracking, tracking_sender
from qcl_mixnet.project.tracking_ledger import Ledger, LedgerRun, left_behind
from qcl_mixnet.project.tracking_sender import Patience, Sender

IMPATIENT = Patience(
    poll_seconds=0.02, failures=2, lost_seconds=0.5, end_seconds=10, quick_seconds=0.3
)
CELLS = ["07_model_output/glass/knn", "07_model_output/glass/mlp"]


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    monkeypatch.setattr(tracking, "PROBE_SECONDS", 0.5)


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def begin(data, server, key="k1", **changes):
    run = LedgerRun(key, server.uri, "full", "qcl-mixnet", cells=CELLS, **changes)
    return Ledger.create(data, run)


@pytest.fixture
def save_cell(data, make_record):
    return lambda *args, **changes: _save_cell(make_record, *args, **changes)


def _save_cell(make_record, data, cell, key="k1", **changes):
    """What a run leaves on disk of a cell."""
    model = cell.rpartition("/")[2]
    record = make_record(model=model, run=key, files={"predictions.parquet": "sha"}, **changes)
    for folder in (data / cell / record["key"][:16], data / cell):
        folder.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"y_true": [0]}).to_parquet(folder / "predictions.parquet")
        (folder / "fit.json").write_text(json.dumps(record))


def until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


def run_all(data, server, ledger, status="FINISHED", **options):
    sender = Sender(server.uri, data, ledger, patience=IMPATIENT, **options)
    sender.start()
    ledger.add_end(status)
    sender.stop()
    return sender


def test_healthy__cells_are_sent_while_the_run_goes_on_and_nothing_is_left(
    data, server, save_cell, caplog
):
    ledger = begin(data, server, tags={"user": "me"}, provenance={"git_commit": "abc"})
    sender = Sender(server.uri, data, ledger, patience=IMPATIENT)
    sender.start()
    save_cell(data, CELLS[0])
    until(lambda: "glass.knn" in server.statuses())
    save_cell(data, CELLS[1], status="failed", error="E: no", metrics={}, repeats=[])
    ledger.add_report({"params": {"a": "1"}, "metrics": {"m": 0.5}, "tags": {"t": "v"},
                       "reports": [str(data / "gone.csv")]})  # fmt: skip
    ledger.add_end("FINISHED")
    sender.stop()
    assert sender.complete
    assert server.statuses() == {
        "full": ["FINISHED"], "glass.knn": ["FINISHED"], "glass.mlp": ["FAILED"],
    }  # fmt: skip
    assert server.tags("full").items() >= {
        "user": "me", "git_commit": "abc", "t": "v", "run_key": "k1"
    }.items()  # fmt: skip
    parent = server.run("full")["info"]["run_id"]
    assert server.tags("glass.knn")["mlflow.parentRunId"] == parent
    assert {p["key"]: p["value"] for p in server.run("full")["data"]["params"]} == {"a": "1"}
    assert list(server.artifacts.rglob("predictions.parquet"))
    assert not (data / ".tracking").exists()
    assert caplog.text == ""


@pytest.mark.parametrize("trouble", ["hang", "die", "401", "500", "garbage"])
def test_trouble_in_the_middle__one_line_and_the_next_run_sends_the_rest(
    data, server, save_cell, caplog, trouble
):
    ledger = begin(data, server)
    sender = Sender(server.uri.replace("//", "//me:s3cret@"), data, ledger, patience=IMPATIENT)
    sender.start()
    save_cell(data, CELLS[0])
    until(lambda: server.statuses().get("glass.knn") == ["FINISHED"])
    server.be_in_trouble(trouble)
    save_cell(data, CELLS[1])
    begun = time.monotonic()
    until(lambda: not sender.open)
    ledger.add_end("FINISHED")
    sender.stop()
    assert time.monotonic() - begun < 9  # the shortened limits, and not a minute
    assert not sender.complete
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"MLflow at {server.uri} does not take this run now (")
    assert "s3cret" not in line
    assert "\n" not in line

    server.recover()
    run_all(data, server, begin(data, server, key="k2"))
    assert sorted(server.statuses().items()) == [
        ("full", ["FINISHED", "FINISHED"]), ("glass.knn", ["FINISHED"]),
        ("glass.mlp", ["FINISHED"]),
    ]  # fmt: skip
    assert not (data / ".tracking").exists()


@pytest.mark.parametrize("after", range(13))
def test_dies_at_any_call__nothing_is_doubled_and_nothing_is_missing(
    data, server, save_cell, after
):
    save_cell(data, CELLS[0])
    save_cell(data, CELLS[1])
    server.be_in_trouble("die", after=after)
    ledger = begin(data, server)
    run_all(data, server, ledger)
    server.recover()
    run_all(data, server, begin(data, server, key="k2"))
    statuses = server.statuses()
    # A run that was opened unheard by a call that died is not there: the server had not done it.
    assert statuses == {
        "full": ["FINISHED", "FINISHED"], "glass.knn": ["FINISHED"], "glass.mlp": ["FINISHED"],
    }  # fmt: skip
    points = server.points[server.run("glass.knn")["info"]["run_id"]]
    assert len(points) == len({(name, step) for name, _, _, step in points})
    assert not (data / ".tracking").exists()


def test_back_before_the_end__the_end_sends_it(data, server, save_cell, caplog):
    ledger = begin(data, server)
    server.be_in_trouble("500")
    sender = Sender(server.uri, data, ledger, patience=IMPATIENT)
    sender.start()
    save_cell(data, CELLS[0])
    until(lambda: not sender.open)
    server.recover()
    ledger.add_end("FINISHED")
    sender.stop()
    assert server.statuses() == {"full": ["FINISHED"], "glass.knn": ["FINISHED"]}
    assert len(caplog.records) == 1


def test_slow__end_waits_for_its_limit_and_says_what_waits(data, server, save_cell, caplog):
    ledger = begin(data, server)
    save_cell(data, CELLS[0])
    server.be_in_trouble("slow", seconds=1)
    ledger.add_end("FINISHED")
    sender = Sender(
        server.uri, data, ledger, patience=replace(IMPATIENT, lost_seconds=9, end_seconds=0.3)
    )
    sender.start()
    begun = time.monotonic()
    sender.stop()
    assert time.monotonic() - begun < 5
    (line,) = [record.getMessage() for record in caplog.records]
    assert "(it is slow): 1 cell and its end wait" in line
    sender._thread.join(5)  # it gives up at its next call
    server.recover()
    run_all(data, server, begin(data, server, key="k2"))
    assert server.statuses() == {"full": ["FINISHED", "FINISHED"], "glass.knn": ["FINISHED"]}


def test_many_quick_cells__end_waits_for_all(data, server, save_cell):
    cells = [f"07_model_output/glass/m{i}" for i in range(40)]
    ledger = begin(data, server)
    ledger.write(replace(ledger.run, cells=cells))
    for cell in cells:
        save_cell(data, cell)
    sender = run_all(data, server, ledger)
    assert sender.complete
    assert len(server.runs) == 41


@pytest.mark.parametrize("sent", ["nothing", "the run", "a cell", "half a cell"])
def test_killed__next_run_ends_it_as_killed_and_sends_its_cells(data, server, save_cell, sent):
    ledger = begin(data, server)
    save_cell(data, CELLS[0])
    if sent != "nothing":
        client = tracking_sender_client(server)
        run = tracking_sender.open_run(client, ledger)
        if sent == "a cell":
            row = tracking_sender.read_row(run, data / CELLS[0] / "fit.json")
            tracking_sender.send_row(client, ledger, run, "glass.knn", row)
        if sent == "half a cell":
            row = tracking_sender.read_row(run, data / CELLS[0] / "fit.json")
            ledger.add_row("glass.knn", "")
            client.create_run(run.experiment_id, run_name=row.name, tags=row.tags)
    if sent == "the run":  # opened, and killed before its id was written down
        ledger.write(replace(ledger.run, run_id=""))
    ledger.release()  # as the operating system does of a process that is gone
    run_all(data, server, begin(data, server, key="k2"))
    assert sorted(server.statuses()) == ["full", "glass.knn"]
    assert sorted(server.statuses()["full"]) == ["FINISHED", "KILLED"]
    assert server.statuses()["glass.knn"] == ["FINISHED"]
    assert not (data / ".tracking").exists()


def tracking_sender_client(server):
    import mlflow

    return mlflow.MlflowClient(server.uri)


def test_killed__what_is_below_it_is_ended_too(data, server):
    ledger = begin(data, server)
    client = tracking_sender_client(server)
    run = tracking_sender.open_run(client, ledger)
    tags = {"mlflow.parentRunId": run.run_id}
    child = client.create_run(run.experiment_id, run_name="glass.tuning", tags=tags)
    tags = {"mlflow.parentRunId": child.info.run_id}
    client.create_run(run.experiment_id, run_name="a trial", tags=tags)
    ledger.release()
    run_all(data, server, begin(data, server, key="k2"))
    assert server.statuses()["glass.tuning"] == server.statuses()["a trial"] == ["KILLED"]


def test_other_process_is_alive__its_run_is_left_alone(data, server, save_cell):
    alive = begin(data, server)
    save_cell(data, CELLS[0])
    run_all(data, server, begin(data, server, key="k2"))
    assert sorted(server.statuses()) == ["full"]
    assert alive.folder.exists()


def test_caller_s_run__is_sent_to_and_not_ended(data, server, save_cell):
    client = tracking_sender_client(server)
    experiment = client.create_experiment("mine")
    given = client.create_run(experiment, run_name="my notebook").info.run_id
    ledger = begin(data, server, run_id=given, experiment_id=experiment, own=False)
    save_cell(data, CELLS[0])
    run_all(data, server, ledger, status="FAILED")
    assert server.statuses() == {"my notebook": ["RUNNING"], "glass.knn": ["FINISHED"]}


def test_run_is_gone_from_mlflow__a_sentence_and_forgotten(data, server, caplog):
    begin(data, server, run_id="gone", experiment_id="1").release()
    run_all(data, server, begin(data, server, key="k2"))
    (line,) = [record.getMessage() for record in caplog.records]
    assert "does not know an earlier run of" in line
    assert not (data / ".tracking").exists()


def test_another_place__waits_until_it_is_used_again(data, server):
    begin(data, server)
    other = begin(data, server, key="k2")
    other.write(replace(other.run, address="http://elsewhere"))
    other.release()
    run_all(data, server, begin(data, server, key="k3"))
    assert [ledger.run.key for ledger in left_behind(data)] == ["k2"]


def break_record(data, change):
    path = data / CELLS[0] / "fit.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.pop("protocol"), lambda record: record.update(repeats=3),
        lambda record: record.update(files={"gone.parquet": ""}),
        lambda record: record.update(finished_at="yesterday"),
    ],
)  # fmt: skip
def test_record_was_edited__a_sentence_and_the_other_cells_are_sent(
    data, server, save_cell, caplog, change
):
    save_cell(data, CELLS[0])
    save_cell(data, CELLS[1])
    break_record(data, change)
    run_all(data, server, begin(data, server))
    assert server.statuses() == {"full": ["FINISHED"], "glass.mlp": ["FINISHED"]}
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("glass.knn is on disk (")
    assert "cannot be sent to MLflow (" in line


def test_left_behind__damaged__is_forgotten(data, server):
    ledger = begin(data, server)
    (ledger.folder / "run.json").write_text("{")
    ledger.release()
    assert list(left_behind(data)) == []
    assert not (data / ".tracking").exists()


def test_left_behind__begins_at_this_moment__is_left_alone(data):
    (data / ".tracking" / "1-new").mkdir(parents=True)
    assert list(left_behind(data)) == []
    assert (data / ".tracking" / "1-new").exists()


def test_sender__no_thread_is_left(data, server):
    run_all(data, server, begin(data, server))
    assert "mlflow" not in [thread.name for thread in threading.enumerate()]
