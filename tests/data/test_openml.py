"""OpenML's descriptions as they are: what they ignore, their targets, and files of other kinds."""

import hashlib
import shutil

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.data.errors import DataError, SourceUnavailableError
from qcl_mixnet.data.sources import OpenMLSource

ROWS = "".join(f"{i},{i % 2},{i * 7 % 5},{'bad' if i % 2 else 'good'}\n" for i in range(20))
ARFF = (
    "@relation r\n@attribute id numeric\n@attribute hint numeric\n@attribute 'a,b c' numeric\n"
    f"@attribute class {{good,bad}}\n@data\n{ROWS}"
)


@pytest.fixture
def load(server, reply, context):
    """Serve a table with a description of these tags, and load it."""

    def load_table(content=ARFF, tags=(), source=(), has_md5=True):
        shutil.rmtree(context.downloads, ignore_errors=True)
        content = content if isinstance(content, bytes) else content.encode()
        fields = {"format": "ARFF", "default_target_attribute": "class", "status": "active"}
        fields |= {"md5_checksum": hashlib.md5(content).hexdigest() if has_md5 else None}
        fields |= {"url": f"{server.url}/t.arff", **dict(tags)}
        elements = "".join(
            f"<oml:{tag}>{text}</oml:{tag}>"
            for tag, texts in fields.items()
            if texts is not None
            for text in ([texts] if isinstance(texts, str) else texts)
        )
        description = (
            '<oml:data_set_description xmlns:oml="http://openml.org/openml">'
            f"{elements}</oml:data_set_description>"
        )
        server.serve("/data/7", reply(description.encode()))
        server.serve("/t.arff", reply(content))
        return OpenMLSource(data_id=7, server=server.url, **dict(source)).load(context)

    return load_table


def features(frame):
    return frame.columns.drop("target").tolist()


@pytest.mark.parametrize(
    ("listed", "left"),
    [
        (None, ["id", "hint", "a,b c"]),
        ("id,hint", ["a,b c"]),
        ("id, hint", ["a,b c"]),
        (["id", "hint"], ["a,b c"]),
        (["id", "hint,a,b c"], []),
        ("a,b c", ["id", "hint"]),
        ("hint,a,b c,id", []),
        ("'id',\"hint\"", ["a,b c"]),
        ("", ["id", "hint", "a,b c"]),
    ],
    ids=str,
)
def test_ignore_attribute__list_and_repeated_tag__are_left_out(load, listed, left):
    assert features(load(tags={"ignore_attribute": listed})) == left


@pytest.mark.parametrize("tag", ["ignore_attribute", "row_id_attribute"])
def test_left_out__name_is_no_column__is_refused_with_a_way_out(load, tag):
    words = r"'tiny' \(OpenML 7 .* no column 'ID', .*server.* are id, hint, a,b c, class: set `ig"
    with pytest.raises(DataError, match=words) as failure:
        load(tags={tag: "hint,ID"})
    assert not isinstance(failure.value, SourceUnavailableError)
    frame = load(tags={tag: "hint,ID"}, source={"ignore": ["id"]})
    assert features(frame) == ["hint", "a,b c"]
    assert len(features(load(tags={tag: "hint,ID"}, source={"ignore": []}))) == 3


def test_ignore__name_is_no_column__names_the_field(load):
    with pytest.raises(DataError, match="no column 'ID', which `ignore` of the source names"):
        load(source={"ignore": ["ID"]})


def test_left_out__also_dropped_or_the_target__the_users_word_goes_first(load):
    tags = {"row_id_attribute": "id", "ignore_attribute": "hint"}
    assert features(load(tags=tags, source={"drop": ["id"]})) == ["a,b c"]
    frame = load(tags=tags, source={"target": "hint", "drop": ["class"]})
    assert features(frame) == ["a,b c"]
    assert frame["target"].tolist() == [0, 1] * 10


def test_target__none_on_the_server__names_the_columns(load):
    with pytest.raises(
        DataError, match=r"no target column on its server; set `target` .* class or"
    ):
        load(tags={"default_target_attribute": None})
    frame = load(tags={"default_target_attribute": None}, source={"target": "class"})
    assert set(frame["target"]) == {"good", "bad"}


def test_target__several_on_the_server__one_is_asked_for(load, caplog):
    tags = {"default_target_attribute": "class,hint"}
    with pytest.raises(
        DataError, match=r"2 targets on its server \('class', 'hint'\); set `target"
    ):
        load(tags=tags)
    load(tags=tags, source={"target": "class"})
    assert "names 'hint' as a target, too, and here it is a feature" in caplog.text
    caplog.clear()
    load(tags=tags, source={"target": "class", "drop": ["hint"]})
    assert "as a target" not in caplog.text


def test_target__is_no_column__names_it(load):
    with pytest.raises(DataError, match="no target column 'Class'; set `target`"):
        load(tags={"default_target_attribute": "Class"})


@pytest.mark.parametrize("status", ["deactivated", "in_preparation"])
def test_status__not_active__is_told(load, caplog, status):
    load(tags={"status": status})
    assert f"is '{status}' on its server, not active" in caplog.text
    caplog.clear()
    load()
    assert "on its server" not in caplog.text


def test_sparse_table__is_read_with_its_zeros(load):
    rows = "".join(f"{{0 {i}, 2 {'p' if i % 3 else 'q'}}}\n" for i in range(1, 21))
    frame = load(
        "@relation r\n@attribute a numeric\n@attribute b numeric\n@attribute class {none,p,q}\n"
        f"@data\n{rows}",
        tags={"format": "Sparse_ARFF"},
    )
    assert frame["a"].tolist() == list(range(1, 21))
    assert frame["b"].tolist() == [0] * 20
    assert frame["target"].value_counts().to_dict() == {"p": 14, "q": 6}


def test_dates__are_refused_by_name_unless_left_out(load):
    dated = ARFF.replace("hint numeric", "hint date yyyy")
    with pytest.raises(DataError, match=r"column 'hint' of data set 'tiny' .*dates.*`drop`"):
        load(dated)
    assert features(load(dated, source={"drop": ["hint"]})) == ["id", "a,b c"]
    assert features(load(dated, tags={"ignore_attribute": "hint"})) == ["id", "a,b c"]
    assert load(dated, source={"target": "hint"})["target"].tolist() == [0, 1] * 10


def test_latin_1__names_and_levels_are_whole(load):
    content = ARFF.replace("hint", "größe").replace("good", "süß").encode("latin-1")
    frame = load(content, tags={"ignore_attribute": "größe"})
    assert features(frame) == ["id", "a,b c"]
    assert set(frame["target"]) == {"süß", "bad"}


def test_names_twice__are_refused_by_name(load):
    with pytest.raises(DataError, match="data set 'tiny' has two columns named 'id'"):
        load(ARFF.replace("attribute hint", "attribute id"))


def test_parquet_in_place_of_arff__is_read(load, tmp_path):
    path = tmp_path / "t.pq"
    pd.DataFrame({"a": np.arange(4) / 2, "class": list("xyxy")}).to_parquet(path)
    frame = load(path.read_bytes(), tags={"format": "Parquet"})
    assert frame["a"].tolist() == [0, 0.5, 1, 1.5]


def test_damaged_table__verified__another_version_is_advised(load, context):
    with pytest.raises(SourceUnavailableError, match=r"line 27\); .* look for another version"):
        load(ARFF + "x,0,0,good\n")
    assert list(context.downloads.rglob("dataset.arff"))


def test_damaged_table__not_verified__is_fetched_again(load, context):
    with pytest.raises(SourceUnavailableError, match=r"no attributes\); it is fetched again"):
        load("<html>busy</html>", has_md5=False)
    assert not list(context.downloads.rglob("dataset.arff"))
    assert len(load()) == 20


def test_remedy__names_server_mirror_and_number(context):
    remedy = OpenMLSource(data_id=7, server="http://here").remedy(context)
    assert remedy == (
        "make http://here reachable or set QCL_MIXNET_OPENML_SERVER to a mirror, and see that it "
        "has a data set 7 (`data_id` of the source)"
    )
