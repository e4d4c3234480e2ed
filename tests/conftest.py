import importlib.util
import os
import shutil
import sys
from functools import wraps
from itertools import combinations
from pathlib import Path

# Before anything imports kedro or mlflow: nothing is sent anywhere.
os.environ["DO_NOT_TRACK"] = "1"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import hypothesis
import pytest
from kedro.config import OmegaConfigLoader
from sklearn.utils import estimator_checks

# A run of the suite is the same each time: what stops a change is what the change did. Examples
# nobody has met yet are looked for with `pytest --hypothesis-profile=explore`.
hypothesis.settings.register_profile("repeat", derandomize=True, database=None)
hypothesis.settings.register_profile("explore", derandomize=False)
hypothesis.settings.load_profile("repeat")

LOCAL = Path(__file__).resolve().parents[1] / "conf" / "local"


@pytest.fixture(scope="session")
def _empty_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("no_local_configuration")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch, request, _empty_folder):
    """Keep the developer's settings out of the tests: variables and what is in conf/local."""
    for name in ("MLFLOW_TRACKING_URI", "KEDRO_ENV"):
        monkeypatch.delenv(name, raising=False)
    if "keeps_local_folder" not in request.fixturenames:
        monkeypatch.delenv("QCL_MIXNET_DATA", raising=False)
    folder_of = OmegaConfigLoader._get_conf_env_path

    def without_local(loader, env):
        folder = folder_of(loader, env)
        return str(_empty_folder) if Path(folder) == LOCAL else folder

    monkeypatch.setattr(OmegaConfigLoader, "_get_conf_env_path", without_local)


@pytest.fixture
def copied_conf(tmp_path):
    """A copy of the project's configuration, without what the developer has in conf/local."""

    def own(folder, names):
        return names if Path(folder) == LOCAL else []

    return shutil.copytree(LOCAL.parent, tmp_path / "conf", ignore=own)


@pytest.fixture(scope="session")
def new_database(tmp_path_factory):
    """An MLflow database without runs: making one takes seconds, copying it none."""
    import mlflow  # which takes seconds, and most tests need none

    path = tmp_path_factory.mktemp("tracking") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(scope="session")
def float32_rounding():
    """Tolerance of comparisons between the same rows in tables of different length or order.

    The kernels of a matrix product take the last rows of a block, a product of few rows, or the
    shares of several threads by other instructions than the rest, and which sums these order in
    another way differs from processor to processor: a few units in the last place of float32, by
    0.00000012 relative to the largest terms of the sum. What a network makes of the same table on
    the same processor and number of threads is compared exactly.
    """
    return {"rtol": 1e-5, "atol": 1e-6}


@pytest.fixture
def run_check(monkeypatch, float32_rounding):
    """Run one of scikit-learn's own checks on a network.

    Two of them compare rows in tables of different length or order, as exactly as float64 has
    them; here float32's rounding is allowed.
    """

    def rounded(compare):
        @wraps(compare)
        def compare_rounded(*args, **options):
            compare(*args, **options | float32_rounding)

        return compare_rounded

    def run(estimator, check):
        by_rows = "check_methods_subset_invariance", "check_methods_sample_order_invariance"
        if check.func.__name__ in by_rows:
            for name in ("assert_allclose", "assert_allclose_dense_sparse"):
                plain = getattr(estimator_checks, name)
                monkeypatch.setattr(estimator_checks, name, rounded(plain))
        check(estimator)

    return run


def _tick_labels(axis):
    """Labels of the ticks within the limits; matplotlib keeps others, which it does not draw."""
    low, high = sorted(axis.get_view_interval())
    return [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]


def _check_legible(figure):
    """Draw; then no text may leave the figure, and no two texts may overlap."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure).draw()
    texts = [*figure.texts, figure._supxlabel]
    for legend in [*figure.legends, *(axes.get_legend() for axes in figure.axes)]:
        texts += [*legend.get_texts(), legend.get_title()] if legend else []
    for axes in figure.axes:
        texts += [*axes.texts, axes.xaxis.label, axes.title, axes._left_title]
        texts += [*_tick_labels(axes.xaxis), *_tick_labels(axes.yaxis)]
    drawn = {text for text in texts if text and text.get_visible() and text.get_text()}
    boxes = {text: text.get_window_extent().padded(-0.5) for text in drawn}
    for text, box in boxes.items():
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1, text
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1, text
    for (a, box_a), (b, box_b) in combinations(boxes.items(), 2):
        assert not box_a.overlaps(box_b), (a, b)


def _words(figure):
    """All that is written in a figure, outside and inside its axes."""
    from matplotlib.text import Text

    return "\n".join(text.get_text() for text in figure.findobj(Text) if text.get_text())


@pytest.fixture
def check_legible():
    return _check_legible


@pytest.fixture
def words():
    return _words


def _load(path):
    """Load a module that tests of several folders use."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def own_tables():
    """The module that makes files as users have them, for tests of any folder."""
    return _load(Path(__file__).parent / "inspection" / "own_tables.py")


@pytest.fixture
def server(tmp_path):
    """An MLflow server in memory that can be brought into trouble."""
    module = _load(Path(__file__).parent / "project" / "tracking_server.py")
    with module.tracking_server(tmp_path / "artifacts") as server:
        yield server


@pytest.fixture(scope="session")
def make_record():
    """Makes a cell's record as a run writes it, with changes."""
    return _load(Path(__file__).parent / "project" / "records.py").make_record
