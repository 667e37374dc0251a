"""Mail that real delivery agents bring while sessions run."""
import os
import shutil
import subprocess
import threading

import pytest

import drop
import terminal

DOVECOT_LDA = "/usr/lib/dovecot/dovecot-lda"


def as_owner(place):
    if not place.owner:
        return {}
    return {"user": place.owner[0], "group": place.owner[1],
            "extra_groups": []}


def maildrop(place, box, octets):
    """Courier's agent, told to deliver here and nowhere else."""
    rules = place.path + "/rules"
    with open(rules, "w") as f:
        f.write('to "%s/"\n' % box)
    os.chmod(rules, 0o600)
    if place.owner:
        os.chown(rules, *place.owner)
    subprocess.run(["maildrop", rules], input=octets, check=True, timeout=20,
                   cwd=place.path, env={"HOME": place.path, "PATH": "/usr/bin",
                                        "LOGNAME": "nobody"},
                   capture_output=True, **as_owner(place))


def dovecot_lda(place, box, octets):
    config = place.path + "/lda.conf"
    with open(config, "w") as f:
        f.write("mail_location = maildir:%s\nlog_path = /dev/stderr\n"
                "first_valid_uid = 1\nbase_dir = %s/run\n"
                "postmaster_address = nobody@localhost\n" % (box, place.path))
    os.chmod(config, 0o644)
    subprocess.run([DOVECOT_LDA, "-c", config, "-k"], input=octets,
                   check=True, timeout=20, cwd=place.path,
                   env={"HOME": place.path, "USER": "nobody",
                        "PATH": "/usr/bin"},
                   capture_output=True, **as_owner(place))


def body(octets):
    return octets.partition(b"\n\n")[2].replace(b"\r\n", b"\n")


@pytest.mark.parametrize("agent,program", [
    (maildrop, "/usr/bin/maildrop"), (dovecot_lda, DOVECOT_LDA)])
def test_delivered_while_sessions_run(place, serve, login, agent, program):
    if not os.path.exists(program):
        pytest.skip(program + " is not installed")
    messages = drop.peaceful(drop.make(41, 40))
    box = place.maildir()
    server = serve(box)
    failed = []

    def deliver():
        try:
            for m in messages:
                agent(place, box, m.stored)
        except Exception as e:
            failed.append(e)
    thread = threading.Thread(target=deliver)
    thread.start()
    got, known = [], {}
    while thread.is_alive() or drop.files(box):
        session = login(server)
        uids, sizes = session.uidl(), session.list()
        for n, uid in uids.items():
            text = session.retr(n)
            assert len(text) == sizes[n]
            assert known.setdefault(uid, text) == text
            if n % 2 or not thread.is_alive():
                session.ok("DELE %d" % n)
                got.append(body(text.replace(b"\r\n", b"\n")))
        session.quit()
        session.close()
    thread.join()
    assert not failed, failed
    assert sorted(got) == sorted(body(m.stored) for m in messages)


@pytest.mark.skipif(shutil.which("mutt") is None, reason="mutt is missing")
def test_mutt_on_the_maildir(place, serve, login):
    """mutt opens the Maildir itself between sessions: reads and deletes."""
    messages = [m for m in drop.make(42, 50) if m.folder == "new"]
    box = place.maildir(messages)
    server = serve(box)
    session = login(server)
    first = {uid: session.retr(n) for n, uid in session.uidl().items()}
    session.quit()
    rc = place.path + "/muttrc"
    with open(rc, "w") as f:
        f.write("set delete=yes quit=yes mark_old=yes wait_key=no move=no\n"
                # mutt loses the first prompt of its life.
                'push "<undelete-pattern>~A<enter>'
                '<delete-pattern>~m 1-10<enter><quit>"\n')
    status, screen = terminal.run(["mutt", "-n", "-F", rc, "-f", box],
                                  place.path, place.owner)
    assert status == 0, screen[-2000:]
    session = login(server)
    second = {uid: session.retr(n) for n, uid in session.uidl().items()}
    session.quit()
    assert len(second) == len(messages) - 10 == len(drop.files(box))
    for uid, text in second.items():
        assert first[uid] == text
