"""The YAML blocks of all pages are what the project's own readers take."""

import copy

import pytest
import yaml
from tests.pages import PAGES, ROOT, blocks_of

from qcl_mixnet.inspection.plan import read_plan
from qcl_mixnet.project.configuration_loader import ProjectConfigLoader
from qcl_mixnet.project.parameters import ConfigurationError, parse_configuration

BLOCKS = [
    pytest.param(block, id=block.place) for page in PAGES for block in blocks_of(page, "yaml")
]


@pytest.fixture(scope="module")
def parameters():
    return ProjectConfigLoader(
        ROOT / "conf", base_env="base", default_run_env="base", config_patterns={
            "parameters": ["parameters*", "datasets*", "models/*"]
        },
    )["parameters"]  # fmt: skip


def with_entries(parameters, entries):
    """What a file of `conf/local` that holds these entries makes of the parameters."""
    merged = copy.deepcopy(parameters)
    for section, fields in entries.items():
        for key, value in fields.items():
            both = isinstance(value, dict) and isinstance(merged[section].get(key), dict)
            merged[section][key] = {**merged[section][key], **value} if both else value
    return merged


def alternatives(block):
    """What the block says to put where: an entry, or parts of one, of which each line is one."""
    content = yaml.safe_load(block.code)
    if (place := block.note("entry")) is None:
        return [content]
    section, name = place.strip('"').split(".")
    entry = {
        "datasets": {
            "label": "Mine",
            "sources": [{"type": "file", "path": "a.csv", "target": "y"}],
        },
        "models": {"family": "ml", "label": "Mine"},
    }[section]
    parts = [{key: value} for key, value in content.items()] if section == "datasets" else [content]
    return [{section: {name: entry | part}} for part in parts]


@pytest.mark.parametrize("block", BLOCKS)
def test_yaml_blocks__are_read(block, parameters, tmp_path):
    content = yaml.safe_load(block.code)
    if "apiVersion" in content:
        (container,) = content["spec"]["template"]["spec"]["containers"]
        assert container["args"][:2] == ["dask", "worker"]  # options: as in the shell's blocks
        return
    if "target" in content:
        (tmp_path / "columns.yml").write_text(block.code, encoding="utf-8")
        assert read_plan(tmp_path / "columns.yml").target == content["target"]
        return
    for entries in alternatives(block):
        merged = with_entries(parameters, entries)
        named = {s: merged[s] for s in ("datasets", "models") if s in entries}
        grid = {s: list(entries[s]) for s in named}
        merged["grid"] = {**merged["grid"], **grid}
        parse_configuration(merged)


def test_with_entries__a_mistyped_key__is_refused(parameters):
    entries = {"models": {"mine": {"clas": "a.B", "family": "ml", "label": "Mine"}}}
    merged = with_entries(parameters, entries)
    merged["grid"] = {**merged["grid"], "models": ["mine"]}
    with pytest.raises(ConfigurationError, match=r"models\.mine"):
        parse_configuration(merged)


def test_yaml_blocks__are_many():
    assert len(BLOCKS) > 9
