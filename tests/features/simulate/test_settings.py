import re
from datetime import date
from pathlib import Path

import pytest

from features.simulate import Option, Settings

DOC = Path(__file__).parents[3] / "docs" / "simulation.md"


def test_overrides_change_only_what_they_name() -> None:
    assert Settings(seed=5).with_overrides(["drift=0.5", "leads = 900"]) == Settings(
        seed=5, drift=0.5, leads=900
    )


def test_the_end_is_given_as_a_date() -> None:
    assert Settings().with_overrides(["end=2025-03-31"]).end == date(2025, 3, 31)


def test_history_ends_at_the_midnight_after_its_last_day() -> None:
    settings = Settings(end=date(2026, 10, 31), months=24)
    assert [str(settings.start), str(settings.as_of)] == ["2024-11-01", "2026-11-01"]


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("drift", "setting 'drift' has no value; write KEY=VALUE, such as drift=0.3"),
        ("drfit=1", "unknown setting 'drfit'; did you mean drift? Known settings: leads, months"),
        ("drift=3", "setting drift=3.0 is out of range; give a number from 0.0 to 1.0"),
        ("drift=nan", "setting drift=nan is out of range; give a number from 0.0 to 1.0"),
        ("leads=many", "setting leads='many' is unreadable; give a whole number from 100 to"),
        ("end=May", "setting end='May' is unreadable; give a date (YYYY-MM-DD) from 2000-01-01"),
    ],
)
def test_a_wrong_override_names_key_value_and_cure(pair: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        Settings().with_overrides([pair])


def test_settings_made_in_code_are_checked_too() -> None:
    with pytest.raises(ValueError, match="setting leads=3 is out of range"):
        Settings(leads=3)


@pytest.mark.parametrize("option", Settings.options(), ids=lambda option: option.name)
def test_every_setting_is_documented_as_it_is(option: Option) -> None:
    row = f"| `{option.name}` | {option.default} | {option.low} … {option.high} | {option.sentence}"
    assert row in DOC.read_text(encoding="utf-8")
