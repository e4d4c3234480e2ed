"""Runners that compute only what is not up to date, and show progress.

Any Kedro runner can do it: `IncrementalMixin` plans a run before Kedro's own machinery
carries it out. `docs/incremental-runs.md` says why it is done here and not in the nodes.
"""

import logging
from abc import ABC
from collections.abc import Callable, Sequence
from typing import Any

from kedro.framework.project import pipelines
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import AbstractRunner, ParallelRunner, SequentialRunner
from pluggy import PluginManager

from qcl_mixnet.evaluation.keys import cell_key
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec, build_model
from qcl_mixnet.project.availability import (
    needs_ingestion,
    problems_of,
    refused_when_prepared,
    stop_if_none_is_left,
    without_table,
)
from qcl_mixnet.project.cell_stage import cell_launcher, compute_cells, local_executor
from qcl_mixnet.project.cell_tasks import cell_dataset
from qcl_mixnet.project.datasets import CellDataset, TableDataset
from qcl_mixnet.project.gathered import GatheredTables
from qcl_mixnet.project.kedro_processes import NodeExecutor, manager_of_driver
from qcl_mixnet.project.planned_pipeline import PlannedPipeline
from qcl_mixnet.project.progress import RunProgress
from qcl_mixnet.project.resources import Resources

logger = logging.getLogger(__name__)


def dataset_of(node: Node) -> str:
    """Name of the data set that a node of a data set's namespace belongs to."""
    return str(node.namespace).split(".", maxsplit=1)[0]


def is_cell(node: Node) -> bool:
    """Whether a node trains a cell."""
    return "cell" in node.tags


class IncrementalMixin(AbstractRunner, ABC):
    """Plan a run: data first, then the cells that are not up to date, then what hangs on them."""

    @property
    def _logger(self) -> logging.Logger:
        # Kedro derives it from the class's module; its node counts belong to Kedro's logger.
        return logging.getLogger("kedro.runner")

    def run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol,
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
        only_missing_outputs: bool = False,
    ) -> dict[str, Any]:
        """Run a pipeline in three stages; see `kedro.runner.AbstractRunner.run`.

        All tables are brought in and checked before any training. A data set that no source has,
        or that cannot be used, is left out with its remedy. A cell whose record holds the current
        key is not run.
        """
        full = _with_prerequisites(pipeline)
        data = full.only_nodes_with_tags("data")
        rest = Pipeline([node for node in full.nodes if "data" not in node.tags])

        run_stage = super().run

        def carry_out(stage: Pipeline) -> dict[str, Any]:
            if not stage.nodes:
                return {}
            planned = PlannedPipeline(stage.nodes)
            return run_stage(planned, catalog, hook_manager, run_id, only_missing_outputs)

        if any(not cell_dataset(node, catalog).exists() for node in rest.nodes if is_cell(node)):
            self._prepare()
        with RunProgress() as self.progress:
            ingest = [node for node in data.nodes if node.short_name == "ingest"]
            names = {dataset_of(node) for node in data.nodes}
            carry_out(Pipeline([n for n in ingest if needs_ingestion(dataset_of(n), catalog)]))
            problems = without_table(names, catalog)
            stop_if_none_is_left(names, problems)
            prepare = [node for node in data.nodes if node not in ingest]
            prepare = [node for node in prepare if dataset_of(node) not in problems]
            carry_out(Pipeline(prepare))
            problems |= refused_when_prepared({dataset_of(node) for node in prepare}, catalog)
            stop_if_none_is_left(names, problems)
            _discard_tables(full, set(problems), catalog)

            rest_nodes = [node for node in rest.nodes if dataset_of(node) not in problems]
            cells = [node for node in rest_nodes if is_cell(node)]
            self.keys = {
                node.name: current_key(cell_dataset(node, catalog), catalog) for node in cells
            }
            stale = [node for node in cells if not self._is_up_to_date(node, catalog)]
            _check_specs(stale, catalog)
            self.progress.start(total=len(stale), up_to_date=len(cells) - len(stale))
            current = set(cells) - set(stale)
            for node in current:
                cell_dataset(node, catalog).folder.show(self.keys[node.name])
            todo = Pipeline([node for node in rest_nodes if node not in current])
            if only_missing_outputs:
                todo = self._filter_pipeline_for_missing_outputs(todo, catalog)
            self._compute([node for node in todo.nodes if is_cell(node)], catalog)
            self._gather(todo, GatheredTables(catalog, self._key_of(cells, catalog)), carry_out)
            return {name: catalog[name] for name in todo.outputs()}

    def _gather(
        self, todo: Pipeline, tables: GatheredTables, carry_out: Callable[[Pipeline], Any]
    ) -> None:
        """Do what follows the cells; gathered tables that nothing would change are kept."""
        gather = [node for node in todo.nodes if node.short_name == "evaluate"]
        made = tables.stale(gather)
        kept = {*gather} - {*made}
        carry_out(Pipeline([n for n in todo.nodes if not is_cell(n) and n not in kept]))
        tables.remember(made)

    def _prepare(self) -> None:
        """Begin what cells will need, while the tables are brought in."""
        cell_launcher().prepare()  # which imports

    def _compute(self, cells: Sequence[Node], catalog: CatalogProtocol) -> None:
        """Compute cells in processes of their own: as many at once as the runner has workers."""
        if not cells:
            return
        resources = Resources.model_validate(catalog.load("params:resources"))
        n_workers = min(getattr(self, "_max_workers", 1), len(cells))  # Kedro has no public name
        with local_executor(n_workers, resources) as executor:
            compute_cells(cells, catalog, self.keys, self.progress, resources, executor)

    def _key_of(
        self, cells: Sequence[Node], catalog: CatalogProtocol
    ) -> Callable[[CellDataset], str]:
        """Key of the result that a cell has now, also of one that is no part of this run."""
        known = {node.outputs[0]: self.keys[node.name] for node in cells}

        def key_of(cell: CellDataset) -> str:
            name = f"{cell.dataset}.{cell.model}_result"
            return known[name] if name in known else current_key(cell, catalog)

        return key_of

    def _is_up_to_date(self, node: Node, catalog: CatalogProtocol) -> bool:
        """Whether a cell has a result of the key that it would get now; failures are retried."""
        record = cell_dataset(node, catalog).folder.record(self.keys[node.name])
        return record is not None and record["status"] != "failed"

    def _suggest_resume_scenario(self, *args: Any) -> None:
        """Say nothing of `--from-nodes`: the same command goes on from where it was."""


class IncrementalSequentialRunner(IncrementalMixin, SequentialRunner):
    """One cell after another."""


class IncrementalParallelRunner(IncrementalMixin, ParallelRunner):
    """Several cells at once; `KEDRO_MP_CONTEXT` chooses how processes start."""

    def __init__(self, max_workers: int | None = None, is_async: bool = False):
        AbstractRunner.__init__(self, is_async=is_async)  # Kedro's own starts another manager
        self._manager = manager_of_driver()
        self._max_workers = self._validate_max_workers(max_workers)

    def _get_executor(self, max_workers: int) -> NodeExecutor:
        return NodeExecutor(max_workers)


def make_incremental(runner: AbstractRunner) -> AbstractRunner:
    """Give the incremental form of Kedro's sequential or parallel runner.

    Another runner is returned as it is, with a warning: it computes everything anew.
    """
    if isinstance(runner, IncrementalMixin):
        return runner
    # Kedro has no public name for what a runner was made with.
    if type(runner) is SequentialRunner:
        return IncrementalSequentialRunner(is_async=runner._is_async)
    if type(runner) is ParallelRunner:
        runner._manager.shutdown()  # a process that would outlive a killed driver; ours does not
        return IncrementalParallelRunner(max_workers=runner._max_workers, is_async=runner._is_async)
    logger.warning("%s computes every cell anew, also those up to date.", type(runner).__name__)
    return runner


def _with_prerequisites(pipeline: Pipeline) -> Pipeline:
    """Add the nodes without which a pipeline would read what another protocol left behind.

    These are the gathering nodes of tables that it reads, and the data nodes of every data set that
    it touches. So `--nodes=glass.svm_smote` and `--tags=ml` work in a fresh clone, no cell
    meets the splits of another protocol, and no table its results.
    """
    if not any(node.tags for node in pipeline.nodes):
        return pipeline  # such as inference, which needs nothing of the benchmark
    everything = pipelines.get("full", Pipeline([]))
    present, read = set(pipeline.nodes), pipeline.inputs()  # which Kedro gathers at every call
    gathering = {
        node for node in everything.nodes if "gather" in node.tags and set(node.outputs) & read
    }
    touched = {dataset_of(node) for node in present | gathering if node.namespace}
    data = {n for n in everything.nodes if "data" in n.tags and dataset_of(n) in touched}
    return Pipeline([*pipeline.nodes, *((gathering | data) - present)])


def _discard_tables(pipeline: Pipeline, datasets: set[str], catalog: CatalogProtocol) -> None:
    """Remove gathered tables of data sets that cannot be used now; their cells stay."""
    for node in pipeline.nodes:
        if "gather" in node.tags and dataset_of(node) in datasets:
            for name in node.outputs:
                dataset = catalog.get(name)
                if isinstance(dataset, TableDataset):
                    dataset.path.unlink(missing_ok=True)


def current_key(cell: CellDataset, catalog: CatalogProtocol) -> str:
    """Key of the result that a cell would have now."""
    schema = catalog.load(f"{cell.dataset}.schema")
    spec = ModelSpec.model_validate(catalog.load(f"params:models.{cell.model}"))
    protocol = EvaluationProtocol.model_validate(catalog.load("params:protocol"))
    return cell_key(schema["fingerprint"], spec, protocol)


def current_records(pipeline: Pipeline, catalog: CatalogProtocol) -> list[dict[str, Any]]:
    """Records of the results that a pipeline's cells have now, in their order.

    A cell without one, or of a data set that cannot be used, is left out.
    """
    cells = [cell_dataset(node, catalog) for node in pipeline.nodes if is_cell(node)]
    problems = problems_of({cell.dataset for cell in cells}, catalog)
    records = [
        cell.folder.record(current_key(cell, catalog))
        for cell in cells
        if cell.dataset not in problems
    ]
    return [record for record in records if record is not None]


def _check_specs(cells: list[Node], catalog: CatalogProtocol) -> None:
    """Build every model once, so that a bad parameter is told before any training."""
    for model in sorted({cell_dataset(node, catalog).model for node in cells}):
        build_model(
            ModelSpec.model_validate(catalog.load(f"params:models.{model}")), random_state=0
        )
