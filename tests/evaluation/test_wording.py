from qcl_mixnet.evaluation.wording import count


def test_count__one_and_more__singular_and_plural():
    assert count(1, "data set") == "1 data set"
    assert count(2, "data set") == "2 data sets"
    assert count(0, "data set") == "0 data sets"
    assert count(2, "class", "classes") == "2 classes"
