"""malote serve: what was collected, for mail programs on this computer."""
import base64
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys

import pytest

import fuse
import malote
import pop3
import terminal
from hostile import letters
from served import PLACE, TEXTS, Served
from server import alive, children, free_port, wait_until

pytestmark = [pytest.mark.ours, malote.NEEDED]


def crlf(text):
    return re.sub(rb"\r?\n", b"\r\n", text)


def test_page(served):
    """It says all that is to be typed; each name opens its own Maildir."""
    p = served()
    p.mail(TEXTS)
    p.mail(TEXTS[:2], "Mail/malote")
    p.mail([], "Mail/empty")
    p.m.account("minha obra", deliver="maildir:~/Mail/malote")
    p.m.account("escola", deliver="maildir:%s//Mail/malote/" % p.m.home)
    p.m.account("velho", deliver="mbox:~/mbox")
    p.m.account("novo", deliver="maildir:~/Mail/none")
    p.m.account("vazio", deliver="maildir:~/Mail/empty")
    page = p.start()
    typed = dict(re.findall(r"(?m)^  (\S.*?)  +(\S.*)$", page))
    assert typed["Hostname"] == "127.0.0.1"
    assert typed["Port"] == str(p.port)
    assert typed["Password"] == p.password
    assert re.fullmatch("(-?[a-z2-9]{5}){4}", p.password)
    assert typed["casa"].endswith("/mail (casa)")
    assert typed["minha-obra"].endswith("/Mail/malote (minha obra, escola)")
    assert "escola" not in typed
    words = " ".join(page.split())
    assert "velho is left out: an mbox cannot be served" in words
    assert "novo is left out: nothing has been collected there yet" in words
    assert ".Trash" in words and "SMTP" in words
    assert not os.path.exists(p.m.home + "/Mail/none")
    for user, count in ("casa", 5), ("minha-obra", 2), ("escola", 2), \
            ("vazio", 0):
        assert len(p.uids(user)) == count
    for name in os.listdir(os.path.join(p.m.home, PLACE)):
        mode = os.stat(os.path.join(p.m.home, PLACE, name)).st_mode
        assert mode & 0o077 == 0, name
    assert stat.S_IMODE(os.stat(
        os.path.join(p.m.home, PLACE)).st_mode) == 0o700


def test_wrong_password(served):
    p = served()
    p.mail(TEXTS)
    p.start()
    with pop3.Pop3(p.port) as s:
        s.ok("USER casa")
        s.err("PASS another", "AUTH")


def test_page_in_portuguese(served, portuguese):
    p = served()
    p.mail(TEXTS)
    # Where another user than root finds it.
    shutil.copytree(portuguese["LOCPATH"], p.m.home + "/locale")
    page = p.start(env={**portuguese, "LOCPATH": p.m.home + "/locale",
                        "MALOTE_LOCALEDIR": p.m.home + "/locale/share"})
    typed = dict(re.findall(r"(?m)^  (\S.*?)  +(\S.*)$", page))
    assert typed["Servidor"] == "127.0.0.1"
    assert typed["Porta"] == str(p.port)
    assert typed["Senha"] == p.password
    assert typed["Segurança da conexão"].startswith("Nenhuma")


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_curl(served):
    p = served()
    p.mail(TEXTS)
    p.start()
    for n, text in enumerate(TEXTS, 1):
        got = subprocess.run(
            ["curl", "-sS", "--user", "casa:" + p.password,
             "pop3://127.0.0.1:%d/%d" % (p.port, n)], check=True, timeout=60,
            stdout=subprocess.PIPE).stdout
        assert got == crlf(text)


@pytest.mark.skipif(shutil.which("mpop") is None, reason="no mpop")
@pytest.mark.parametrize("auth", ["scram-sha-256", "cram-md5", "apop",
                                  "plain"])
def test_mpop_deletes(served, auth):
    """What a program deletes stays in the folder Trash."""
    p = served()
    p.mail(TEXTS)
    p.start()
    home = p.m.home + "/mpop"
    for sub in ("cur", "new", "tmp"):
        os.makedirs(home + "/in/" + sub)
    with open(os.open(home + "/rc", os.O_WRONLY | os.O_CREAT, 0o600),
              "w", encoding="ascii") as f:
        f.write("account default\nhost 127.0.0.1\nport %d\nuser casa\n"
                "password %s\nauth %s\ntls off\nkeep off\n"
                "delivery maildir %s/in\nuidls_file %s/uidls\n"
                "received_header off\n" % (
                    p.port, p.password, auth, home, home))
    done = subprocess.run(["mpop", "-C", home + "/rc", "-q"], timeout=60,
                          check=False, capture_output=True)
    assert done.returncode == 0, done
    got = []
    for name in os.listdir(home + "/in/new"):
        with open(home + "/in/new/" + name, "rb") as f:
            got.append(f.read())
    assert sorted(got) == TEXTS
    assert os.listdir(p.m.home + "/mail/new") == []
    kept = p.m.files("mail")
    assert sorted(kept.values()) == TEXTS
    assert all(re.fullmatch(r"\.Trash/cur/\d+\.m:2,T", x) for x in kept)
    assert p.uids() == {}


def outlook(s, password):
    """What Outlook is known to say: no CAPA, and it leaves what it has fetched
    for a later session to delete."""
    s.ok("USER casa")
    s.ok("PASS " + password)
    s.ok("STAT")
    uids = s.uidl()
    sizes = s.list()
    got = []
    for n in uids:
        s.ok("RETR %d" % n)
        got.append(s.data())
        assert len(got[-1].replace(b"\r\n..", b"\r\n.")) - 3 == sizes[n]
    return got


def apple_mail(s, password):
    """What Apple Mail is known to say: it looks at CAPA before and behind the
    sign-in, and asks for the size and the beginning of each message."""
    assert b"SASL" in s.multi("CAPA")
    s.ok("AUTH PLAIN " + base64.b64encode(
        b"\0casa\0" + password.encode()).decode())
    s.multi("CAPA")
    s.ok("STAT")
    got = []
    for n in s.uidl():
        s.ok("LIST %d" % n)
        s.multi("TOP %d 0" % n)
        s.ok("RETR %d" % n)
        got.append(s.data())
    return got


@pytest.mark.parametrize("program", [outlook, apple_mail])
def test_stand_ins(served, program):
    """Of programs that do not run here; each deletes what it has fetched."""
    p = served()
    p.mail(TEXTS)
    p.start()
    with pop3.Pop3(p.port) as s:
        got = program(s, p.password)
        assert [re.sub(rb"(?m)^\.", b"", x[:-3]) for x in got] == [
            crlf(x) for x in TEXTS]
        s.quit()
    with p.session() as s:
        for n in s.uidl():
            s.ok("DELE %d" % n)
        s.quit()
    assert p.uids() == {}
    assert sorted(p.m.files("mail").values()) == TEXTS


def test_nothing_changes_by_starting_again(served):
    """Port, password, unique-ids; even when maloted's index has gone."""
    p = served()
    p.mail(TEXTS)
    p.start()
    before = p.uids(), p.port, p.password
    assert p.stop().code == 0
    os.remove(p.m.home + "/mail/malote.index")
    os.rename(p.m.home + "/mail/new/1000000000.m",
              p.m.home + "/mail/cur/1000000000.m:2,S")
    p.start()
    assert (p.uids(), p.port, p.password) == before


def test_own_password_and_port(served):
    p = served()
    p.mail(TEXTS)
    p.do("serve", "--show")
    with open(os.path.join(p.m.home, PLACE, "password"), "w",
              encoding="utf-8") as f:
        f.write("one of: my own\nnot this\n")
    port = free_port()
    page = p.start("--port", str(port))
    assert "one of: my own\n" in page
    assert p.port == port
    assert len(p.uids()) == 5
    p.stop()
    p.start()
    assert p.port == port


def shown(p):
    """As somebody asks while it runs."""
    return subprocess.run(
        [*p.wrap, *p.m.command("serve", "--show")], env=p.m.env,
        capture_output=True, timeout=30, check=True).stdout.decode()


def test_what_has_changed_since_it_was_started(served):
    """Nobody types a name that is not served yet, and wonders."""
    p = served()
    p.mail(TEXTS)
    p.start()
    assert "malote serve is running.\n" in shown(p)
    subprocess.run([*p.wrap, *p.m.command("rename", "casa", "lar")],
                   env=p.m.env, timeout=30, check=True)
    assert "start it\nanew" in shown(p) or "start it anew" in shown(p)
    assert "is running.\n" not in shown(p)


@pytest.mark.parametrize("port", ["1023", "65536", "pop3", ""])
def test_bad_port(served, port):
    p = served()
    p.mail(TEXTS)
    done = p.do("serve", "--port", port, status=malote.USAGE)
    assert "1024 to 65535" in done.text


def test_password_that_others_may_read(served):
    p = served()
    p.mail(TEXTS)
    p.do("serve", "--show")
    os.chmod(os.path.join(p.m.home, PLACE, "password"), 0o644)
    done = p.do("serve", status=malote.CONFIG)
    assert "chmod 600" in done.text


def test_port_of_somebody_else(served):
    """Nobody is told to give the password to a stranger."""
    p = served()
    p.mail(TEXTS)
    p.do("serve", "--show")
    with socket.create_server(("127.0.0.1", p.port)):
        done = p.do("serve", status=malote.TEMPFAIL)
        assert done.out == b""
        assert "port %d of this computer is in use" % p.port in done.text
        shown = p.do("serve", "--show")
        assert "another program has port %d" % p.port in " ".join(
            shown.text.split())
    p.start()


KNOCK = """
import select, socket, sys
ends = [socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        for _ in range(100)]
print("there", flush=True)
print(sum(e.recv(1) == b"" for e in ends), flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_others_do_not_keep_the_owner_out(served):
    """Not by a hundred connections: they are of no use."""
    s = served()
    s.mail(TEXTS)
    s.start()
    other = pwd.getpwnam("daemon")
    with subprocess.Popen(
            ["setpriv", "--reuid", str(other.pw_uid), "--regid",
             str(other.pw_gid), "--clear-groups", sys.executable, "-c", KNOCK,
             str(s.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True) as knock:
        assert knock.stdout.readline() == "there\n"
        assert len(s.uids()) == len(TEXTS)
        assert knock.stdout.readline() == "100\n"
        knock.stdin.close()
    # Their own programs are served, and those of root.
    done = subprocess.run(
        [*s.wrap, "curl", "-s", "--max-time", "20", "pop3://127.0.0.1:%d/" %
         s.port, "-u", "casa:" + s.password], text=True, capture_output=True,
        check=True)
    assert len(done.stdout.splitlines()) == len(TEXTS)
    assert "ev=turned-away ip=127.0.0.1 why=same_user" in s.stop().text


def test_second_one(served):
    p = served()
    p.mail(TEXTS)
    p.start()
    other = Served(p.m, p.owner)
    other.m.state = p.m.state
    for words, code, said in (
            (["serve"], malote.TEMPFAIL, "is running already"),
            (["serve", "--show"], 0, "malote serve is running")):
        done = subprocess.run([*p.wrap, *p.m.command(*words)], env=p.m.env,
                              capture_output=True, text=True, timeout=60,
                              check=False)
        assert done.returncode == code
        assert said in done.stdout + done.stderr


def test_show_as_json(served):
    p = served()
    p.mail(TEXTS)
    p.m.account("velho", deliver="mbox:~/mbox")
    found = p.do("serve", "--show", "--json").json
    assert found["running"] is False
    assert found["port"] == p.port
    assert found["password"] == p.password
    assert found["users"] == [{"user": "casa", "path": p.m.home + "/mail",
                               "accounts": ["casa"]}]
    assert [x["account"] for x in found["left_out"]] == ["velho"]
    assert '"running": true' in p.start("--json")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM,
                                    signal.SIGHUP])
def test_stops(served, number):
    """With a session open, and nothing is left."""
    p = served()
    p.mail(TEXTS)
    p.start()
    with p.session():
        assert p.stop(number).code == 0
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", p.port))


def test_is_killed(served):
    """maloted does not outlive it, and the next one can start."""
    p = served()
    p.mail(TEXTS)
    p.start()
    below = p.below()
    assert len(below) >= 4
    p.run.kill()
    wait_until(lambda: not [x for x in below if alive(x)], 10)
    p.run.wait(status="killed")
    p.start()
    assert len(p.uids()) == 5


def test_maloted_is_killed(served):
    """What a mail program was told to use is not there: that is a failure."""
    p = served()
    p.mail(TEXTS)
    p.start()
    maloted, = children(p.run.pid)
    os.kill(maloted, signal.SIGKILL)
    done = p.run.wait(status=malote.IOERR)
    assert "maloted was ended by signal 9" in done.text
    p.run = None


def test_collects_meanwhile(served, lie):
    """What comes is not in a session that is open, and is in the next one; what
    is in the trash is not collected again."""
    p = served()
    server = lie(letters(3))
    p.m.account("casa", at=server, server="127.0.0.1")
    p.do("collect")
    p.start()
    with p.session() as s:
        assert len(s.uidl()) == 3
        server.box.mails += letters(2, 9, "new%d")
        done = subprocess.run([*p.wrap, *p.m.command("collect")],
                              env=p.m.env, capture_output=True, timeout=60,
                              check=False)
        assert done.returncode == 0, done
        assert len(s.uidl()) == 3
        s.ok("DELE 1")
        s.quit()
    assert len(p.uids()) == 4
    server.forget()
    subprocess.run([*p.wrap, *p.m.command("collect")], env=p.m.env, check=True,
                   timeout=60, stdout=subprocess.DEVNULL)
    assert server.numbers("RETR") == []
    assert len(p.uids()) == 4


def test_maildir_that_goes_away(served):
    """As a disk that is not mounted: no program is shown an empty maildrop."""
    p = served()
    p.mail(TEXTS, "Mail/casa")
    p.m.account("casa", deliver="maildir:~/Mail/casa")
    p.start()
    assert len(p.uids()) == 5
    os.rename(p.m.home + "/Mail/casa", p.m.home + "/away")
    with pop3.Pop3(p.port) as s:
        s.ok("USER casa")
        s.err("PASS " + p.password, "SYS/TEMP")
    assert not os.path.exists(p.m.home + "/Mail/casa")
    p.stop()
    done = p.do("serve", status=malote.CONFIG)
    assert "there is no Maildir to serve" in done.text
    os.rename(p.m.home + "/away", p.m.home + "/Mail/casa")
    p.start()
    assert len(p.uids()) == 5


def test_mail_root_made_anew(served):
    """Who has moved everything by hand need not ask an administrator."""
    p = served()
    p.mail(TEXTS, "Mail/casa")
    p.m.account("casa", deliver="maildir:~/Mail/casa")
    p.start()
    p.stop()
    shutil.rmtree(p.m.home + "/Mail")
    p.mail(TEXTS, "Mail/casa")
    p.start()
    assert len(p.uids()) == 5


@pytest.mark.skipif(not fuse.can_mount(), reason="needs root and /dev/fuse")
def test_fuse(served):
    """maloted would refuse each sign-in."""
    p = served()
    p.m.account("casa", deliver="maildir:~/crypt/casa")
    p.mail(TEXTS)
    p.m.account("obra", deliver="maildir:~/mail")
    os.makedirs(p.m.home + "/crypt/casa")
    p.m.write()
    p.own()
    try:
        mounted = fuse.Fuse(p.m.home + "/crypt/casa", *p.owner)
    except OSError as e:
        pytest.skip(str(e))
    try:
        done = p.m.run("serve", "--show", write=False, wrap=p.wrap)
    finally:
        mounted.stop()
    assert "casa is left out: it is on a file system that a person has " \
        "mounted" in " ".join(done.text.split())
    assert re.search(r"(?m)^  obra ", done.text)


def test_odd_paths(served):
    """What a shell, a quotation or the users file would take apart."""
    p = served()
    folder = "Ana's \\ $HOME \"Mail\" %d #1/Örtchen"
    p.mail(TEXTS, folder)
    p.m.account("casa", deliver="maildir:%s/%s" % (p.m.home, folder))
    p.start()
    assert len(p.uids()) == 5


def test_without_maloted(served, tmp_path):
    """The package of the server is another one than the client's, perhaps."""
    if [x for x in ("/usr/sbin", "/usr/local/sbin")
            if os.path.exists(x + "/maloted")]:
        pytest.skip("maloted is installed")
    p = served()
    p.mail(TEXTS)
    alone = os.path.join(p.m.home, "bin", "malote")
    os.mkdir(os.path.dirname(alone))
    shutil.copy(malote.BINARY, alone)
    p.m.write()
    p.own()
    words = p.m.command("serve")
    done = subprocess.run(
        [*p.wrap, alone, *words[1:]], env=p.m.env, capture_output=True,
        text=True, timeout=60, check=False)
    assert done.returncode == malote.UNAVAILABLE, done
    assert "maloted is not installed" in done.stderr
    assert done.stdout == ""


def test_ready_of_somebody_else(served):
    """Only maloted itself says that it is ready; and why it is not is told."""
    p = served()
    p.mail(TEXTS)
    # A mutant is known by its path.
    place = p.m.home + os.path.dirname(malote.BINARY)
    os.makedirs(place)
    shutil.copy(malote.BINARY, place)
    with open(place + "/maloted", "w", encoding="ascii") as f:
        f.write("#!/bin/sh\necho $NOTIFY_SOCKET >$STATE_DIRECTORY/told\n"
                "read x <$STATE_DIRECTORY/go\nexit 3\n")
    os.chmod(place + "/maloted", 0o755)
    p.do("serve", "--show")
    go = os.path.join(p.m.home, PLACE, "go")
    os.mkfifo(go)
    p.own()
    run = malote.Run([*p.wrap, place + "/malote", *p.m.command("serve")[1:]],
                     p.m.home, p.m.env)
    told = os.path.join(p.m.home, PLACE, "told")
    wait_until(lambda: os.path.exists(told) and p.kept("told").endswith("\n"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.sendto(b"READY=1", "\0" + p.kept("told")[1:-1])
    with open(go, "w", encoding="ascii") as f:
        f.write("now\n")
    done = run.wait(status=malote.IOERR)
    assert done.out == b""
    assert "exit status 3" in done.text


def test_on_a_terminal(served, place):
    """The page is not drawn over by a log."""
    p = served()
    p.mail(TEXTS)
    p.m.write()
    p.own()
    t = terminal.Terminal([*p.wrap, *p.m.command("serve")], p.m.home,
                          {**p.m.env, "TERM": "xterm"}, lines=60)
    try:
        t.expect(b"Ctrl-C")
        assert len(p.uids()) == 5
        assert b"ev=" not in t.seen
        assert "ev=login" in wait_until(
            lambda: "ev=login" in p.kept("log") and p.kept("log"))
        t.type(b"\x03")
        assert t.wait() == 0
    finally:
        t.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try it")
def test_not_for_root(client):
    m = client().account()
    done = m.run("serve", status=malote.USAGE)
    assert "not for root" in done.text
