"""How cells are handed out to workers, with a cluster that only notes down what it gets."""

import logging

import pytest

from qcl_mixnet.project import dask_executor
from qcl_mixnet.project.dask_executor import DaskExecutor
from qcl_mixnet.project.dask_worker import Unfit
from qcl_mixnet.project.exchange import run_exchange
from qcl_mixnet.project.parameters import ConfigurationError
from qcl_mixnet.supervision.supervisor import Died, Done, Limits, Raised, Started


class Future:
    def __init__(self, name):
        self.name, self.status, self.value, self.cancelled = name, "pending", None, False

    def add_done_callback(self, told):
        self.told = told

    def end(self, value):
        self.value, self.status = value, "error" if isinstance(value, Exception) else "finished"
        self.told(self)

    def result(self):
        return self.value

    exception = result

    def cancel(self):
        self.cancelled = True


class Cluster:
    """Stands in for a client: what is submitted begins at once."""

    status = "running"

    def __init__(self, *workers):
        self.workers, self.out = list(workers), {}

    def scheduler_info(self):
        return {"workers": dict(enumerate(self.workers))}

    def subscribe_topic(self, topic, handler):
        self.begin = lambda name: handler((0, name))

    def submit(self, function, name, *args, **options):
        self.out[name] = Future(name)
        self.out[name].options = options
        self.begin(name)
        return self.out[name]

    def cancel(self, futures):
        for future in futures:
            future.cancel()


class Sent:
    hides_gpu = False


def worker(nthreads=1, **resources):
    return {"nthreads": nthreads, "resources": resources}


@pytest.fixture
def executor(tmp_path, monkeypatch):
    monkeypatch.setattr(dask_executor, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(DaskExecutor, "_sent", lambda self, name, task: Sent())
    monkeypatch.setattr(DaskExecutor, "_fetched", lambda self, event, task: event)

    def make(cluster, on_gpu):
        keys = dict.fromkeys(on_gpu, "key")
        return DaskExecutor(cluster, run_exchange(None, tmp_path), keys, Limits(), on_gpu)

    return make


def test_run__never_more_are_out_than_there_are_threads_and_the_order_is_kept(executor):
    cluster = Cluster(worker(), worker(nthreads=2))
    with executor(cluster, dict.fromkeys("abcde", False)) as running:
        events = running.run(dict.fromkeys("abcde"))
        assert [next(events) for _ in range(3)] == [Started(name) for name in "abc"]
        assert list(cluster.out) == ["a", "b", "c"]
        cluster.out["b"].end(Done("b", 1))
        assert [next(events), next(events)] == [Done("b", 1), Started("d")]
        for name in "acd":
            cluster.out[name].end(Died(name, -9, 1.0))
        rest = [next(events) for _ in range(4)]
        assert rest.index(Started("e")) > rest.index(Died("a", -9, 1.0))
        cluster.out["e"].end(Done("e", 1))
        assert list(events) == [Done("e", 1)]
    assert list(cluster.out) == list("abcde")


def test_run__workers_join__are_used_at_once(executor):
    cluster = Cluster(worker())
    with executor(cluster, {"a": False, "b": False}) as running:
        events = running.run({"a": None, "b": None})
        assert next(events) == Started("a")
        cluster.workers.append(worker())
        assert next(events) == Started("b")


def test_run__gpu_cells_wait_for_a_gpu_and_others_pass_them(executor):
    cluster = Cluster(worker(GPU=1), worker(), worker())
    with executor(cluster, {"a": True, "b": True, "c": False, "d": False}) as running:
        events = running.run(dict.fromkeys("abcd"))
        assert [next(events) for _ in range(3)] == [Started(name) for name in "acd"]
        assert cluster.out["a"].options["resources"] == {"GPU": 1}
        assert cluster.out["c"].options["resources"] is None
        cluster.out["a"].end(Done("a", 1))
        assert [next(events), next(events)] == [Done("a", 1), Started("b")]
    assert [name for name in "abcd" if cluster.out[name].cancelled] == ["b", "c", "d"]


def test_run__third_start__two_workers_are_dead_and_the_cell_has_failed(executor, caplog):
    cluster = Cluster(worker())
    with executor(cluster, {"a": False}) as running:
        events = running.run({"a": None})
        assert next(events) == Started("a")
        cluster.begin("a")
        cluster.begin("a")
        (failed,) = events
    assert isinstance(failed, Raised)
    assert failed.error.startswith("KilledWorker: 2 workers ended, one after the other, while they")
    assert cluster.out["a"].cancelled
    assert caplog.text.count("another tries it again") == 1


def ended_with(executor, value):
    cluster = Cluster(worker())
    with executor(cluster, {"a": False}) as running:
        events = running.run({"a": None})
        assert next(events) == Started("a")
        cluster.out["a"].end(value)
        return list(events)


def test_run__error_of_the_cluster__is_a_failure(executor):
    (failed,) = ended_with(executor, ValueError("no way"))
    assert (failed.error, failed.traceback) == ("ValueError: no way", "")


def test_run__worker_is_unfit__ends_the_run(executor, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(DaskExecutor, "_sent", lambda self, name, task: Sent())
    with pytest.raises(ConfigurationError, match="has numpy 1"):
        ended_with(executor, Done("a", Unfit("It has numpy 1.")))


def test_run__no_worker__says_so_once(executor, caplog, monkeypatch):
    monkeypatch.setattr(dask_executor, "PATIENCE_SECONDS", 0.0)
    cluster = Cluster()
    with executor(cluster, {"a": False}) as running, caplog.at_level(logging.WARNING):
        for _ in range(20):
            running._hand_out(["a"], {})
    assert caplog.text.count("1 cell waits for a worker to join the Dask cluster") == 1


def test_entering__exchange_cannot_be_written_to__is_one_sentence():
    exchange = run_exchange("/no/such/folder", None)
    with (
        pytest.raises(
            ConfigurationError, match=r"resources.exchange: /no/such/folder/.* cannot be"
        ),
        DaskExecutor(Cluster(), exchange, {}, Limits(), {}),
    ):
        pass


def test_run__scheduler_is_gone__ends_the_run(executor):
    cluster = Cluster()
    cluster.status = "closed"
    with (
        executor(cluster, {"a": False}) as running,
        pytest.raises(ConfigurationError, match="The Dask scheduler is gone"),
    ):
        list(running.run({"a": None}))


def test_run__no_worker_with_a_gpu__says_which(executor, caplog, monkeypatch):
    monkeypatch.setattr(dask_executor, "PATIENCE_SECONDS", 0.0)
    cluster = Cluster(worker())
    with executor(cluster, {"a": True, "b": True}) as running:
        running._hand_out(["a", "b"], {})
    assert "2 cells wait for a worker with --resources GPU=1 to join" in caplog.text
