"""The example of docs/groups.md runs, and prints what its table says."""

import re

from tests.pages import ROOT, run_python

PAGE = (ROOT / "docs" / "groups.md").read_text(encoding="utf-8")


def test_blocks__print_the_forest_s_row(capsys):
    run_python("docs/groups.md")
    printed = [float(number) for number in re.findall(r"0\.\d+", capsys.readouterr().out)]
    row = re.search(r"\| random forest, tuned decision \|(.*)\|\n", PAGE).group(1)
    assert printed == [float(number) for number in row.split("|")]
