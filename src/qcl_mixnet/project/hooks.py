"""Driver-side hooks: checks before a run, MLflow binding, and the summary after it."""

import logging
import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from qcl_mixnet.evaluation.keys import library_versions
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.project import summary
from qcl_mixnet.project.datasets import CellDataset
from qcl_mixnet.project.fit_tracking import fit_metrics, log_fitted
from qcl_mixnet.project.kedro_mlflow_hooks import provenance, tracking_address
from qcl_mixnet.project.parameters import ConfigurationError, Grid
from qcl_mixnet.project.report_folders import finish_reports
from qcl_mixnet.project.runners import current_records
from qcl_mixnet.project.tracked_run import present_run
from qcl_mixnet.project.tracking import RunBinding, set_client_defaults
from qcl_mixnet.project.tracking_addresses import hide_secrets, public_values
from qcl_mixnet.project.tracking_reports import run_report
from qcl_mixnet.project.try_tracking import log_tried, trial_files, try_metrics
from qcl_mixnet.project.tuning_study import StudyDataset
from qcl_mixnet.tuning.options import TuningOptions

logger = logging.getLogger(__name__)

MAX_LABELS = 100  # of which MLflow gets the number of rows
MAX_NAME_LENGTH = 200


class BenchmarkHooks:
    """What happens around a run; nothing that decides a result."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Before anything is said or asked of MLflow, see that it says little and no secrets."""
        for name in ("mlflow", "kedro_mlflow", "alembic"):
            # Set here and not in logging.yml: these set their own levels when they are imported.
            logging.getLogger(name).setLevel(logging.WARNING)
        # A traceback for every query that fails; what fails is told in sentences of our own.
        logging.getLogger("mlflow.store").setLevel(logging.CRITICAL)
        set_client_defaults()
        hide_secrets(tracking_address(context.config_loader))

    @hook_impl(trylast=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Check that results can be kept, and tell cells and studies which run they belong to."""
        tracked = [
            dataset
            for name in sorted(pipeline.all_outputs() | pipeline.inputs())
            if isinstance(dataset := catalog.get(name), CellDataset | StudyDataset)
        ]
        folders = _layer_folders(pipeline, catalog)
        for folder in sorted(folders, key=lambda folder: (folders[folder], folder)):
            check_writable(folder, folders[folder])
        self.run_params = run_params
        self.binding = _make_binding(run_params)
        for dataset in tracked:
            dataset.bind(self.binding)

    @hook_impl(tryfirst=True)
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Attach tables and figures to the parent run and print what came out."""
        reports = [
            path
            for name in sorted(pipeline.all_outputs())
            for path in summary.report_paths(catalog.get(name))
            if path.exists()
        ]
        parameters = {
            name: dict(catalog.load(f"params:{name}"))
            for name in ("grid", "protocol", "resources", "statistics")
        }
        outputs = pipeline.all_outputs()
        metrics: dict[str, float] = {}
        if "speed_table" in outputs:
            parameters["speed"] = dict(catalog.load("params:speed"))
            metrics = speed_metrics(catalog.load("speed_table"))
        if "inference_report" in outputs:
            parameters["inference"] = dict(catalog.load("params:inference"))
            metrics |= inference_metrics(catalog.load("inference_report"))
        if "fit_report" in outputs:
            report = catalog.load("fit_report")
            parameters["fit"] = {
                **dict(catalog.load("params:fit")), "best": report["best_parameters"]
            }  # fmt: skip
            metrics |= fit_metrics(report)
            log_fitted(self.binding, report)
        if "try_report" in outputs:
            report = catalog.load("try_report")
            parameters["try"] = dict(catalog.load("params:try"))
            metrics |= try_metrics(report)
            reports += trial_files(report)
            log_tried(self.binding, report)
        if "tuning_scores" in outputs:
            parameters["tuning"] = dict(catalog.load("params:tuning"))
            metrics |= tuning_metrics(catalog.load("tuning_scores"), parameters["tuning"])
        if "replay_designs" in outputs:
            parameters["replay"] = dict(catalog.load("params:replay"))
            metrics |= replay_metrics(catalog.load("replay_designs"))
        if "plan_workers" in outputs:
            parameters["plan"] = dict(catalog.load("params:plan"))
        board = catalog.load("leaderboard") if "leaderboard" in outputs else None
        tags = _protocol_tags(parameters["protocol"], pipeline, catalog)
        folders = _report_folders(pipeline, catalog)
        tags |= {f"{kind}_reports": str(folder) for kind, folder in folders.items()}
        if (run := present_run()) is not None:
            run.add_report(
                run_report(
                    tracked_parameters(parameters), board, reports, tags, metrics,
                    n_new=new_cells(pipeline, catalog, run.key),
                )
            )  # fmt: skip
        for kind, folder in folders.items():
            finish_reports(folder, kind, self._run_record(parameters, catalog))
        if "leaderboard" not in outputs:
            summary.print_cells(current_records(pipeline, catalog))
        summary.print_summary(catalog, pipeline, self.binding)

    def _run_record(
        self, parameters: Mapping[str, Any], catalog: CatalogProtocol
    ) -> dict[str, Any]:
        """What reports come from: enough to make them again."""
        models = catalog.load("params:models")
        grid = Grid.model_validate(parameters["grid"])
        return {
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
            **self.binding.provenance,
            "given_parameters": public_values(self.run_params.get("runtime_params") or {}),
            "parameters": public_values(parameters),
            "models": {
                name: ModelSpec.model_validate(models[name]).model_dump(mode="json", by_alias=True)
                for name in grid.models
            },
            "versions": library_versions(),
            "mlflow_run_id": self.binding.run_id or None,
        }


def new_cells(pipeline: Pipeline, catalog: CatalogProtocol, key: str) -> int | None:
    """Count the cells that the run of a key computed; None where a pipeline has none.

    Their records name the run. Nothing but this field is read, and no file is checked.
    """
    outputs = [catalog.get(name) for name in pipeline.all_outputs()]
    cells = [dataset for dataset in outputs if isinstance(dataset, CellDataset)]
    return sum(cell.computed_by(key) for cell in cells) if cells else None


def speed_metrics(table: pd.DataFrame) -> dict[str, float]:
    """Name the engine's figures of every data set and number of members for MLflow."""
    engine = table[table["implementation"] == "engine"]
    return {
        f"speed_{name}/{row['dataset']}_{row['members']}_members": float(row[name])
        for row in engine.to_dict("records")
        for name in ("ratio", "ms", "fraction", "peak_mib")
    }


def inference_metrics(report: Mapping[str, Any]) -> dict[str, float]:
    """Rows, seconds and rows of every label of a scored table, as MLflow lets them be named."""
    metrics = {"rows": float(report["rows"]), "seconds": float(report["seconds"])}
    for label, count in list(report["rows_by_label"].items())[:MAX_LABELS]:
        # MLflow forbids other characters; the report that is attached has labels as they are.
        name = re.sub(r"[^\w -]", "_", label)[:MAX_NAME_LENGTH] or "_"
        metrics[f"rows/{name}"] = float(count)
    return metrics


def tuning_metrics(scores: pd.DataFrame, options: Mapping[str, Any]) -> dict[str, float]:
    """Name the scores on test parts, of the model as it was and as it was tuned, for MLflow."""
    metric = TuningOptions.model_validate(options).metric
    return {
        f"{metric}/{dataset}/{model}": float(rows[metric].mean())
        for dataset, of_dataset in scores.groupby("dataset")
        for model, rows in of_dataset.groupby("model")
    }


def tracked_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Name the candidates and parts of a replay alone: MLflow takes a hundred parameters a call.

    The file `run.json`, and the tables that are attached, say what they are.
    """
    parameters = public_values(parameters)
    if "replay" not in parameters:
        return dict(parameters)
    replay = {
        key: ", ".join(value) if isinstance(value, Mapping) else value
        for key, value in parameters["replay"].items()
    }
    return {**parameters, "replay": replay}


def replay_metrics(designs: pd.DataFrame) -> dict[str, float]:
    """Name the mean scores and ranks of a replay's designs for MLflow."""
    return {
        f"replay_{name}/{row['design']}": float(row[name])
        for row in designs.to_dict("records")
        for name in ("log_loss", "macro_f1_argmax", "macro_f1_tuned", "mean_rank")
    }


def check_writable(folder: Path, parameter: str = "data_root") -> None:
    """Refuse a run whose results could not be written.

    Parameters
    ----------
    folder : Path
    parameter : {"data_root", "raw_root"}
        The parameter of a run that chooses another folder.

    Raises
    ------
    ConfigurationError
        When the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigurationError(
            f"The data folder {folder} cannot be written to ({error}); free it, or choose another "
            f"with --params={parameter}=/a/folder."
        ) from error


def _report_folders(pipeline: Pipeline, catalog: CatalogProtocol) -> dict[str, Path]:
    """Folders of the reports that a pipeline writes, by their kind."""
    written_by = {
        "benchmark": "leaderboard",
        "speed": "speed_table",
        "inference": "inference_report",
        "fit": "fit_report",
        "try": "try_report",
        "tuning": "tuning_scores",
        "replay": "replay_designs",
        "plan": "plan_workers",
    }
    outputs = pipeline.all_outputs()
    return {
        kind: path.parent
        for kind, name in written_by.items()
        if name in outputs and (path := summary.report_path(catalog.get(name)))
    }


def _layer_folders(pipeline: Pipeline, catalog: CatalogProtocol) -> dict[Path, str]:
    """Folders of the layers (`01_raw` ...) that a pipeline writes to, and what chooses each."""
    folders = {}
    for name in pipeline.all_outputs():
        dataset = catalog.get(name)
        path = getattr(dataset, "path", None) or getattr(dataset, "_filepath", None)
        if path is None:
            continue
        # The parents alone: a file of the data set "2020" is no layer.
        parents = Path(path).parents
        if name.endswith(".table"):
            folders[parents[0]] = "raw_root"
        else:
            layer = next((p for p in parents if re.match(r"\d\d_", p.name)), parents[0])
            folders[layer] = "data_root"
    return folders


def _protocol_tags(
    protocol: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
) -> dict[str, str]:
    """Give the marks of a cell's run to the parent run: test-selected if any of its cells is."""
    tags: dict[str, str] = {"checkpoint": EvaluationProtocol.model_validate(protocol).checkpoint}
    tables = [catalog.load(n) for n in sorted(pipeline.all_outputs()) if n.startswith("metrics")]
    # A part of the pipeline may gather nothing, and a data set that is not there has no rows.
    if gathered := [table for table in tables if len(table)]:
        selected = any(table["test_selected"].any() for table in gathered)
        tags["test_selected"] = str(selected).lower()
    return tags


def _make_binding(run_params: dict[str, Any]) -> RunBinding:
    import mlflow

    run = present_run()
    binding = RunBinding(provenance(run_params), key="" if run is None else run.key)
    active = mlflow.active_run()
    if active is None:
        return binding
    return replace(
        binding,
        tracking_uri=mlflow.get_tracking_uri(),
        experiment_id=active.info.experiment_id,
        run_id=active.info.run_id,
    )
