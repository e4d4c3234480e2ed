import pytest

from qcl_mixnet.data.written_numbers import number_style


@pytest.mark.parametrize(
    ("texts", "decimal", "thousands"),
    [
        (["1,5", "12,25"], ",", None),
        (["1.234,50", "0,5"], ",", "."),
        (["1.234.567"], ",", "."),
        (["1,234.5", "1,234"], ".", ","),
        (["1,234", "2,500"], None, ","),
        (["1 234", "1'234.5"], None, " '"),
        (["12 %"], None, None),
        (["$5"], None, None),
    ],
)
def test_number_style__signs__are_those_of_the_texts(texts, decimal, thousands):
    style = number_style(texts)
    assert (style.decimal, style.thousands) == (decimal, thousands)


@pytest.mark.parametrize("texts", [[], ["a"], ["1,5", "b"]])
def test_number_style__other_texts__are_none(texts):
    assert number_style(texts) is None
