"""Thunderbird without a screen, told what to do by Marionette; with one POP3
account in clear, which leaves mail on the server."""
import json
import os
import re
import socket
import subprocess

from server import PATIENCE, end_with_us, free_port, wait_until

ACCOUNT = {
    "mail.accountmanager.accounts": "account1,account2",
    "mail.accountmanager.defaultaccount": "account1",
    "mail.accountmanager.localfoldersserver": "server2",
    "mail.account.account1.server": "server1",
    "mail.account.account1.identities": "id1",
    "mail.account.account2.server": "server2",
    "mail.identity.id1.useremail": "tester@example.org",
    "mail.identity.id1.fullName": "Tester",
    "mail.identity.id1.valid": True,
    "mail.server.server1.type": "pop3",
    "mail.server.server1.name": "test",
    "mail.server.server1.hostname": "localhost",
    "mail.server.server1.socketType": 0,
    "mail.server.server1.authMethod": 3,
    "mail.server.server1.login_at_startup": False,
    "mail.server.server1.leave_on_server": True,
    "mail.server.server1.directory-rel": "[ProfD]Mail/localhost",
    "mail.server.server2.type": "none",
    "mail.server.server2.name": "Local Folders",
    "mail.server.server2.hostname": "Local Folders",
    "mail.server.server2.directory-rel": "[ProfD]Mail/Local Folders",
}
# Nothing else that it would ask or do.
QUIET = {
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.rights.version": 1,
    "mail.shell.checkDefaultClient": False,
    "mail.spotlight.firstRunDone": True,
    "mailnews.start_page.enabled": False,
    "toolkit.telemetry.enabled": False,
}


# Gives it the password, and does what "Get Messages" does.
COLLECT = """
const [user, password, done] = arguments;
const { MailServices } = ChromeUtils.importESModule(
  "resource:///modules/MailServices.sys.mjs");
const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(
  Ci.nsILoginInfo);
login.init("mailbox://localhost", null, "mailbox://localhost", user, password,
  "", "");
const server = MailServices.accounts.allServers.find(s => s.type == "pop3");
const inbox = server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
Services.logins.addLoginAsync(login).then(() =>
  MailServices.pop3.GetNewMail(null, {
    OnStartRunningUrl() {},
    OnStopRunningUrl(url, status) {
      done([status, [...inbox.messages].map(
        m => [m.mime2DecodedSubject, m.mime2DecodedAuthor])]);
    },
  }, inbox, server));
"""


class Thunderbird:
    def __init__(self, home, port, user):
        self.user = user
        self.start(home, {**ACCOUNT, "mail.server.server1.port": port,
                          "mail.server.server1.userName": user})

    def start(self, home, prefs):
        self.profile = home + "/profile"
        control = free_port()
        os.makedirs(self.profile, 0o700)
        with open(self.profile + "/prefs.js", "w", encoding="utf-8") as f:
            for name, value in {**QUIET, **prefs,
                                "marionette.port": control}.items():
                f.write("user_pref(%s, %s);\n" % (
                    json.dumps(name), json.dumps(value)))
        with open(home + "/log", "wb") as log:
            self.process = subprocess.Popen(
                ["thunderbird", "--headless", "--marionette",
                 "--remote-allow-system-access", "--no-remote", "--profile",
                 self.profile], cwd=home, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, preexec_fn=end_with_us, env={
                    "HOME": home, "PATH": os.environ["PATH"],
                    "LANG": "C.UTF-8", "XDG_RUNTIME_DIR": home})
        self.sock = wait_until(lambda: connect(control), 90, 0.2)
        self.seen = b""
        self.answer()  # it says what it is
        self.say("WebDriver:NewSession", {})
        self.say("Marionette:SetContext", {"value": "chrome"})
        self.say("WebDriver:SetTimeouts", {"script": 60000 * PATIENCE})

    def answer(self):
        """The next one: its length, a colon, JSON."""
        while b":" not in self.seen:
            self.more()
        length, _, self.seen = self.seen.partition(b":")
        while len(self.seen) < int(length):
            self.more()
        text, self.seen = self.seen[:int(length)], self.seen[int(length):]
        return json.loads(text)

    def more(self):
        octets = self.sock.recv(65536)
        assert octets, "Thunderbird has ended"
        self.seen += octets

    def say(self, command, what):
        text = json.dumps([0, 1, command, what]).encode()
        self.sock.sendall(b"%d:%s" % (len(text), text))
        _, _, error, result = self.answer()
        assert error is None, error
        return result

    def collect(self, password):
        """Whether it says that all went well; and what it shows: subject and
        author of each message."""
        status, shown = self.say("WebDriver:ExecuteAsyncScript", {
            "script": COLLECT, "args": [self.user, password]})["value"]
        return status == 0, shown

    def inbox(self):
        """Its messages as it has written them, without what it puts before
        each."""
        with open(self.profile + "/Mail/localhost/Inbox", "rb") as f:
            text = f.read()
        return [re.sub(rb"^(X-(Account-Key|UIDL|Mozilla-\w+):[^\n]*\n)+", b"",
                       one) for one in
                re.split(rb"(?m)^From - [^\n]*\n", text)[1:]]

    def stop(self):
        self.sock.close()
        self.process.terminate()
        try:
            self.process.wait(20 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def connect(port):
    try:
        return socket.create_connection(("127.0.0.1", port), 90 * PATIENCE)
    except OSError:
        return None
