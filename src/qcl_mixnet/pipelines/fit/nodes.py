"""Nodes of the pipeline `fit`."""

from pathlib import Path
from typing import Any

import pandas as pd

from qcl_mixnet.evaluation.preparation import encoder_of, target_labels
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.evaluation.split_columns import SplitColumns
from qcl_mixnet.evaluation.whole import fit_whole
from qcl_mixnet.keeping.saving import save_fitted
from qcl_mixnet.persistence.errors import ModelFileError
from qcl_mixnet.project.configuration import project_root
from qcl_mixnet.project.fit_options import FitOptions
from qcl_mixnet.project.fitting import fit_folder
from qcl_mixnet.project.git import git_commit
from qcl_mixnet.project.parameters import ConfigurationError
from qcl_mixnet.project.resources import Resources


def fit_model(
    table: pd.DataFrame,
    schema: dict[str, Any],
    kept_models: Path,
    spec: ModelSpec,
    protocol: EvaluationProtocol,
    options: FitOptions,
    resources: Resources,
) -> dict[str, Any]:
    """Fit a model on all rows of a data set and keep it in a folder.

    Parameters
    ----------
    table : DataFrame of shape (n_samples, n_features + 1)
        Features and the column `target`.
    schema : dict
        `schema` of `prepare_dataset`.
    kept_models : Path
        Where models are kept unless the options name a folder.
    spec : ModelSpec
    protocol : EvaluationProtocol
        Its seed, folds and checkpoint; nothing is split.
    options : FitOptions
    resources : Resources

    Returns
    -------
    dict
        `model`, `label`, `dataset`, `output` (the folder), `rows`, `rows_by_label`,
        `best_parameters`, `seconds`, `fingerprint` (of the table and its labels).

    Raises
    ------
    ConfigurationError
        When the folder cannot be written.
    ValueError
        When the model cannot be fitted.
    """
    folder = fit_folder(options, kept_models)
    labels = target_labels(table)
    split_by = SplitColumns.of_schema(schema)
    fitted = fit_whole(
        split_by.features(table),
        labels,
        spec,
        protocol,
        n_jobs=resources.n_jobs,
        encoder=encoder_of(schema),
        groups=split_by.owners(table),
    )
    provenance = schema["provenance"]
    dataset = {
        "name": options.dataset,
        "rows": len(table),
        "fingerprint": schema["fingerprint"],
        "provenance": provenance,
    }
    try:
        save_fitted(
            fitted.model,
            folder,
            spec=spec,
            dataset=dataset,
            git_commit=git_commit(project_root()),
            overwrite=options.overwrite,
        )
    except (ModelFileError, OSError) as error:
        raise ConfigurationError(
            f"The model cannot be kept in {folder} ({error}); free it, or name another folder with "
            "--params=fit.output=/a/folder."
        ) from error
    counts = pd.Series(labels).value_counts().sort_index()
    return {
        "model": options.model,
        "label": spec.label,
        "dataset": options.dataset,
        "output": str(folder),
        "rows": len(table),
        "rows_by_label": {str(label): int(count) for label, count in counts.items()},
        "best_parameters": {
            name.rpartition("__")[2]: value for name, value in fitted.best_parameters.items()
        },
        "seconds": round(fitted.seconds, 3),
        "fingerprint": schema["fingerprint"],
    }
