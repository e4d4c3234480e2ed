"""How files that come of a table's file are called."""

import pytest

from qcl_mixnet.trial.tables import stem_of


@pytest.mark.parametrize(
    ("file", "stem"),
    [
        ("churn.csv", "churn"), ("a/b/churn.csv.gz", "churn"), (r"C:\data\churn.xlsx", "churn"),
        ("sales.2024.csv", "sales.2024"), ("https://x.org/a/t.csv?v=1.2", "t"), ("plain", "plain"),
        ("folder/", "folder"), (".csv", "table"), ("größe 1.parquet", "größe 1"),
    ],
)  # fmt: skip
def test_stem_of(file, stem):
    assert stem_of(file) == stem
