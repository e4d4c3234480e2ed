import re

import pandas as pd
import pytest

from qcl_mixnet.reporting.rendering import Table, escape_latex, starred

BODY = pd.DataFrame({"Model": ["A_1*", "B & C"], "F1 (%)": ["0.87 ± 0.02", "failed"]})


def make_table(body=BODY, **fields):
    return Table(
        **{
            "name": "small",
            "caption": "Scores in 100 %.",
            "notes": ("* Test-selected.", "See #2."),
            "frame": body,
            "body": body,
            **fields,
        }
    )


def check_environments(latex):
    """Every environment ends where it should, and every brace."""
    stack = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", latex):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert stack == []
    bare = re.sub(r"\\[{}\\]", "", latex)
    assert bare.count("{") == bare.count("}")


def test_markdown__by_hand():
    assert make_table(bold=frozenset({(0, 1)})).to_markdown() == (
        "# Scores in 100 %.\n"
        "\n"
        "| Model | F1 (%) |\n"
        "| --- | --- |\n"
        "| A_1\\* | **0.87 ± 0.02** |\n"
        "| B & C | failed |\n"
        "\n"
        "\\* Test-selected.\n"
        "\n"
        "See #2.\n"
    )


def test_markdown__signs_with_a_meaning__are_themselves():
    body = pd.DataFrame({"_a_b_": ["a|b", r"\a", "[a](b)", "<i>", "`a`", "$x$"]})
    lines = make_table(body).to_markdown().splitlines()
    assert lines[2] == r"| \_a_b\_ |"
    assert lines[4:10] == [
        r"| a\|b |", r"| \\a |", r"| \[a](b) |", r"| \<i> |", r"| \`a\` |", r"| \$x\$ |",
    ]  # fmt: skip


def test_latex__by_hand():
    assert make_table(bold=frozenset({(0, 1)})).to_latex() == (
        "% needs \\usepackage{booktabs}; where labels have other than Latin letters also XeLaTeX "
        "or LuaLaTeX and a font that has them\n"
        "\\begin{table}[htbp]\n"
        "\\centering\n"
        "\\caption{Scores in 100 \\%.}\n"
        "\\label{tab:small}\n"
        "\\normalsize\n"
        "\\begin{tabular}{lr}\n"
        "\\toprule\n"
        "Model & F1 (\\%) \\\\\n"
        "\\midrule\n"
        "A\\_1* & \\textbf{0.87 $\\pm$ 0.02} \\\\\n"
        "B \\& C & failed \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
        "\\par\\footnotesize {}* Test-selected.\n"
        "\\par\\footnotesize See \\#2.\n"
        "\\end{table}\n"
    )


def test_latex__long_table__runs_over_pages_with_its_notes_behind():
    latex = make_table(pd.DataFrame({"n": [str(i) for i in range(41)]})).to_latex()
    check_environments(latex)
    assert "\\begin{table}" not in latex
    assert "\n{\\normalsize\n\\begin{longtable}{l}" in latex
    assert latex.endswith(
        "\\end{longtable}\n"
        "\\par\\footnotesize {}* Test-selected.\n\\par\\footnotesize See \\#2.\n\\par}\n"
    )
    assert "longtable" not in make_table(pd.DataFrame({"n": ["0"] * 40})).to_latex()


def test_latex__wide_table__is_transposed():
    body = pd.DataFrame([["F1", *"abcdefghij"], ["G", *"klmnopqrst"]])
    body.columns = ["Metric", *(f"m{i}" for i in range(8)), "same", "same"]
    latex = make_table(body, bold=frozenset({(1, 2)})).to_latex()
    check_environments(latex)
    rows = [line for line in latex.splitlines() if line.endswith("\\\\")]
    assert rows[:3] == [" & F1 & G \\\\", "m0 & a & k \\\\", "m1 & b & \\textbf{l} \\\\"]
    assert rows[-2:] == ["same & i & s \\\\", "same & j & t \\\\"]
    assert "\\begin{tabular}{lrr}" in latex
    narrow = body.iloc[:, :10]
    assert "Metric & m0" in make_table(narrow).to_latex()


@pytest.mark.parametrize(
    ("cell", "header", "bold", "size"),
    [
        # 450 points less two gaps of 12 and 10.8 of the first column; 5.4 points a character.
        ("x" * 76, "", False, r"\normalsize"), ("", "x" * 76, False, r"\normalsize"),
        ("x" * 77, "", False, r"\small"), ("x" * 82, "", False, r"\small"),
        ("x" * 83, "", False, r"\footnotesize"), ("x" * 90, "", False, r"\footnotesize"),
        ("x" * 91, "", False, r"\scriptsize"), ("x" * 99, "", False, r"\scriptsize"),
        ("x" * 100, "", False, r"\tiny\setlength{\tabcolsep}{3pt}"),
        # Capitals have 7.6 points, narrow letters 3.6, and bold ones are wider by .15.
        ("W" * 54, "", False, r"\normalsize"), ("W" * 55, "", False, r"\small"),
        ("i" * 115, "", False, r"\normalsize"), ("i" * 116, "", False, r"\small"),
        ("x" * 66, "", True, r"\normalsize"), ("x" * 67, "", True, r"\small"),
    ],
)  # fmt: skip
def test_latex__wide_text__is_set_smaller(cell, header, bold, size):
    body = pd.DataFrame([["ab", cell], ["a", ""]], columns=["", header])
    latex = make_table(body, bold=frozenset({(0, 1)} if bold else ())).to_latex()
    assert f"\n{size}\n\\begin{{tabular}}" in latex


def test_latex__few_rows_and_too_wide_columns__are_transposed():
    body = pd.DataFrame([["F1", "1", "2"]], columns=["Metric", "x" * 60, "y" * 60])
    rows = [line for line in make_table(body).to_latex().splitlines() if line.endswith("\\\\")]
    assert rows == [" & F1 \\\\", f"{'x' * 60} & 1 \\\\", f"{'y' * 60} & 2 \\\\"]
    many = pd.concat([body] * 3, ignore_index=True)
    assert "Metric & xx" in make_table(many).to_latex()


def test_markdown__bar_in_a_header__does_not_end_it():
    assert make_table(pd.DataFrame({"a|b": ["c"]})).to_markdown().splitlines()[2] == r"| a\|b |"


def test_columns_of_one_name__are_both_printed():
    body = pd.DataFrame([["x", "1", "2"]], columns=["Model", "RF", "RF"])
    assert "x & 1 & 2" in make_table(body).to_latex()
    assert "| x | 1 | 2 |" in make_table(body).to_markdown()


@pytest.mark.parametrize("write", [Table.to_latex, Table.to_markdown])
def test_no_rows__still_a_table_with_its_notes(write):
    text = write(make_table(BODY.iloc[:0]))
    check_environments(text)
    assert "Model" in text
    assert "Test-selected." in text


def test_text_columns__stand_at_the_left():
    assert "{ll}" in make_table(text_columns=2).to_latex()


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("100 % of A & B_c #1 $2", r"100 \% of A \& B\_c \#1 \$2"),
        (r"{a}\b", r"\{a\}\textbackslash{}b"),
        ("x~y^z <1>", r"x\textasciitilde{}y\textasciicircum{}z \textless{}1\textgreater{}"),
        ("χ² †", r"$\chi$$^2$ \dag{}"),
        ("[0.5]*", "{}[0.5]*"),
        ("*", "{}*"),
    ],
)
def test_escape_latex__by_hand(text, escaped):
    assert escape_latex(text) == escaped


def test_starred():
    assert (starred("A", True), starred("A", False)) == ("A*", "A")
