"""Templates are ready before somebody asks for a page."""

from __future__ import annotations

from serving.pages.render import TEMPLATES, _environment, compile_ahead


def test_every_template_is_compiled_ahead() -> None:
    _environment.cache_clear()
    compile_ahead().join()
    made = _environment()
    assert made.cache is not None
    assert {name for _, name in made.cache} == {path.name for path in TEMPLATES.iterdir()}
