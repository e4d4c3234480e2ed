"""Where the reports of a run go: a folder for every environment and configuration.

A run with other models, another number of epochs or in another environment leaves the reports of
all others alone. Which folder it is hangs on the configuration, which Kedro's catalog cannot see;
so the configuration loader gives it the name, as `${reports:benchmark}`.
"""

import json
import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from qcl_mixnet.evaluation.keys import digest
from qcl_mixnet.project.configuration_loader import ProjectConfigLoader
from qcl_mixnet.project.fit_options import FitOptions
from qcl_mixnet.project.parameters import (
    Configuration,
    ConfigurationError,
    InferenceOptions,
    parse_section,
)
from qcl_mixnet.project.report_names import Reports
from qcl_mixnet.project.try_options import TryOptions
from qcl_mixnet.speed.measurement import SpeedOptions
from qcl_mixnet.tuning.options import TuningOptions
from qcl_mixnet.writing import write_atomically

logger = logging.getLogger(__name__)

REPORT_FOLDER = "08_reporting"
LATEST = "latest"
# Folder, in the reporting layer, of the folders of each kind of reports and of their `latest`.
PARENTS = {
    "benchmark": "", "speed": "speed/", "inference": "inference/", "replay": "replay/",
    "tuning": "tuning/", "fit": "fit/", "try": "try/", "plan": "plan/",
}  # fmt: skip
_HASH_DIGITS = 8


def report_folders(configuration: Configuration, env: str | None) -> dict[str, str]:
    """Name the folder of each kind of reports, relative to the reporting layer.

    Parameters
    ----------
    configuration : Configuration
    env : str or None
        The environment; None is "base".

    Returns
    -------
    dict of str to str
        "benchmark", "speed", "inference", "fit", "try", "replay" and "plan", each named by the
        environment and a hash of the parameters that decide what is in the reports, or the name
        that `reports` gives; and "tuning", named by the environment and the study.
    """
    env = env or "base"
    grid = configuration.grid
    decides = {
        "grid": grid.model_dump(mode="json"),
        "protocol": configuration.protocol.model_dump(mode="json"),
        "statistics": configuration.statistics.model_dump(mode="json"),
        "models": {n: configuration.models[n].model_dump(mode="json") for n in grid.models},
        # Without what an entry leaves at its default, so that a new option renames no folder.
        "datasets": {
            n: configuration.datasets[n].model_dump(mode="json", exclude_unset=True)
            for n in grid.datasets
        },
    }
    shape = f"{len(grid.datasets)}x{len(grid.models)}"
    reports = configuration.reports
    benchmark = reports.benchmark or f"{env}/{shape}-{_short_hash(decides)}"
    others = other_report_folders(
        configuration.speed, configuration.inference, configuration.fit, configuration.try_,
        configuration.tuning, reports, env,
    )  # fmt: skip
    replay = reports.replay or f"{env}-{_short_hash(_decides_replay(configuration))}"
    plan = {**decides, "plan": configuration.plan.model_dump(mode="json")}
    own = {
        "benchmark": f"{PARENTS['benchmark']}{benchmark}",
        "replay": f"{PARENTS['replay']}{replay}",
        "plan": f"{PARENTS['plan']}{reports.plan or f'{env}-{_short_hash(plan)}'}",
    }
    return {**own, **others}


def _decides_replay(configuration: Configuration) -> dict[str, Any]:
    """Parameters that decide what is in the reports of a replay."""
    replay = configuration.replay
    names = replay.datasets or configuration.grid.datasets
    sets = {n: configuration.datasets[n].model_dump(mode="json", exclude_unset=True) for n in names}
    protocol = configuration.protocol.model_dump(mode="json", include={"seed", "test_size"})
    return {"replay": replay.model_dump(mode="json"), "protocol": protocol, "datasets": sets}


def other_report_folders(
    speed: SpeedOptions,
    inference: InferenceOptions,
    fit: FitOptions,
    trial: TryOptions,
    tuning: TuningOptions,
    reports: Reports,
    env: str,
) -> dict[str, str]:
    """Name the folders of the reports that depend on no roster; see `report_folders`."""
    names = {
        "speed": reports.speed or f"{env}-{_short_hash(speed.model_dump(mode='json'))}",
        "inference": reports.inference or f"{env}-{_short_hash(inference.model_dump(mode='json'))}",
        "fit": reports.fit or f"{env}-{_short_hash(fit.model_dump(mode='json'))}",
        "try": reports.try_ or f"{env}-{_short_hash(trial.model_dump(mode='json'))}",
        # No hash: a study goes on with more trials, and refuses other settings itself.
        "tuning": f"{env}-{tuning.study}",
    }
    return {kind: f"{PARENTS[kind]}{name}" for kind, name in names.items()}


def _short_hash(value: Any) -> str:
    return digest(value)[:_HASH_DIGITS]


class BenchmarkConfigLoader(ProjectConfigLoader):
    """Kedro's loader, with `${reports:<kind>}` for the catalog.

    Parameters as for `ProjectConfigLoader`.
    """

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Configuration of a kind, such as "parameters" or "catalog"."""
        if key == "catalog":
            folders = self._report_folders

            def reports(kind: str) -> str:
                return folders[kind]

            OmegaConf.register_new_resolver("reports", reports, replace=True)
        return super().__getitem__(key)

    @cached_property
    def _report_folders(self) -> dict[str, str]:
        try:
            publish = self.configuration.publish
            name = publish.name or self.env or "base"
            folders = report_folders(self.configuration, self.env)
            return {**folders, "published": f"{publish.folder}/{name}"}
        except ConfigurationError:
            # Who asks for the benchmark is told; the other pipelines write nothing to its folder.
            parameters = self["parameters"]
            others = other_report_folders(
                parse_section(parameters, SpeedOptions, "speed"),
                parse_section(parameters, InferenceOptions, "inference"),
                parse_section(parameters, FitOptions, "fit"),
                parse_section(parameters, TryOptions, "try"),
                parse_section(parameters, TuningOptions, "tuning"),
                parse_section(parameters, Reports, "reports"),
                self.env or "base",
            )
            unknown = dict.fromkeys(("benchmark", "replay", "plan", "published"), "unusable")
            return {**unknown, **others}


def finish_reports(folder: Path, kind: str, record: Mapping[str, Any]) -> None:
    """Say where reports come from, and make `latest` point at them.

    Parameters
    ----------
    folder : Path
        A folder of reports.
    kind : {"benchmark", "speed", "inference", "fit", "try", "replay", "plan", "tuning"}
    record : mapping
        JSON-able; written to `run.json`: configuration, seed, versions, commit.
    """
    text = json.dumps(record, indent=2, default=str)
    write_atomically(folder / "run.json", lambda path: path.write_text(text, encoding="utf-8"))
    layer = next(parent for parent in folder.parents if parent.name == REPORT_FOLDER)
    _point_latest_at(folder, layer / PARENTS[kind])


def _point_latest_at(folder: Path, root: Path) -> None:
    """Link `latest` in `root` to a folder below it, with a warning where that cannot be."""
    link, target = root / LATEST, folder.relative_to(root)
    try:
        write_atomically(link, lambda path: path.symlink_to(target, target_is_directory=True))
    except OSError as error:
        logger.warning("%s cannot point at %s (%s); look there.", link, folder, error)
