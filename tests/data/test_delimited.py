"""Values of a CSV file: gaps, numbers and labels as their owner meant them."""

import codecs

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.data.roster import parse_roster

CODES = ["NA", "NaN", "nan", "null", "NULL", "None", "N/A", "n/a", "#N/A", "<NA>"]
UNTOLD = ["?", "-", "--", ".", "na", "NAN", "n.a.", "#VALUE!"]


def labelled(first, labels=("0", "1"), rows=40):
    """A table whose first six rows have another label."""
    cells = [first if i < 6 else labels[i % 2] for i in range(rows)]
    return "x,y\n" + "".join(f"{i * 1.5},{cell}\n" for i, cell in enumerate(cells))


@pytest.mark.parametrize("code", [*CODES, *UNTOLD, " NA", "NA  ", '" NA"'])
@pytest.mark.parametrize(
    ("labels", "positive"),
    [(("0", "1"), None), (("0", "1"), "1"), (("good", "bad"), "bad"), (("1.5", "2.5"), None)],
)
def test_load__code_for_a_missing_label__is_refused_with_a_way_to_keep_it(
    refusal, code, labels, positive
):
    message = refusal(labelled(code, labels), positive=positive)
    assert "target 'y' of the file" in message
    assert f"is '{code.strip(chr(34)).strip()}' in 6 rows, first in row 0" in message
    assert "`na_values: {y: []}`" in message


@pytest.mark.parametrize("nothing", ["", "  ", '""'])
@pytest.mark.parametrize("positive", [None, "1"])
def test_load__label_is_nothing__is_refused_as_missing(refusal, nothing, positive):
    message = refusal(labelled(nothing), positive=positive)
    assert "missing in 6 rows, first in row 0" in message


@pytest.mark.parametrize("code", ["None", "NA", "?", "-", "nan"])
@pytest.mark.parametrize("na_values", [[], {"y": []}, {"y": [], "x": [-999]}])
def test_load__code_that_is_a_class__can_be_kept(load_file, code, na_values):
    target = load_file(labelled(code, ("a", "b")), na_values=na_values)["target"]
    assert target.value_counts().to_dict() == {code: 6, "a": 17, "b": 17}
    marks = load_file(labelled(code, ("a", "b")), na_values=na_values, positive=code)["target"]
    assert marks.tolist() == [1] * 6 + [0] * 34


def test_load__minus_beside_plus__is_a_class(load_file):
    assert set(load_file(labelled("-", ("+", "-")))["target"]) == {"+", "-"}
    assert set(load_file(labelled("none", ("mild", "severe")))["target"]) == {
        "none", "mild", "severe",
    }  # fmt: skip


def test_load__number_told_as_code__is_no_label(load_file, refusal):
    assert "is '-999' in 6 rows" in refusal(labelled("-999"), na_values=[-999])
    kept = load_file(labelled("-999"), na_values={"x": [-999]})["target"]
    assert set(kept) == {-999, 0, 1}


def mixed(code, rows=30):
    cells = [code if i % 3 == 0 else str(2 * i) for i in range(rows)]
    return "a,b,y\n" + "".join(
        f"{cell},{'uv'[i % 2]},{'pq'[i % 2]}\n" for i, cell in enumerate(cells)
    )


EXPECTED = [np.nan if i % 3 == 0 else 2.0 * i for i in range(30)]


@pytest.mark.parametrize("code", [*CODES, "", " ", "   ", " NA", "nan ", '" "', '""'])
def test_load__common_code_among_numbers__is_a_gap(load_file, code):
    np.testing.assert_array_equal(load_file(mixed(code))["a"], EXPECTED)


@pytest.mark.parametrize("code", [*UNTOLD, "missing", "unknown", " ?", "? "])
def test_load__other_code_among_numbers__is_refused_and_read_as_gaps_when_told(
    load_file, refusal, code
):
    message = refusal(mixed(code))
    assert "column 'a'" in message
    assert f"`na_values: ['{code.strip()}']`" in message
    for na_values in ([code.strip()], code.strip(), {"a": [code.strip()]}):
        np.testing.assert_array_equal(load_file(mixed(code), na_values=na_values)["a"], EXPECTED)


@pytest.mark.parametrize("written", ["-999", "-999.0", "-999.00", " -999"])
@pytest.mark.parametrize("told", [-999, -999.0, "-999"])
def test_load__number_that_stands_for_a_gap__when_told(load_file, written, told):
    np.testing.assert_array_equal(load_file(mixed(written), na_values=[told])["a"], EXPECTED)
    assert load_file(mixed(written))["a"].min() == -999
    assert load_file(mixed(written), na_values={"b": [told]})["a"].min() == -999


def test_load__codes_told__join_the_common_ones_unless_there_is_none(load_file):
    content = mixed("NA").replace(",u,", ",?,")
    table = load_file(content, na_values=["?"])
    np.testing.assert_array_equal(table["a"], EXPECTED)
    assert table["b"].isna().tolist() == [True, False] * 15
    kept = load_file(mixed("").replace(",u,", ",None,"), na_values=[])
    assert kept["b"].tolist() == ["None", "v"] * 15
    np.testing.assert_array_equal(kept["a"], EXPECTED)


def test_load__question_mark_in_a_category__stays_a_level(load_file):
    assert set(load_file(mixed("1").replace(",u,", ",?,"))["b"]) == {"?", "v"}


def entry(**options):
    source = {"type": "file", "path": "t.csv", **options}
    return parse_roster({"t": {"label": "T", "sources": [source]}})["t"].sources[0]


def test_na_values__what_yaml_gives__is_text():
    assert entry(na_values=["NA", None, -999, 1.5]).na_values == ("NA", "null", "-999", "1.5")
    assert entry(na_values="?").na_values == ("?",)
    assert entry(na_values={2020: -1}).na_values == {"2020": ("-1",)}
    with pytest.raises(ValueError, match=r"'t', key sources.*quotes"):
        entry(na_values=[False])


def column(*cells):
    return "a;y\n" + "".join(f"{cell};{'pq'[i % 2]}\n" for i, cell in enumerate(cells))


@pytest.mark.parametrize(
    ("cells", "options", "values"),
    [
        (["1,5", "2", "-0,25", "1e3"], {"decimal": ","}, [1.5, 2, -0.25, 1000]),
        (["1.234,5", "2", "1.000.000", ""], {"decimal": ",", "thousands": "."},
         [1234.5, 2, 1e6, np.nan]),
        (["1,234", "2.5", "1,000,000", "NA"], {"thousands": ","}, [1234, 2.5, 1e6, np.nan]),
        (["1 234", "2", "3", "4"], {"thousands": " "}, [1234, 2, 3, 4]),
        (["1'234", "2", "3", "4"], {"thousands": "'"}, [1234, 2, 3, 4]),
        (["007", "010", "1e2", "+5"], {}, [7, 10, 100, 5]),
    ],
)  # fmt: skip
def test_load__numbers_as_told__are_numbers(load_file, cells, options, values):
    table = load_file(column(*cells), separator=";", **options)
    np.testing.assert_array_equal(table["a"], values)


@pytest.mark.parametrize(
    ("cells", "options", "words"),
    [
        (["1,5", "2,25", "3", "4"], {}, "`decimal: ','`"),
        (["1,5", "2,25", "3", "4"], {"thousands": ","}, "',' does not stand between thousands"),
        (["1.5", "2.5", "3", "4"], {"decimal": ",", "thousands": "."}, "does not stand between"),
        (["1.5", "2.5", "3", "4"], {"decimal": ","}, "'1.5', a number with a decimal point"),
        (["1.234,5", "2.000,5", "3", "4"], {"decimal": ","}, "`thousands: '.'`"),
        (["1", "2", "3", "4"], {"decimal": ",", "thousands": ","}, "are both ','"),
        (["5 %", "6 %", "7", "8"], {}, "percentages"),
        (["$5", "$6", "$7", "$8"], {}, "amounts of money"),
    ],
)
def test_load__numbers_written_otherwise__are_refused(refusal, cells, options, words):
    assert words in refusal(column(*cells), separator=";", **options)


def test_load__integers_beyond_64_bits__are_floats_as_features_and_kept_as_labels(load_file):
    big = [2**66 + i * 2**20 for i in range(4)]
    table = load_file("a,y\n" + "".join(f"{n},{big[i % 2]}\n" for i, n in enumerate(big)))
    assert table["a"].tolist() == [float(n) for n in big]
    assert table["target"].tolist() == [str(big[i % 2]) for i in range(4)]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (("007", "008"), ("007", "008")),
        (("01", "1"), ("01", "1")),
        (("1.0", "2.0"), (1, 2)),
        (("0", "1"), (0, 1)),
        (("9007199254740993", "9007199254740992"), (2**53 + 1, 2**53)),
        (("18446744073709551615", "1"), (2**64 - 1, 1)),
        (("yes", "no"), ("yes", "no")),
        (("0x10", "0x11"), ("0x10", "0x11")),
    ],
)
def test_load__labels__are_those_of_the_file(load_file, labels, expected):
    content = "a,y\n" + "".join(f"{i * 1.5},{labels[i % 2]}\n" for i in range(6))
    assert load_file(content)["target"].tolist() == list(expected) * 3


GERMAN = "größe,y\n1.5,schön\n2.5,übel\n3.5,schön\n4.5,übel\n"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("utf-8", None), ("utf-8-sig", None), ("utf-8-sig", "utf-8"), ("utf-8-sig", "utf-8-sig"),
        ("utf-8", "UTF8"), ("utf-16", "utf-16"), ("utf-16-le", "utf-16-le"), ("cp1252", "cp1252"),
        ("latin-1", "latin-1"),
    ],
)  # fmt: skip
def test_load__encoding__names_and_values_are_read(load_file, written, told):
    options = {} if told is None else {"encoding": told}
    table = load_file(GERMAN.encode(written), **options)
    assert table.columns[0] == "größe"
    assert set(table["target"]) == {"schön", "übel"}


@pytest.mark.parametrize(
    ("content", "told", "words"),
    [
        (GERMAN.encode("cp1252"), "utf-8", "not in the encoding utf-8 .* `encoding` .* cp1252"),
        (GERMAN.encode("utf-16"), "utf-8", "`encoding: utf-16`"),
        (GERMAN.encode("utf-16-le"), "utf-8", "UTF-16|not in the encoding"),
        (b"a,y\n1,p\n".replace(b"1", b"1\0"), "utf-8", "NUL bytes"),
        (codecs.BOM_UTF8 + GERMAN.encode(), "latin-1", "`encoding: utf-8`"),
        (GERMAN.encode(), "utf-16", "not in the encoding utf-16"),
        (GERMAN.encode(), "ansi", "'ansi', which is no encoding .* cp1252"),
        (GERMAN.encode(), "", "'', which is no encoding"),
        (GERMAN.encode(), "rot13", "'rot13', which is no encoding"),
        (GERMAN.encode(), "hex", "'hex', which is no encoding"),
        (GERMAN.encode(), "utf-9", "'utf-9', which is no encoding"),
        (b"PAR1xxxxPAR1", "utf-8", "`format: parquet`"),
    ],
)
def test_load__other_encoding__is_one_sentence(refusal, content, told, words):
    import re

    assert re.search(words, refusal(content, encoding=told))


@pytest.mark.parametrize("seed", range(5))
def test_load__any_good_file__as_pandas_reads_it(load_file, seed):
    rng = np.random.default_rng(seed)
    n = 50
    frame = pd.DataFrame(
        {
            "f": rng.normal(size=n) * 10.0 ** rng.integers(-20, 20),
            "i": rng.integers(-(10**17), 10**17, size=n),
            "s": rng.choice(["red", "blue, dark", 'say "x"', "new\nline", "é"], size=n),
            "g": np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n)),
            "y": rng.choice(["a", "b"], size=n),
        }
    )
    table = load_file(lambda path: frame.to_csv(path, index=False), checked=False)
    for name in "fisg":
        expected = frame[name].astype(table[name].dtype)
        pd.testing.assert_series_equal(table[name], expected, check_exact=True)
