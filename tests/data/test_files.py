import pandas as pd
import pytest

from qcl_mixnet.data.errors import DataError, SourceUnavailableError
from qcl_mixnet.data.sources import FileSource, KaggleCsvSource

TABLE = "width;kind;species\n1.5;a;x\n2;b;y\n3;;y\n"


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


@pytest.mark.parametrize("absolute", [True, False])
def test_file__csv__features_then_target(csv, context, absolute):
    source = FileSource(path=str(csv) if absolute else "mine.csv", separator=";", target="species")
    frame = source.load(context)
    assert frame.columns.tolist() == ["width", "kind", "target"]
    assert frame["width"].tolist() == [1.5, 2, 3]
    assert frame["kind"].isna().tolist() == [False, False, True]
    assert frame["target"].tolist() == ["x", "y", "y"]


def test_file__positive_and_drop__make_a_binary_table(csv, context):
    source = FileSource(
        path="mine.csv", separator=";", target="species", positive="y", drop=("kind",)
    )
    assert source.load(context).to_dict("list") == {"width": [1.5, 2, 3], "target": [0, 1, 1]}


def test_file__parquet__comes_back_without_its_attributes_and_index(tmp_path, context):
    frame = pd.DataFrame({"target": [1, 0], "x": [0.5, 2.0]}, index=[7, 9])
    frame.attrs["provenance"] = {"dataset": "another"}
    frame.to_parquet(tmp_path / "mine.parquet")
    loaded = FileSource(path="mine.parquet").load(context)
    assert loaded.columns.tolist() == ["x", "target"]
    assert loaded.index.tolist() == [0, 1]
    assert loaded.attrs == {}


def test_file__missing__is_unavailable_and_names_the_path(tmp_path, context):
    source = FileSource(path="none.csv")
    with pytest.raises(SourceUnavailableError, match=r"there is no file .*none\.csv"):
        source.load(context)
    assert str(tmp_path / "none.csv") in source.remedy(context)


@pytest.mark.parametrize(
    ("filename", "content", "words"),
    [
        ("a.csv", b"", "no columns"),
        (
            "a.csv",
            b"x,target\n1,0\n1,2,3,4\n",
            "line 3 of .* has 4 cells, and the header names 2 columns",
        ),
        ("a.csv", b"x,target\n\xff\xfe,0\n", "utf-8"),
        ("a.parquet", b"not a parquet file", "Parquet"),
        ("a.parquet", b"PAR1" + bytes(100), "Parquet"),
    ],
)
def test_file__cannot_be_read__is_wrong_and_not_unavailable(
    tmp_path, context, filename, content, words
):
    (tmp_path / filename).write_bytes(content)
    with pytest.raises(DataError, match=words) as failure:
        FileSource(path=filename).load(context)
    assert not isinstance(failure.value, SourceUnavailableError)
    assert str(tmp_path / filename) in str(failure.value)


def test_file__repeated_column__is_named(tmp_path, context):
    (tmp_path / "a.csv").write_text("x,x,target\n1,2,0\n")
    with pytest.raises(DataError, match="two columns named 'x'"):
        FileSource(path="a.csv").load(context)


def test_file__no_target_column__lists_the_columns(csv, context):
    with pytest.raises(DataError, match=r"no column 'target', .* width, kind, species"):
        FileSource(path="mine.csv", separator=";").load(context)


def test_file__feature_named_target__is_refused(tmp_path, context):
    (tmp_path / "a.csv").write_text("target,y\n1,2\n")
    with pytest.raises(DataError, match="a feature named 'target' beside its target column 'y'"):
        FileSource(path="a.csv", target="y").load(context)


def test_file__changed_content__changes_the_fingerprint(csv, context):
    source = FileSource(path="mine.csv", separator=";", target="species")
    before = source.fingerprint_fields(context)
    assert source.fingerprint_fields(context) == before
    csv.write_text(TABLE + "4;a;x\n")
    assert source.fingerprint_fields(context) != before


KAGGLE = KaggleCsvSource(
    slug="vinven7/comprehensive-database-of-minerals", filename="M.csv", target="Crystal Structure"
)


def test_kaggle__file_not_in_place__says_from_where_to_where(context):
    with pytest.raises(SourceUnavailableError) as failure:
        KAGGLE.load(context)
    for text in (str(failure.value), KAGGLE.remedy(context)):
        assert str(context.downloads / "kaggle" / "M.csv") in text
        assert "https://www.kaggle.com/datasets/vinven7/comprehensive-database-of-minerals" in text


def test_kaggle__unnamed_first_column__can_be_dropped(context, roster):
    path = context.downloads / "kaggle" / "Minerals_Database.csv"
    path.parent.mkdir(parents=True)
    path.write_text(",Name,Crystal Structure,Mohs Hardness\n0,Abenakiite,5.0,4.5\n1,Ab,0.0,2.0\n")
    (source,) = roster["minerals"].sources
    before = source.fingerprint_fields(context)
    assert source.load(context).to_dict("list") == {"Mohs Hardness": [4.5, 2.0], "target": [5, 0]}
    path.unlink()
    assert source.fingerprint_fields(context) != before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("id,a,y\n1,5,p\n2,6,q\n3,5,p\n", r"column 'id' .* with `drop: \[id\]` of the source"),
        (",a,y\n1,5,p\n2,6,q\n3,5,p\n", r"'Unnamed: 0' .* `drop: \[\"Unnamed: 0\"\]`"),
        ("a,y\n1,p\n2,NA\n", "'y' of .* is 'NA' in 1 row"),
        ("a,y\n1,p\n2,q,5\n", "line 3 of .* has 3 cells"),
    ],
)
def test_kaggle__odd_file__is_refused_as_in_a_file_source(context, content, words):
    path = context.downloads / "kaggle" / "t.csv"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(DataError, match=words) as failure:
        KaggleCsvSource(slug="a/b", filename="t.csv", target="y").load(context)
    assert "`index" not in str(failure.value)
    path.write_text("a,b,y\n1,5,p,\n2,6,q,\n")
    table = KaggleCsvSource(slug="a/b", filename="t.csv", target="y").load(context)
    assert table.to_dict("list") == {"a": [1, 2], "b": [5, 6], "target": ["p", "q"]}


def test_read__dates_and_target__stand_where_the_file_has_them(tmp_path, context):
    frame = pd.DataFrame({"y": [1, 0], "when": pd.date_range("2020-01-01", periods=2)})
    frame.to_parquet(tmp_path / "mine.parquet")
    source = FileSource(path="mine.parquet", target="y")
    with pytest.raises(DataError, match="holds dates or times"):
        source.load(context)
    pd.testing.assert_frame_equal(source.read(context), frame, check_dtype=False)


def test_read__arff_with_dates__gives_them_as_text(tmp_path, context):
    text = "@relation r\n@attribute d date 'yyyy-MM-dd'\n@attribute y {u,v}\n@data\n"
    (tmp_path / "mine.arff").write_text(text + "'2020-01-02',u\n'2020-01-03',v\n", encoding="utf-8")
    source = FileSource(path="mine.arff", target="y")
    with pytest.raises(DataError, match=r"column 'd' of .* holds dates"):
        source.load(context)
    assert source.read(context)["d"].tolist() == ["2020-01-02", "2020-01-03"]


def test_texts__digits__stay_as_they_are_written(tmp_path, context):
    text = "zip;n;y\n01069;1,5;a\nNA;2,5;b\n1.5;;b\n"
    (tmp_path / "mine.csv").write_text(text, encoding="utf-8")
    options = {"separator": ";", "decimal": ",", "target": "y"}
    frame = FileSource(path="mine.csv", texts="zip", **options).load(context)
    assert frame["zip"].tolist()[::2] == ["01069", "1.5"]
    assert frame["zip"].isna().tolist() == [False, True, False]
    assert frame["n"].tolist()[:2] == [1.5, 2.5]


def test_texts__file_that_says_its_types__is_refused(tmp_path, context):
    pd.DataFrame({"x": [1, 2], "target": [0, 1]}).to_parquet(tmp_path / "mine.parquet")
    with pytest.raises(DataError, match="`texts` is set for"):
        FileSource(path="mine.parquet", texts=["x"]).load(context)
