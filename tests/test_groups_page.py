"""The example of docs/groups.md runs, and prints what its table says."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[1] / "docs" / "groups.md").read_text(encoding="utf-8")


def test_first_block__prints_the_forest_s_row(capsys):
    block = re.search(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(compile(block.group(1), "groups.md", "exec"), {})
    printed = [float(number) for number in re.findall(r"0\.\d+", capsys.readouterr().out)]
    row = re.search(r"\| random forest, tuned decision \|(.*)\|\n", PAGE).group(1)
    assert printed == [float(number) for number in row.split("|")]
