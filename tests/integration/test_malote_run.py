"""How malote is told what to do, and what it says of it."""
import os
import signal
import threading
import time

import pytest

import faults
import malote
from hostile import letters
from malote import again, same, settled
from server import free_port, wait_until

pytestmark = malote.NEEDED


@pytest.fixture
def server(lie):
    return lie(letters(3))


@pytest.fixture
def m(client, server):
    return client().account(at=server)


# Exit codes.

@pytest.mark.parametrize("words, wrong", [
    ("--nonsense", "there is no option --nonsense"),
    ("--dryrun", "there is no option --dryrun; did you mean --dry-run?"),
    ("--quiet -x", "there is no option -x"),
    ("-qx", "there is no option -x"),
    ("--config=x -a", "there is no option -a"),
    ("--json=x", "option --json=x takes no value"),
    ("--state", "option --state needs a value"),
    ("--config " + 5000 * "x", "that path is too long"),
    ("statsu", "there is no command or account statsu; did you mean status?"),
    ("nonsense", "there is no command or account nonsense")])
def test_usage(m, words, wrong):
    """C-ENG-38.  No more than that: it would push it off the screen."""
    done = m.run(*words.split(), status=malote.USAGE)
    assert done.text == "malote: %s (see malote --help)\n" % wrong


@pytest.mark.parametrize("name, near", [
    ("csaa", "; did you mean casa?"), ("trabalho", "")])
def test_account_that_is_not_there(m, name, near):
    for command in ("collect", "status", "daemon"):
        done = m.run(command, name, status=malote.USAGE)
        assert ("there is no account %s in %s%s\n" % (name, m.conf, near)
                in done.text), done


def test_usage_as_json(m):
    done = m.run("--json", "nonsense", status=malote.USAGE)
    assert done.json["exit_code"] == malote.USAGE
    assert "there is no command or account nonsense" in done.json["errors"][0]


def test_help_and_version(m):
    assert b"collect" in m.run("--help").out
    assert b"malote" in m.run("--version").out


@pytest.mark.core
def test_wrong_password(m, server):
    """C-3206-02: said once to the server, and no other way is tried."""
    m.account(password="wrong")
    m.collect(status=malote.NOPERM)
    assert len(server.commands("AUTH", "PASS", "APOP")) == 1
    assert m.files() == {}


def test_host_not_found(m):
    """Without a resolver it may be a matter of trying again."""
    m.account(server="nobody.invalid")
    assert m.collect(status="bad").code in (malote.NOHOST, malote.TEMPFAIL)


def test_refused(m):
    m.account(port=free_port())
    assert m.collect(status="bad").code in (malote.UNAVAILABLE,
                                            malote.TEMPFAIL)


def test_system_trouble(m, server):
    """[SYS/TEMP] at sign-in: the password is not to blame."""
    server.fault("*", faults.err("[SYS/TEMP] later"), nth=3,
                 times=faults.ALWAYS)
    m.account(timeout=2, session_timeout=8)
    assert m.collect(status="bad", seconds=90).code != malote.NOPERM


def test_one_fails_others_come(m, lie):
    """C-ENG-38: the worst is said, the rest is here."""
    other = lie(letters(2, 9), password="other")
    m.account("zz", other)
    done = m.collect("--json", status=malote.NOPERM)
    assert len(m.files()) == 3
    assert done.account("zz")["error"] and not done.account("casa")["error"]


# Configuration.

def test_no_configuration(m):
    m.run("collect", write=False, status=malote.CONFIG)


START = "account \"a\" {\n\temail = \"a@b.example\"\n"
MISTAKES = {
    "unknown": "nonsense = 1\n",
    "unknown-inside": START + "\tnonsense = \"x\"\n}\n",
    "security": START + "\tsecurity = \"maybe\"\n}\n",
    "port": START + "\tserver = \"h\"\n\tport = 99999\n}\n",
    "keep": START + "\tserver = \"h\"\n\tkeep = \"often\"\n}\n",
    "dollar": START + "\tserver = \"h\"\n"
              "\tpassword = \"x${HOME}y\"\n}\n",
    "open": "account \"a\" {\n",
    "twice": (START + "\tserver = \"h\"\n}\n") * 2}


@pytest.mark.parametrize("kind", MISTAKES)
def test_errors_name_file_and_line(m, kind):
    m.write_conf("# a line before\n" + MISTAKES[kind])
    done = m.run("collect", write=False, status=malote.CONFIG)
    assert "malote.conf" in done.text, done
    assert any(":%d" % n in done.text or "line %d" % n in done.text
               for n in range(2, 9)), done


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_password_that_others_read(m, server, mode):
    """C-ENG-21."""
    m.write()
    os.chmod(m.conf, mode)
    m.run("collect", write=False, status=malote.CONFIG)
    assert server.lines == []


def test_no_password_in_file_may_be_read(m, server):
    m.account(password=None, password_command="echo secret")
    m.write()
    os.chmod(m.conf, 0o644)
    m.run("collect", write=False)
    assert len(m.files()) == 3


@pytest.mark.parametrize("password", [
    "with space ", "per%cent$HOME`x`", "ação", "'quoted\\'", "\"", "x" * 200])
def test_passwords_verbatim(m, server, password):
    """C-ENG-22."""
    server.password = password.encode().decode("latin-1")
    server.sasl = []
    m.account(password=password)
    m.collect()
    assert len(m.files()) == 3


def test_password_of_several_lines(m, server):
    """C-ENG-21, M-48: never a second command."""
    m.account(password="x\nDELE 1")
    m.collect(status="bad")
    assert server.commands("DELE") == []


def test_password_command_fails(m, server):
    m.account(password=None,
              password_command="echo out of luck >&2; exit 3")
    done = m.collect(status="bad")
    assert "out of luck" in done.text
    assert server.commands("AUTH", "PASS") == []


def test_warnings_are_for_whoever_collects(m):
    """Not with each look at how things are."""
    words = b"everybody on the way can read them"
    assert words in m.run("collect").err
    for command in ("status", "accounts", "collect --quiet"):
        assert words not in m.run(*command.split()).err


# What it says.

def test_json(m, server):
    """One schema: accounts, by name, with what was done."""
    done = m.collect("--json")
    casa = done.account("casa")
    assert casa["collected"] == 3 and not casa.get("error")
    assert m.collect("--json").account("casa")["collected"] == 0
    server.fault("STAT", faults.cut(), times=faults.ALWAYS)
    done = m.collect("--json", status="bad", seconds=90)
    assert done.account("casa")["error"]


@pytest.mark.parametrize("word", ["status", "accounts"])
def test_reports(m, server, word):
    m.collect()
    server.forget()
    assert "casa" in m.run(word).text
    assert m.run(word, "--json").account("casa")["name"] == "casa"
    assert server.lines == []  # it asks nobody


def test_reports_before_anything(m):
    assert "casa" in m.run("status").text
    assert m.run("status", "--json").account("casa")


@pytest.mark.core
def test_quiet(m):
    done = m.collect("--quiet")
    assert done.out == b"" and len(m.files()) == 3


@pytest.mark.core
@pytest.mark.parametrize("sasl, auth", [
    (["PLAIN"], "plain"), (["LOGIN"], "login"), ([], "user"),
    (["CRAM-MD5"], "cram-md5"), (["SCRAM-SHA-256"], "scram-sha-256")])
def test_verbose_masks(m, server, sasl, auth):
    """C-ENG-19, M-47: the dialogue, and no secret of it."""
    server.sasl = sasl
    m.account(auth=auth)
    done = m.collect("--verbose")
    assert "RETR 1" in done.text and "STAT" in done.text
    for command in server.commands():
        word = (command.split() or [""])[-1]
        if command.startswith(("PASS", "AUTH PLAIN ")) or \
                (len(word) > 15 and " " not in command):
            assert word not in done.text, done
    assert "secret" not in done.text.replace("secretly", "")


@pytest.mark.core
def test_a_server_repeats_the_password(m, server):
    """C-ENG-19: in what it says of a failure."""
    server.sasl = []
    server.fault("PASS", faults.err("secret is wrong"), times=faults.ALWAYS)
    said = m.collect("--verbose", status="bad").text
    assert said.count("*** is wrong") == 2  # the dialogue and the error
    assert "secret" not in said + m.run("status").text


def test_secrets_stay_out(m):
    """Neither on a command line nor in the state."""
    m.account(password="unmistakable")
    m.collect(status=malote.NOPERM)
    for path, _, names in os.walk(m.state):
        for name in names:
            with open(os.path.join(path, name), "rb") as f:
                assert b"unmistakable" not in f.read()
        assert os.stat(path).st_mode & 0o077 == 0


def test_state_names_nobody(m, server):
    """No subject, sender or unique-id can be read there."""
    server.box.mails[0].uid = "unmistakable-uid"
    m.collect()
    for path, _, names in os.walk(m.state):
        for name in names:
            with open(os.path.join(path, name), "rb") as f:
                text = f.read()
            assert b"Your order" not in text
            assert b"unmistakable-uid" not in text


@pytest.mark.core
def test_terminal_escapes(m, server):
    """C-ENG-19: neither by an error nor by the dialogue nor by JSON."""
    bad = faults.ESCAPES.decode("latin-1")
    server.greeting = b"+OK " + faults.ESCAPES + b"\r\n"
    server.fault("RETR", faults.err("why " + bad), number=2,
                 times=faults.ALWAYS)
    server.fault("PASS", faults.err(bad), times=faults.ALWAYS)
    for words in (["collect"], ["collect", "--verbose"], ["status"],
                  ["collect", "--json"], ["status", "--json"]):
        done = m.run(*words, status=None)
        for octets in (done.out, done.err):
            text = octets.decode("utf-8")  # and it is no broken UTF-8
            assert not [c for c in text if c not in "\t\n\r" and
                        (ord(c) < 32 or 127 <= ord(c) < 160
                         or c == "\u202e")], octets
            assert "\r" not in text


# More than one at a time.

@pytest.mark.core
def test_second_copy(m, server):
    """It says so and ends well; the first one goes on."""
    server.fault("STAT", faults.wait(2))
    first = m.start("collect")
    wait_until(lambda: server.commands("STAT"))
    second = m.collect(seconds=1.5)
    assert second.text.strip()
    assert not first.poll()
    first.wait()
    assert sum(1 for x in server.lines if x.text == "open") == 1
    assert len(m.files()) == 3
    m.collect()


def test_two_accounts_at_one_maildrop(client, server):
    """One after the other: most servers lock a maildrop."""
    server.fault("STAT", faults.wait(1), times=faults.ALWAYS)
    m = client().account("one", at=server).account("two", at=server)
    m.collect()
    ends = [x.text for x in server.lines if x.text in ("open", "close")]
    assert ends == ["open", "close"] * 2


def test_stopped_while_it_waits_for_a_maildrop(client, server):
    server.fault("STAT", faults.stall())
    m = client().account("one", at=server).account("two", at=server)
    run = m.start("collect", "--json")
    wait_until(lambda: server.commands("STAT"))
    run.signal(signal.SIGTERM)
    done = run.wait(status="bad")
    assert done.account("two")["outcome"] == "stopped"
    assert sum(1 for x in server.lines if x.text == "open") == 1


def test_lock_dies_with_its_holder(m, server):
    server.fault("STAT", faults.stall())
    first = m.start("collect")
    wait_until(lambda: server.commands("STAT"))
    first.kill()
    first.wait(status="killed")
    server.heal()
    m.collect()
    same(m.files().values(), [x.local for x in server.box.mails])


def said(m):
    with open(os.path.join(m.home, "stderr"), "rb") as f:
        return f.read()


@pytest.mark.parametrize("keep", ["yes", "no"])
def test_interrupted_twice(m, server, keep):
    """It says at once what it does; the second time it ends at once."""
    server.fault("RETR", faults.stall(20), number=2)
    m.account(keep=keep)
    run = m.start("collect")
    wait_until(lambda: server.numbers("RETR"))
    time.sleep(0.2)
    start = time.monotonic()
    run.signal(signal.SIGINT)
    wait_until(lambda: b"\nending; what has come is kept" in said(m))
    run.signal(signal.SIGINT)
    run.wait(status=130)
    assert time.monotonic() - start < 2
    server.heal()
    m.collect()
    same(m.files().values(), [x.local for x in letters(3)])
    assert len(server.box.mails) == (3 if keep == "yes" else 0)
    assert m.left_in_tmp() == []


@pytest.mark.parametrize("keep", ["yes", "no"])
def test_interrupted_keeps_what_still_comes(m, server, keep):
    """The next run does not download it again."""
    wanted = list(server.box.mails)
    told = threading.Event()
    fault = server.fault("RETR", faults.call(before=lambda: told.wait(20)),
                         number=1)
    m.account(keep=keep)
    run = m.start("collect")
    wait_until(lambda: fault.fired)
    run.signal(signal.SIGINT)
    wait_until(lambda: b"\nending; what has come is kept" in said(m))
    told.set()
    run.wait(status=malote.TEMPFAIL)
    settled(server, m, wanted, keep == "yes")
    again(m, server)
    assert not server.numbers("RETR")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_in_order(m, server, number):
    server.fault("RETR", faults.stall(20), number=2)
    run = m.start("collect")
    wait_until(lambda: server.numbers("RETR"))
    time.sleep(0.2)
    run.signal(number)
    start = time.monotonic()
    try:
        run.wait(status="bad")
    except AssertionError:
        assert run.result.code in (-number, 128 + number), run.result
    assert time.monotonic() - start < 5
    server.heal()
    m.collect()
    same(m.files().values(), [x.local for x in server.box.mails])
    assert m.left_in_tmp() == []
