"""What the client delivers, read by other programs.

The deliveries alone, by tests/unit/deliver_one.c: no server, no account.
"""
import grp
import mailbox
import os
import pwd
import shutil
import signal
import socket
import subprocess
import threading

import pytest

import server
import terminal

BUILD = os.path.dirname(os.path.dirname(os.environ.get(
    "MALOTED", server.TOP + "/build/release/src/maloted")))
DELIVER = BUILD + "/tests/unit/deliver_one"

pytestmark = [
    pytest.mark.ours,
    pytest.mark.skipif(not os.path.exists(DELIVER),
                       reason="deliver_one is not built"),
]

MESSAGES = [
    b"Return-Path: <rui@example.net>\nSubject: one\n\nFrom me\n>From you\n",
    b"Subject: two\n\n\n\nlast\n\n",
    b"Subject: three\n\n" + b">" * 70000 + b"From x\n\xff\0\r\n",
    b"Subject: four\n",
    b"\nno header\n.\n..\n",
]


@pytest.fixture
def files(place):
    out = []
    for i, text in enumerate(MESSAGES):
        out.append("%s/message%d" % (place.path, i))
        with open(out[-1], "wb") as f:
            f.write(text)
    return out


def deliver(place, where, files):
    done = subprocess.run([DELIVER, where, place.path + "/spool"] + files,
                          capture_output=True, text=True, timeout=100)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines()


def stored(place, where, files):
    assert deliver(place, where, files) == (0, ["ok "] * len(files))


def test_maildir(place, files):
    """S-MD-05, C-ENG-14: another reader finds them, octet for octet."""
    box = place.path + "/box"
    stored(place, "maildir:" + box, files)
    read = mailbox.Maildir(box, create=False)
    assert len(read) == len(MESSAGES)
    assert sorted(read.get_bytes(k) for k in read.keys()) == sorted(MESSAGES)
    for name in os.listdir(box + "/new"):
        size = os.stat(box + "/new/" + name).st_size
        assert ",S=%d," % size in name


def unquoted(text):
    lines = text.split(b"\n")
    for i, line in enumerate(lines):
        if line.startswith(b">") and line.lstrip(b">").startswith(b"From "):
            lines[i] = line[1:]
    return b"\n".join(lines)


def test_mbox(place, files):
    """C-ENG-30, F-MBOX-01: no message is cut, or two made one."""
    box = place.path + "/mbox"
    with open(box, "wb") as f:
        f.write(b"From old Sat Nov 22 12:03:04 2025\nSubject: old\n\nx\n")
    stored(place, "mbox:" + box, files)
    stored(place, "mbox:" + box, files[:1])
    read = mailbox.mbox(box, create=False)
    texts = [unquoted(read.get_bytes(k)) for k in sorted(read.keys())]
    assert texts[0] == b"Subject: old\n\nx\n"
    assert texts[1:] == MESSAGES + MESSAGES[:1]
    line = read[1].get_from().split(" ", 1)
    assert line[0] == "rui@example.net"
    assert read[2].get_from().startswith("MAILER-DAEMON ")


@pytest.mark.skipif(shutil.which("mutt") is None, reason="mutt is not there")
def test_mutt_rewrites_the_mbox(place, files):
    """What mutt makes of it has all messages still."""
    box = place.path + "/mbox"
    stored(place, "mbox:" + box, files[:3])
    rc = place.path + "/muttrc"
    with open(rc, "w") as f:
        f.write("set mark_old=no move=no quit=yes delete=yes folder=%s\n"
                "push \"<delete-message><quit>\"\n" % place.path)
    status, screen = terminal.run(["mutt", "-n", "-F", rc, "-f", box],
                                  place.path)
    assert status == 0, screen[-2000:]
    stored(place, "mbox:" + box, files[3:4])
    read = mailbox.mbox(box, create=False)
    assert [m["Subject"] for m in read] == ["two", "three", "four"]


@pytest.mark.parametrize("how", ["lockf", "dot_lock"])
def test_locked_mbox(place, files, how):
    """S-MBOX-03: another program's lock is waited for."""
    box = place.path + "/mbox"
    code = ("import fcntl, os, sys, time\n"
            "f = open(%r, 'a+b')\n"
            "if %r == 'lockf': fcntl.lockf(f, fcntl.LOCK_EX)\n"
            "else: open(%r, 'x')\n"
            "print('locked', flush=True)\n"
            "time.sleep(1)\n"
            "f.write(b'From other Sat Nov 22 12:03:04 2025\\n\\nx\\n')\n"
            "f.flush()\n"
            "if %r != 'lockf': os.unlink(%r)\n"
            % (box, how, box + ".lock", how, box + ".lock"))
    other = subprocess.Popen(["/usr/bin/python3", "-c", code],
                             stdout=subprocess.PIPE)
    try:
        other.stdout.readline()
        stored(place, "mbox:" + box, files[:1])
    finally:
        other.wait(timeout=30)
        other.stdout.close()
    read = mailbox.mbox(box, create=False)
    assert [m.get_from().split()[0] for m in read] == \
        ["other", "rui@example.net"]


DOVECOT = """
base_dir = {tmp}/run
state_dir = {tmp}/run
log_path = {tmp}/log
protocols = lmtp
ssl = no
postmaster_address = postmaster@example.org
mail_location = maildir:{tmp}/box
first_valid_uid = 1
first_valid_gid = 0
lda_mailbox_autocreate = yes
passdb {{
  driver = static
  args = nopassword=yes
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={tmp} allow_all_users=yes
}}
service lmtp {{
  chroot =
  unix_listener {tmp}/lmtp {{
    mode = 0666
  }}
}}
service stats {{
  chroot =
}}
service anvil {{
  chroot =
}}
"""


def answers(path):
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(path) == 0


@pytest.fixture
def dovecot(place):
    if not os.path.exists("/usr/lib/dovecot/lmtp"):
        pytest.skip("dovecot-lmtpd is not there")
    tmp = place.path + "/dovecot"
    os.mkdir(tmp, 0o755)
    uid, gid = place.owner or (os.geteuid(), os.getegid())
    os.chown(tmp, uid, gid)
    text = DOVECOT.format(tmp=tmp, uid=uid, gid=gid)
    if os.geteuid() != 0:
        text += ("default_internal_user = %s\ndefault_login_user = %s\n"
                 "default_internal_group = %s\n"
                 % (pwd.getpwuid(uid).pw_name, pwd.getpwuid(uid).pw_name,
                    grp.getgrgid(gid).gr_name))
    with open(tmp + "/dovecot.conf", "w") as f:
        f.write(text)
    child = subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c",
                              tmp + "/dovecot.conf"])
    try:
        server.wait_until(lambda: answers(tmp + "/lmtp"))
        yield tmp
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(timeout=30)
        with open(tmp + "/log") as f:
            print(f.read())


def test_dovecot_lmtp(place, files, dovecot):
    """C-ENG-31: stored by Dovecot, with the lines it adds on top."""
    stored(place, "lmtp:" + dovecot + "/lmtp", files)
    read = mailbox.Maildir(dovecot + "/box", create=False)
    texts = [read.get_bytes(k).replace(b"\r\n", b"\n") for k in read.keys()]
    assert len(texts) == len(MESSAGES)
    assert any(t.startswith(b"Return-Path: <rui@example.net>\n")
               for t in texts)
    for wanted in MESSAGES:
        # Dovecot takes the Return-Path away that was there, and gives NUL
        # another look.
        tail = wanted.split(b"\n", 1)[1].replace(b"\0", b"")
        assert any(t.replace(b"\0", b"").replace(b"\xc2\x80", b"")
                   .endswith(tail.replace(b"\r\n", b"\n")) for t in texts)


@pytest.mark.slow
def test_lmtp_server_dies(place, files):
    """What no reply was given for is tried again by the next run."""
    path = place.path + "/lmtp"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def once():
            for _ in range(2):
                s, _ = listener.accept()
                s.sendall(b"220 x\r\n")
                s.close()

        thread = threading.Thread(target=once)
        thread.start()
        code, lines = deliver(place, "lmtp:" + path, files[:3])
        thread.join(30)
    assert code == 0
    assert [line.split(" the ")[0] for line in lines] == ["closed"] * 3
