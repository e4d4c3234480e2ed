import json

import pytest

from qcl_mixnet.card.markup import Html, element, joined, json_inside

HOSTILE = "</script><script>alert(1)</script>&\"'\u2028"


def test_element__text_and_attribute__are_escaped():
    written = element("p", HOSTILE, title=HOSTILE)
    assert "<script" not in written
    assert written.count("<") == 2
    assert written.count('"') == 2


def test_element__html_inside__stays_as_it_is():
    assert element("p", element("b", 1), [None, "a"]) == "<p><b>1</b>a</p>"
    assert isinstance(element("p"), Html)


@pytest.mark.parametrize(("value", "written"), [(True, " hidden"), (False, ""), (None, "")])
def test_element__attribute_without_text__is_there_or_not(value, written):
    assert element("p", hidden=value) == f"<p{written}></p>"


def test_element__names_of_attributes__are_those_of_html():
    assert element("input", class_="a", data_x=2) == '<input class="a" data-x="2">'


def test_joined__text__is_escaped():
    assert joined("<", element("i")) == "&lt;<i></i>"


def test_json_inside__what_would_end_a_script__cannot_and_reads_back():
    written = json_inside({"name": HOSTILE, "none": float("nan")})
    assert not set("<>&\u2028") & set(written)
    assert json.loads(written) == {"name": HOSTILE, "none": None}
