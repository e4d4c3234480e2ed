"""Saved models in whose JSON any value is another, or is gone."""

import shutil

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from qcl_mixnet import ModelFileError

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -1, 2**63, 1e300, 5e-324, "\ud800", "a\0b", "nan"])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


def fuzz(max_examples):
    checks = [HealthCheck.function_scoped_fixture]
    return settings(max_examples=max_examples, deadline=None, suppress_health_check=checks)


def places(content, place=()):
    """Paths of all values of a JSON document."""
    inner = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in inner:
        yield (*place, key)
        if isinstance(value, dict | list):
            yield from places(value, (*place, key))


def assert_usable_or_refused(classifier, saved, path, data, edit, table, as_asked=None):
    """Change one value of a copy of a saved model: it predicts, or one error says why not.

    `as_asked` gives the table the form that the changed model asks for.
    """
    shutil.copytree(saved, path, dirs_exist_ok=True)

    def change(content):
        *outer, last = data.draw(st.sampled_from(list(places(content))))
        for key in outer:
            content = content[key]
        if data.draw(st.booleans()):
            del content[last]
        else:
            content[last] = data.draw(json_values)

    edit(path, change)
    try:
        loaded = classifier.load(path)
    except ModelFileError:
        return
    X = table.set_axis(range(table.shape[1]), axis=1)  # the names may be others now
    vars(loaded).pop("feature_names_in_", None)
    encoder = getattr(loaded.preprocessor_, "encoder_", None)
    for fitted in (loaded.preprocessor_, *([] if encoder is None else [encoder])):
        vars(fitted).pop("feature_names_in_", None)
    X = X if as_asked is None else as_asked(loaded, X)
    assert np.isfinite(loaded.predict_proba(X)).all()
