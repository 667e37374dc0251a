"""malote serve, run by a person who is not root, with accounts and mail."""
import os
import signal
import time

import pop3
from server import alive, children, wait_until

PLACE = "state/serve/"
TEXTS = [b"From: a@b.example\nSubject: nr %d\n\n.\nText %d\n" % (n, n)
         for n in range(5)]


class Served:
    def __init__(self, m, owner):
        self.m, self.owner = m, owner
        self.wrap = ["setpriv", "--reuid", str(owner[0]), "--regid",
                     str(owner[1]), "--clear-groups"] if owner else []
        self.run = None

    def own(self):
        if self.owner:
            for path, folders, files in os.walk(self.m.home):
                for name in [path] + [os.path.join(path, x)
                                      for x in folders + files]:
                    os.chown(name, *self.owner, follow_symlinks=False)

    def mail(self, texts, where="mail"):
        for sub in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(self.m.home, where, sub), exist_ok=True)
        for text in texts:
            n = len(os.listdir(os.path.join(self.m.home, where, "new")))
            with open("%s/%s/new/%d.m" % (self.m.home, where, 10 ** 9 + n),
                      "wb") as f:
                f.write(text)

    def do(self, *words, **more):
        """A command of malote's, to its end."""
        self.m.write()
        self.own()
        return self.m.run(*words, write=False, wrap=self.wrap, **more)

    def start(self, *words, **more):
        """Returns what it printed, when mail programs can sign in."""
        self.m.write()
        self.own()
        self.run = self.m.start("serve", *words, write=False, wrap=self.wrap,
                                **more)
        wait_until(lambda: self.run.poll() or self.printed(), 20)
        assert not self.run.poll(), self.run.result
        return self.printed()

    def printed(self):
        with open(self.m.home + "/stdout", encoding="utf-8") as f:
            text = f.read()
        return text if text.endswith((".\n", "}\n")) else ""

    def kept(self, name):
        with open(os.path.join(self.m.home, PLACE, name),
                  encoding="utf-8") as f:
            return f.read()

    @property
    def port(self):
        return int(self.kept("port"))

    @property
    def password(self):
        return self.kept("password").split("\n")[0]

    def session(self, user="casa"):
        s = pop3.Pop3(self.port)
        s.login(user, self.password)
        return s

    def uids(self, user="casa"):
        with self.session(user) as s:
            found = s.uidl()
            s.quit()
        return found

    def stop(self, number=signal.SIGTERM):
        """Fails if anything is left of it."""
        below = self.below()
        self.run.signal(number)
        # A limit is counted from the start.
        result = self.run.wait(time.monotonic() - self.run.start + 20)
        wait_until(lambda: not [p for p in below if alive(p)], 10)
        self.run = None
        return result

    def below(self):
        """The processes of its maloted."""
        below = []
        for pid in children(self.run.pid):
            below += [pid, *children(pid)]
        return below
