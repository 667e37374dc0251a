"""mpop, a client, as a person would set it up: by TLS, into a Maildir."""
import os
import shutil


def prepare(home, port, user, password, auth, ca, more="keep on\n"):
    """Its configuration, for -C; it collects into home/in, which is empty, and
    has collected nothing before."""
    shutil.rmtree(home + "/in", ignore_errors=True)
    for d in ("cur", "new", "tmp"):
        os.makedirs(home + "/in/" + d)
    rc = home + "/mpoprc"
    with open(os.open(rc, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
              encoding="utf-8") as f:
        f.write("account default\nhost localhost\nport %d\nuser %s\n"
                "password \"%s\"\nauth %s\ntls on\ntls_starttls off\n"
                "tls_trust_file %s\ndelivery maildir %s/in\n"
                "uidls_file %s/uidls\nonly_new off\ntimeout 30\n%s" % (
                    port, user, password, auth, ca, home, home, more))
    return rc
