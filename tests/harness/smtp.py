"""A client that submits mail, and what mail servers of others need to be
started for a test: Postfix in harness/postfix.py, Exim in harness/exim.py."""
import shutil
import smtplib
import ssl
import subprocess

from scram import Scram, b64, unb64
from server import PATIENCE

TIMEOUT = 30 * PATIENCE
SWAKS = shutil.which("swaks")


class Client(smtplib.SMTP):
    """A session at a submission port."""

    def __init__(self, port, tls=True, source="127.0.0.1"):
        super().__init__("127.0.0.1", port, "client.example",
                         timeout=TIMEOUT, source_address=(source, 0))
        self.ehlo()
        if tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            assert self.starttls(context=context)[0] == 220
            self.ehlo()

    def mechanisms(self):
        return set(self.esmtp_features.get("auth", "").split())

    def plain(self, user, password):
        """The code of the answer, and its words."""
        return self.docmd("AUTH", "PLAIN " + b64("\0%s\0%s"
                                                 % (user, password)))

    def sign_in(self, mechanism, user, password):
        if mechanism == "PLAIN":
            return self.plain(user, password)
        if mechanism == "PLAIN in two":
            assert self.docmd("AUTH", "PLAIN")[0] == 334
            return self.docmd(b64("\0%s\0%s" % (user, password)))
        if mechanism == "LOGIN":
            assert self.docmd("AUTH", "LOGIN")[0] == 334
            assert self.docmd(b64(user))[0] == 334
            return self.docmd(b64(password))
        if mechanism == "CRAM-MD5":
            return self.auth("CRAM-MD5", self.cram(user, password),
                             initial_response_ok=False)
        return self.scram(mechanism, user, password)

    def cram(self, user, password):
        self.user, self.password = user, password
        return self.auth_cram_md5

    def scram(self, mechanism, user, password, flag="n"):
        s = Scram(mechanism, user, password, flag=flag)
        code, text = self.docmd("AUTH", "%s %s" % (mechanism,
                                                   b64(s.first())))
        if code != 334:
            return code, text
        code, text = self.docmd(b64(s.final(unb64(text))))
        if code != 334:
            return code, text
        s.check(unb64(text))
        return self.docmd("")

    def submit(self, sender, to, text):
        return self.sendmail(sender, [to], text)


def swaks(port, user, password, *more, tls=True, mechanism="PLAIN"):
    """(its exit code, what was said): 0 is that the mail was taken, 28 that
    nobody has signed in."""
    done = subprocess.run(
        [SWAKS, "--server", "127.0.0.1", "--port", str(port), "--auth",
         mechanism, "--auth-user", user, "--auth-password", password,
         "--from", "ann@site.example", "--to", "ann@site.example",
         "--body", "by swaks", *(["--tls"] if tls else []), *more],
        text=True, capture_output=True, timeout=60 * PATIENCE, check=False)
    return done.returncode, done.stdout + done.stderr
