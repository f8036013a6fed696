"""Sessions and their refresh tokens: each good once, with a grace for clients that hurry."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bakend.auth.authenticator import Client, Login
from bakend.errors import AuthenticationError
from bakend.testing import PASSWORD, FakeClock, TestProject, temporary_project

HERE = Client(address="192.0.2.1", user_agent="test")
DAY_S = 86_400


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def project(clock: FakeClock) -> Iterator[TestProject]:
    with temporary_project(clock=clock, settings={"throttle_refresh": 0}) as opened:
        opened.make_user("ada@example.com")
        yield opened


def login(project: TestProject) -> Login:
    return project.app.authenticator.login("ada@example.com", PASSWORD, HERE)


def refresh(project: TestProject, token: str) -> Login:
    return project.app.authenticator.refresh(token, HERE)


def is_known(project: TestProject, token: str) -> bool:
    return not project.app.authenticator.identify(token).is_anonymous


def kinds(project: TestProject) -> list[str]:
    return [event.type for event in project.events()]


def test_parallel_refreshes_get_the_same_successor(project: TestProject) -> None:
    """A client that sends three requests at once refreshes three times, and keeps any answer."""
    first = login(project)

    answers = [refresh(project, first.refresh_token) for _ in range(3)]

    assert len({answer.refresh_token for answer in answers}) == 1
    assert all(is_known(project, answer.token) for answer in answers)
    assert refresh(project, answers[0].refresh_token).user == first.user


def test_a_chain_of_refreshes_stays_one_session(project: TestProject, clock: FakeClock) -> None:
    """Whoever comes back in time stays logged in, in the same session."""
    token = login(project).refresh_token
    seen = {token}
    for _ in range(20):
        clock.advance(6 * DAY_S)
        token = refresh(project, token).refresh_token
        seen.add(token)

    assert len(seen) == 21
    with project.app.database.read() as snapshot:
        assert snapshot.value("SELECT count(*) FROM _sessions") == 1


def test_the_grace_leads_to_the_newest_token(project: TestProject) -> None:
    """A late answer to an early request must not leave a client with a token that is spent."""
    first = login(project).refresh_token
    second = refresh(project, first).refresh_token
    third = refresh(project, second).refresh_token

    assert refresh(project, first).refresh_token == third
    assert refresh(project, second).refresh_token == third


def test_a_token_that_comes_again_later_ends_its_session(
    project: TestProject, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody copied it: thief and owner are both out, other sessions are not."""
    other, stolen = login(project), login(project)
    newer = refresh(project, stolen.refresh_token)
    clock.advance(31)

    with pytest.raises(AuthenticationError, match="Invalid or expired refresh token"):
        refresh(project, stolen.refresh_token)

    assert not is_known(project, newer.token)
    with pytest.raises(AuthenticationError):
        refresh(project, newer.refresh_token)
    assert is_known(project, other.token)
    assert kinds(project)[-1] == "auth.session_revoked"
    assert "used twice" in caplog.text
    assert stolen.refresh_token not in caplog.text


def test_within_the_grace_it_does_not(project: TestProject, clock: FakeClock) -> None:
    """At its last second the grace still holds."""
    first = login(project)
    successor = refresh(project, first.refresh_token)
    clock.advance(30)

    assert refresh(project, first.refresh_token).refresh_token == successor.refresh_token


def test_a_session_ends_when_nobody_uses_it(project: TestProject, clock: FakeClock) -> None:
    """After `auth.refreshTokenTtl` its token is good for nothing."""
    token = login(project).refresh_token
    clock.advance(7 * DAY_S)

    with pytest.raises(AuthenticationError):
        refresh(project, token)


def test_logout_ends_access_at_once(project: TestProject) -> None:
    """The access token of the session is nobody's from then on; also when an older token says so."""
    first = login(project)
    second = refresh(project, first.refresh_token)

    project.app.authenticator.logout(first.refresh_token)

    assert not is_known(project, first.token)
    assert not is_known(project, second.token)
    assert kinds(project)[-1] == "auth.logout"


def test_an_unknown_token_logs_nobody_out(project: TestProject) -> None:
    """No event, no error."""
    before = kinds(project)

    project.app.authenticator.logout("rt_unknown")

    assert kinds(project) == before


def test_expired_rows_are_cleaned(project: TestProject, clock: FakeClock) -> None:
    """Sessions that ended go, with what was known of their tokens; those that live stay."""
    dead = login(project)
    refresh(project, dead.refresh_token)
    clock.advance(4 * DAY_S)
    alive = login(project)
    clock.advance(4 * DAY_S)

    project.app._sessions.clean_all(project.app.database)

    with project.app.database.read() as snapshot:
        assert snapshot.value("SELECT count(*) FROM _sessions") == 1
        assert snapshot.value("SELECT count(*) FROM _spent_tokens") == 0
    assert refresh(project, alive.refresh_token)


def test_nothing_in_the_database_logs_in(project: TestProject) -> None:
    """Who reads the tables holds no token."""
    first = login(project)
    second = refresh(project, first.refresh_token)

    with project.app.database.read() as snapshot:
        stored = "".join(
            str(tuple(row))
            for table in ("_sessions", "_spent_tokens", "_events", "_throttle", "_bakend_meta")
            for row in snapshot.all("SELECT * FROM " + table)
        )
    for text in (first.token, first.refresh_token, second.token, second.refresh_token):
        assert text not in stored


def test_a_changed_secret_ends_the_grace_and_nothing_else(
    project: TestProject, clock: FakeClock
) -> None:
    """Successors are computed with it, so a repeated token leads nowhere; the newest one holds."""
    from bakend.settings import Secret

    first = login(project)
    second = refresh(project, first.refresh_token)
    project.app.close()
    with temporary_project(
        clock=clock,
        folder=project.folder,
        settings={"auth_jwt_secret": Secret("another secret of the same length")},
    ) as again:
        with pytest.raises(AuthenticationError):
            refresh(again, first.refresh_token)
        assert refresh(again, second.refresh_token).user == first.user
