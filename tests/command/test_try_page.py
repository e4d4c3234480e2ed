"""docs/try.md: what it tells a newcomer to do works, and prints what it shows."""

import re
import shlex

import pytest
from click.testing import CliRunner
from tests.pages import ROOT, blocks_of, run_python

from qcl_mixnet.command.group import cli
from qcl_mixnet.command.try_table import try_table
from qcl_mixnet.trial.shortlist import SHORTLIST

PAGE = (ROOT / "docs" / "try.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+\.\d+")


def block(language):
    (found,) = blocks_of("docs/try.md", language)
    return found.code


def test_page__blocks_run_and_print_what_it_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_python("docs/try.md")
    runner, printed = CliRunner(), []
    for line in block("bash").splitlines():
        result = runner.invoke(cli, shlex.split(line)[1:], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        printed.append(result.output)
    lines, shown = printed[0].splitlines(), block("text").splitlines()
    assert len(lines) == len(shown)
    for line, expected in zip(lines, shown, strict=True):
        if expected.startswith(("LR, tuned", "RF", "Dummy")):  # seconds are last
            line, expected = line.rsplit(None, 1)[0], expected.rsplit(None, 1)[0]
        assert NUMBER.sub("", line) == NUMBER.sub("", expected)
        # Other processors round otherwise.
        assert [float(n) for n in NUMBER.findall(line)] == pytest.approx(
            [float(n) for n in NUMBER.findall(expected)], abs=0.02
        )
    assert "100 rows are in new-predicted.csv" in printed[1]
    decide, *_ = blocks_of("docs/decisions.md", "bash")  # goes on with this trial
    for line in decide.code.splitlines():
        result = runner.invoke(cli, shlex.split(line)[1:], catch_exceptions=False)
        assert result.exit_code == 0, result.output


def test_page__names_all_models_files_and_flags_that_there_are(tmp_path):
    assert all(f"`{name}`" in PAGE for name in SHORTLIST)
    known = {flag for parameter in try_table.params for flag in parameter.opts} | {"--id"}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub(r"kedro run [^`]*", "", PAGE)))
    assert named <= known
