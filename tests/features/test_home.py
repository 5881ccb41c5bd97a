from pathlib import Path

import pytest

from features.errors import UsageError
from features.home import Home, MlflowSettings, Settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty current folder, and no setting from outside."""
    monkeypatch.chdir(tmp_path)
    for name in ("LEADQ_HOME", "LEADQ_MLFLOW__URI"):
        monkeypatch.delenv(name, raising=False)


def test_the_home_is_in_the_current_folder_unless_said_otherwise(tmp_path: Path) -> None:
    assert Home(Settings()).root == tmp_path / ".leadq"


def test_the_environment_names_another_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADQ_HOME", "/var/lib/leads")
    assert Home(Settings()).root == Path("/var/lib/leads")


def test_an_empty_setting_is_no_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADQ_HOME", "")
    assert Home(Settings()).root == tmp_path / ".leadq"


def test_a_tilde_is_the_users_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LEADQ_HOME", "~/leads")
    assert Home(Settings()).root == tmp_path / "leads"


def test_experiments_are_kept_in_the_home(tmp_path: Path) -> None:
    home = Home(Settings())
    assert home.tracking_uri == f"sqlite:///{tmp_path}/.leadq/mlflow.db"
    assert (home.is_remote, home.root) == (False, tmp_path / ".leadq")


def test_a_path_that_no_database_address_can_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds # \?, which an address"):
        Home(Settings(home=tmp_path / "a?b#c"))


def test_the_environment_names_a_remote_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADQ_MLFLOW__URI", "http://mlflow:5000")
    home = Home(Settings())
    assert (home.tracking_uri, home.is_remote) == ("http://mlflow:5000", True)


def test_a_home_stays_where_it_was_when_the_current_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(Settings(home=Path("here")))
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    assert home.root == tmp_path / "here"


def test_two_homes_never_meet(tmp_path: Path) -> None:
    one, other = (Home(Settings(home=tmp_path / n, mlflow=MlflowSettings())) for n in "ab")
    (one.folder("cache") / "x").touch()
    assert list(other.folder("cache").iterdir()) == []


def test_a_folder_is_made_when_it_is_asked_for_and_not_before(tmp_path: Path) -> None:
    home = Home(Settings())
    assert not home.root.exists()
    assert home.folder("cache").is_dir()
    assert home.folder("cache").is_dir()


def test_a_new_home_is_closed_to_other_users(tmp_path: Path) -> None:
    home = Home(Settings())
    home.folder("cache")
    assert home.root.stat().st_mode & 0o777 == 0o700


def test_a_home_that_cannot_be_made_ends_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / ".leadq").touch()
    with pytest.raises(UsageError, match=r"\.leadq/cache: the home cannot be made: .*LEADQ_HOME"):
        Home(Settings()).folder("cache")


def test_the_secret_comes_from_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADQ_SECRET", "s" * 32)
    assert Home(Settings()).secret == b"s" * 32


@pytest.mark.parametrize(("secret", "fault"), [("", "is not set"), ("s" * 31, "is too short")])
def test_a_missing_or_short_secret_is_told_with_the_way_to_make_one(
    monkeypatch: pytest.MonkeyPatch, secret: str, fault: str
) -> None:
    monkeypatch.setenv("LEADQ_SECRET", secret)
    home = Home(Settings())
    with pytest.raises(
        UsageError, match=rf"{fault}.*LEADQ_SECRET=\$\(openssl rand -hex 32\)"
    ) as told:
        home.secret  # noqa: B018
    assert "sss" not in str(told.value)


def test_settings_do_not_show_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADQ_SECRET", "s" * 32)
    assert "sss" not in repr(Settings())
