"""Colours of the page's cells, with text that can be read on each of them."""

from __future__ import annotations

from matplotlib import colormaps
from matplotlib.colors import to_hex, to_rgb

N_LEVELS = 10
# Limits of the distance to the best score of a data set; level 0 is the best itself.
GAPS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)

_DARK, _LIGHT = "#111111", "#ffffff"
# Not to its ends: white would be no cell, and the darkest blue no blue.
_FROM, _TO = 0.04, 0.92


def level_of(share: float) -> int:
    """Level of a share from 0 to 1: 0 below 0.1, 9 from 0.9."""
    # The tenths are not exact: 0.3 is the float that is written so, not three times 0.1.
    return sum(share >= tenth / N_LEVELS for tenth in range(1, N_LEVELS))


def gap_level(gap: float, tolerance: float = 1e-12) -> int:
    """Level of a distance to the best score, 0 for the best; see `GAPS`."""
    return sum(gap > limit + tolerance for limit in GAPS)


def scale(n_levels: int) -> list[tuple[str, str]]:
    """Background and text of every level, from light to dark blue.

    Parameters
    ----------
    n_levels : int
        At least 2.

    Returns
    -------
    list of (str, str)
        Hexadecimal colours.
    """
    blues = colormaps["Blues"]
    steps = [_FROM + (_TO - _FROM) * i / (n_levels - 1) for i in range(n_levels)]
    backgrounds = [to_hex(blues(step)) for step in steps]
    return [(color, _readable(color)) for color in backgrounds]


def contrast(one: str, other: str) -> float:
    """Contrast of two colours by WCAG 2, from 1 to 21; text needs 4.5."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def level_styles() -> str:
    """Rules for the classes `level-0` to `level-9` and `gap-0` to `gap-6`."""
    # The best is the darkest, as it is by its score.
    rules = {
        "level": scale(N_LEVELS),
        "gap": scale(len(GAPS) + 1)[::-1],
    }
    return "\n".join(
        f".by-{name} .{name}-{i} {{ background: {background}; color: {text}; }}"
        for name, colors in rules.items()
        for i, (background, text) in enumerate(colors)
    )


def _readable(background: str) -> str:
    return max((_DARK, _LIGHT), key=lambda text: contrast(text, background))


def _luminance(color: str) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in to_rgb(color)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
