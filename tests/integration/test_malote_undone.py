"""What a run leaves undone: the exit code is never 0."""
import pytest

import malote
from hostile import letters
from malote import settled

pytestmark = malote.NEEDED
LATER = 75


@pytest.mark.core
@pytest.mark.parametrize("words", [
    ["collect", "--json"], ["collect"], ["status"], ["status", "--json"],
    ["accounts"], ["--help"], ["--version"]], ids=" ".join)
def test_report_onto_a_full_device(lie, client, words):
    server = lie(letters(3))
    m = client().account(at=server)
    done = m.run(*words, status=LATER, wrap=["sh", "-c", '"$@" >/dev/full',
                                             "-"])
    assert b"standard output" in done.err
    if words[0] == "collect":
        assert len(m.files()) == 3


def test_standard_output_is_closed(lie, client):
    """The person wants to hear nothing; no message gets what is said."""
    server = lie(letters(3))
    wanted = list(server.box.mails)
    m = client().account(at=server, keep="no")
    m.collect(wrap=["sh", "-c", '"$@" <&- >&- 2>&-', "-"])
    settled(server, m, wanted, keep=False)
