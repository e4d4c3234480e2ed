"""Parts of a prediction on threads of their own, and limits that stay where they were set."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.engine import threads
from qcl_mixnet.engine.threads import each_on_one_thread, limited_threads, resolve_threads
from qcl_mixnet.estimators.chunks import PREDICTION_CHUNK, in_chunks


@pytest.fixture(autouse=True)
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def in_a_new_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_each_on_one_thread__many_parts__in_order_on_two_threads_of_one_each():
    met = threading.Barrier(2, timeout=30)

    def work(part):
        if part < 2:
            met.wait()  # ends only if both parts are done at a time
        return part * 10, torch.get_num_threads(), threading.get_ident()

    done = each_on_one_thread(work, range(20))
    assert [value for value, _, _ in done] == [part * 10 for part in range(20)]
    assert {n for _, n, _ in done} == {1}
    workers = {who for _, _, who in done}
    assert len(workers) == 2
    assert threading.get_ident() not in workers


@pytest.mark.parametrize(("limit", "n_parts"), [(1, 5), (2, 1), (2, 0)])
def test_each_on_one_thread__one_thread_or_part__stays_in_the_caller(limit, n_parts):
    with limited_threads(limit):
        done = each_on_one_thread(
            lambda part: (part, torch.get_num_threads(), threading.get_ident()), range(n_parts)
        )
        assert torch.get_num_threads() == limit
    assert done == [(part, 1, threading.get_ident()) for part in range(n_parts)]


def test_each_on_one_thread__a_part_fails__the_error_comes_out():
    def work(part):
        raise ValueError(f"part {part}")

    with pytest.raises(ValueError, match="part 0"):
        each_on_one_thread(work, range(9))


def test_in_chunks__on_threads__no_gradient_and_the_rows_in_order():
    weight = torch.ones(1, requires_grad=True)
    x = torch.arange(100.0).reshape(50, 2)
    found = in_chunks(lambda chunk: chunk * weight, x, 7)
    assert not found.requires_grad
    assert torch.equal(found, x)


def test_predict_proba__any_n_jobs__the_same_bits():
    X = np.random.default_rng(0).normal(size=(2 * PREDICTION_CHUNK + 5, 6))
    y = X[:, 0] > 0
    model = QCLMixNetClassifier(epochs=1, random_state=0, n_jobs=1).fit(X[:200], y[:200])
    alone = model.predict_proba(X)
    for n_jobs in (2, None):
        assert np.array_equal(model.set_params(n_jobs=n_jobs).predict_proba(X), alone)


def test_resolve_threads__none__no_more_than_the_process_may_use(monkeypatch):
    monkeypatch.setattr(threads, "cpu_count", lambda: 1)  # a container's limit, which joblib reads
    assert resolve_threads(None) == 1
    monkeypatch.setattr(threads, "cpu_count", lambda: 64)
    assert resolve_threads(None) == 2


def test_limited_threads__a_new_thread_while_another_is_limited__keeps_no_limit():
    # A thread takes the number of the process when it first uses PyTorch.
    def limited():
        with limited_threads(1):
            return torch.get_num_threads()

    with limited_threads(1):
        assert in_a_new_thread(limited) == 1
        assert torch.get_num_threads() == 1
    assert in_a_new_thread(torch.get_num_threads) == 2


def test_limited_threads__one_in_another__each_restores_what_it_found():
    with limited_threads(1):
        with limited_threads(2):
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 1


FORK = """
import os, time, warnings
import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from qcl_mixnet import QCLMixNetClassifier, QCLMixNetPlusClassifier, load_fitted, save_fitted
from qcl_mixnet.baselines.deep import MLPNetworkClassifier
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
torch.set_num_threads(2)
X = np.random.default_rng(0).normal(size=(9000, 20)).astype(np.float32)
y = X[:, 0] > 0
models = {MODELS}
for model in models:
    model.predict_proba(X)
    # PyTorch's own threads, too, which prediction does without.
    torch.mm(torch.from_numpy(X), torch.from_numpy(X).T)
    expected = model.predict_proba(X[:5000])
    # MKL's memory has a lock that its threads still hold for a moment after `mm`: whoever forks in
    # it waits for ever, with PyTorch alone as well.
    time.sleep(0.3)
    child = os.fork()
    if child == 0:
        os._exit(int(not np.array_equal(model.predict_proba(X[:5000]), expected)))
    for _ in range(300):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.1)
    else:
        os.kill(child, 9)
        raise SystemExit(f"the child of {model} hangs")
    assert os.waitstatus_to_exitcode(status) == 0, model
"""
KEPT = """[
    save_fitted(
        make_pipeline(TablePreprocessor(), HistGradientBoostingClassifier(max_iter=5)).fit(X, y),
        "model",
    )
    or load_fitted("model"),
    MLPNetworkClassifier(epochs=1, random_state=0).fit(X[:500], y[:500]),
]"""
TREES = (
    """[QCLMixNetPlusClassifier(trees=True, time_limit=5, random_state=0).fit(X[:300], y[:300])]"""
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("models", [KEPT, pytest.param(TREES, marks=pytest.mark.slow)])
def test_predict__in_a_fork__no_library_waits_for_threads_that_are_gone(models, tmp_path):
    code = FORK.replace("{MODELS}", models)
    subprocess.run([sys.executable, "-c", code], check=True, timeout=200, cwd=tmp_path)
