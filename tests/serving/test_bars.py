"""Small charts within tables."""

from __future__ import annotations

import re

from serving.charts import bar


def test_a_bar_stands_where_its_figure_is_and_says_it() -> None:
    drawn = bar(10.0, 20.0, 30.0, 40.0, 'wins of "A" & <b>')
    assert 'class="band" x="30.0" y="2" width="60.0"' in drawn
    assert 'class="fill" x="58.5"' in drawn
    assert 'aria-label="wins of &#34;A&#34; &amp; &lt;b&gt;"' in drawn


def test_what_lies_beyond_the_width_stays_within_it() -> None:
    drawn = bar(0.0, 50.0, 90.0, 40.0, "many")
    ends = [float(x) + float(w) for x, w in re.findall(r'x="([\d.]+)"[^>]*width="([\d.]+)"', drawn)]
    assert max(ends) <= 120.0
    assert "nan" not in bar(0.0, 0.0, 0.0, 0.0, "none")
