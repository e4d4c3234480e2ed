from qcl_mixnet.suggestions import did_you_mean, listed


def test_did_you_mean__near__names_the_nearest_whatever_its_capitals():
    assert did_you_mean("glas", ["glass", "lymph"]) == " (did you mean 'glass'?)"
    assert did_you_mean("GLASS", ["glass", "lymph"]) == " (did you mean 'glass'?)"


def test_did_you_mean__nothing_near__says_nothing():
    assert did_you_mean("xyz", ["glass", "lymph"]) == ""
    assert did_you_mean("xyz", []) == ""


def test_listed__many__the_first_and_their_number():
    assert listed(["b", "a"]) == "a, b"
    assert listed("cab", most=2) == "a, b, ... (3 in all)"
