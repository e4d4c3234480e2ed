"""Rows and columns of a CSV file: every cell below the name that its owner meant, or no table."""

import io

import pytest

from qcl_mixnet.data.csv_layout import HeaderRules, read_layout
from qcl_mixnet.data.csv_separator import Separator, sniff_separator
from qcl_mixnet.data.errors import DataError

LINES = ["1.5,u,p", "2.5,v,q", "3.5,u,p", "4.5,v,q"]
VALUES = {"a": [1.5, 2.5, 3.5, 4.5], "b": ["u", "v", "u", "v"], "target": ["p", "q", "p", "q"]}


def csv(lines=LINES, header="a,b,y", end="\n"):
    return end.join([header, *lines]) + end


@pytest.mark.parametrize(
    "content",
    [
        csv(),
        csv([line + "," for line in LINES]),
        csv([line + "," for line in LINES], header="a,b,y,"),
        csv([line + ",,," for line in LINES]),
        csv([line + ", ," for line in LINES]),
        csv(LINES, header="a,b,y,,"),
        csv([LINES[0] + ",", *LINES[1:]]),
        csv([*LINES[:3], LINES[3] + ","]),
        csv(['"1.5","u","p",', *[line + "," for line in LINES[1:]]]),
        csv(end="\r\n"),
        csv(end="\r"),
        csv(end="\n\n"),
        "\n\r\n  \n" + csv() + "\n   \n\n",
        csv([*LINES[:2], "", "  ", *LINES[2:]]),
    ],
)
def test_load__same_table_with_other_line_ends_and_empty_cells__same_values(load_file, content):
    assert load_file(content).to_dict("list") == VALUES


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (csv([*LINES, "1,u,p,9"]), "line 6 of .* has 4 cells, and the header names 3 columns"),
        (csv([*LINES, "1,u"]), "line 6 of .* has 2 cells, and the header names 3 columns"),
        (csv([*LINES, "1"]), "line 6 of .* has 1 cell, and"),
        (csv([LINES[0], "# a note", *LINES[1:]]), "line 3 of .* has 1 cell, and"),
        (csv([LINES[0] + ",7", *LINES[1:]]), "line 2 of .* has 4 cells"),
        (csv([LINES[0] + ",,7", *LINES[1:]]), "line 2 of .* has 5 cells"),
        (csv([line + ",7" for line in LINES]), "line 2 of .* has 4 cells"),
        (csv(["\n\n" + LINES[0], "5"]), "line 5 of .* has 1 cell, and"),
        (csv(['1,"two\nlines",p', "5"]), "line 4 of .* has 1 cell, and"),
        (csv(LINES, header="# made by hand\na,b,y"), "line 2 of .* 4 cells|set `header`"),
        (csv(LINES, header="a,b,y,"), None),
        (csv([LINES[0] + ",7", *LINES[1:]], header="a,b,y,"), "line 3 of .* has 3 cells"),
        ("", "no columns: there is no row of names"),
        ("\n \n\n", "no columns: there is no row of names"),
        ("a,y\n", "no rows"),
        ("a,a,y\n1,2,p\n", "two columns named 'a'; .*`header: none`"),
        ('a,y\n1,"p\n2,q\n', "quote|EOF|closed"),
        ("y\np\n\nq\n", 'line 3 of .* has one column, is blank; write ""'),
    ],
)
def test_load__ragged_rows__are_refused_with_their_line(load_file, refusal, content, words):
    import re

    if words is None:
        assert load_file(content).to_dict("list") == VALUES
    else:
        assert re.search(words, refusal(content))


def test_load__row_names_of_r__need_to_be_told(load_file, refusal):
    content = '"a","b","y"\n' + "".join(f'"{i}",{line}\n' for i, line in enumerate(LINES, 1))
    assert "`index: 0` of the source" in refusal(content)
    for index in (0, True):
        assert load_file(content, index=index).to_dict("list") == VALUES


def test_load__first_column_is_the_index_and_rows_end_in_a_comma__nothing_moves(load_file):
    content = "key,a,b,y\n" + "".join(f"k{i},{line},\n" for i, line in enumerate(LINES))
    assert load_file(content, index=0).to_dict("list") == VALUES


def test_load__unnamed_last_column_with_values__is_refused(refusal):
    message = refusal(csv([line + ",7" for line in LINES], header="a,b,y,"))
    assert "column 'Unnamed: 3'" in message
    assert "has values and no name" in message


def test_load__values_with_separators_and_quotes__stay_whole(load_file):
    table = load_file('a,b,y\n1,"x, y",p\n2,"say ""so""",q\n3,5" pipe,p\n4,"two\nlines",q\n')
    assert table["b"].tolist() == ["x, y", 'say "so"', '5" pipe', "two\nlines"]


@pytest.mark.parametrize(
    ("character", "separator"),
    [
        (";", ";"), ("\t", "\t"), ("\t", r"\t"), ("|", "|"), ("  ", r"\s+"), (" \t ", r"\s+"),
        (", ", ", "), (" ", " "), (";", "auto"), ("\t", "auto"), ("|", "auto"), (",", "auto"),
    ],
)  # fmt: skip
def test_load__other_separator__same_values(load_file, character, separator):
    content = csv().replace(",", character)
    assert load_file(content, separator=separator).to_dict("list") == VALUES


def test_load__white_space_around_rows__same_values(load_file):
    lines = csv().replace(",", "  ").splitlines()
    content = "".join(f"  {line} \n" if i % 2 else f"{line}\t\n" for i, line in enumerate(lines))
    assert load_file(content, separator=r"\s+").to_dict("list") == VALUES


@pytest.mark.parametrize("character", [";", "\t", "|"])
def test_load__separator_not_told__is_named(refusal, character):
    message = refusal(csv().replace(",", character))
    assert "one column only" in message
    assert ('separator: "\\t"' if character == "\t" else f"separator: '{character}'") in message
    assert "separator: ','" in refusal(csv(), separator="\t" if character == ";" else ";")


def test_load__white_space_not_told__is_named(refusal):
    assert r"`separator: '\s+'`" in refusal(csv().replace(",", "  "))
    assert "set `separator` of the source to ', '" in refusal(csv().replace(",", ", "))


@pytest.mark.parametrize("separator", ["", "||", ";;", '"', "\n", "a|b"])
def test_load__no_separator__is_refused(refusal, separator):
    assert "which separates no cells" in refusal(csv(), separator=separator)


def test_sniff_separator__decimal_commas__are_no_separators():
    stream = io.StringIO("a;b;y\n1,5;2,5;p\n2,5;1,5;q\n")
    assert sniff_separator(stream, "it") == Separator(";")


def test_sniff_separator__nothing_separates__is_refused():
    with pytest.raises(DataError, match="it has no comma, semicolon, tab or bar"):
        sniff_separator(io.StringIO("a b\n1 2\n"), "it")


@pytest.mark.parametrize("header", ["none", None, False])
def test_load__no_header__needs_names_or_positions(load_file, header):
    content = "\n".join(LINES)
    named = load_file(content, header=header, columns=("a", "b", "y"))
    assert named.to_dict("list") == VALUES
    assert load_file(content, columns=["a", "b", "y"]).to_dict("list") == VALUES
    assert load_file(content, header=header, target="2").columns.tolist() == ["0", "1", "target"]


def test_load__value_that_is_the_name_of_its_column__is_a_value(load_file):
    table = load_file("a,1,p\nb,2,q\na,3,p\nb,4,q\n", columns=["a", "n", "y"])
    assert table["a"].tolist() == ["a", "b", "a", "b"]


def test_load__header_further_down__what_stands_above_is_left_out(load_file):
    content = "Sales of May\n\nmade by hand,,\n" + csv()
    assert load_file(content, header=2).to_dict("list") == VALUES


def test_load__columns_in_place_of_the_header__rename(load_file, refusal):
    table = load_file(csv(header="u,v,w"), header=0, columns=("a", "b", "y"))
    assert table.to_dict("list") == VALUES
    assert "`columns` of the source names 2 columns" in refusal(csv(), header=0, columns=["a", "y"])
    assert "`columns` of the source names 4 columns" in refusal(
        csv(), header=0, columns=["a", "b", "c", "y"]
    )
    assert "set `header: 0`" in refusal(csv(), columns=["a", "b", "y"])
    assert "two columns named 'a'" in refusal(csv(), header=0, columns=["a", "a", "y"])
    assert "no row number 9" in refusal(csv(), header=9)


def test_read_layout__rows_without_quotes_and_with__agree():
    for quote in ("", '"'):
        text = "".join(",".join(f"{quote}{i}{quote}" for i in range(3)) + "\n" for _ in range(5))
        layout = read_layout(io.StringIO("a,b,c\n" + text), Separator(), "it", HeaderRules())
        assert (layout.names, layout.width) == (("a", "b", "c"), 3)


def test_load__no_names_at_all__a_column_is_where_a_row_has_something(load_file):
    content = "".join(f"{line},\n" for line in LINES)
    assert load_file(content, header="none", target="2").columns.tolist() == ["0", "1", "target"]
    content = "1,p,\n2,q,\n3,p,x\n4,q,x\n"
    assert load_file(content, header="none", target=1).columns.tolist() == ["0", "2", "target"]


def test_load__hint_to_excel_above_the_names__names_header(load_file, refusal):
    content = "sep=;\n" + csv().replace(",", ";")
    assert "set `header` of the source" in refusal(content, separator=";")
    assert load_file(content, separator=";", header=1).to_dict("list") == VALUES


def test_load__names_that_yaml_reads_as_numbers__are_names(load_file):
    table = load_file("2019,2020,7\n1.5,2,p\n2.5,2,q\n3.5,3,p\n4.5,3,q\n", target=7, drop=[2019])
    assert table.columns.tolist() == ["2020", "target"]
