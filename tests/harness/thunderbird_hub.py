"""A Thunderbird in which nothing is set up yet, and a person who reads what is on
its screen: the dialogue in which an account is made (Account Hub)."""
from server import wait_until
from thunderbird import Thunderbird

# It asks nobody else what the settings may be.
ALONE = {
    "mailnews.auto_config_url": "",
    "mailnews.mx_service_url": "",
    "mailnews.auto_config.fetchFromISP.enabled": False,
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
}

# see(words): the element on the screen that has just these words, and a mark
# behind them perhaps; what they are the label of, if they are one.
SEE = """
function* shown(root) {
  for (const e of (root.shadowRoot || root).querySelectorAll("*")) {
    if (!e.checkVisibility())
      continue;
    yield e;
    if (e.shadowRoot)
      yield* shown(e);
  }
}
function words_of(e) {
  return e.textContent.trim().replace(/[:*]$/, "").trim();
}
function see(words) {
  const top = document.querySelector("account-hub-container");
  for (const e of shown(top)) {
    if (!["label", "button", "span", "a", "h1", "h2"].includes(e.localName)
        || words_of(e).toLowerCase() != words.toLowerCase())
      continue;
    const host = e.getRootNode().host;
    if (host && host.localName == "account-hub-select")
      return host.select;
    return e.control || e.closest("button") || e;
  }
  return null;
}
"""
SEES = SEE + "return see(arguments[0]) != null;"
CLICK = SEE + """
const e = see(arguments[0]);
if (!e || e.disabled)
  return false;
e.click();
return true;
"""
# Types into what has that label, or chooses there.
TYPE = SEE + """
const [label, value] = arguments;
const e = see(label);
if (!e)
  return "it is not there";
e.focus();
if (e.localName == "select") {
  const one = [...e.options].find(o => o.label == value || o.text == value);
  if (!one)
    return "it has " + [...e.options].map(o => o.label);
  e.value = one.value;
} else {
  e.value = value;
}
for (const what of ["input", "change"])
  e.dispatchEvent(new Event(what, { bubbles: true, composed: true }));
return "";
"""

OPEN = """
const [done] = arguments;
openAccountHub("MAIL").then(done);
"""

GET = """
const [done] = arguments;
const { MailServices } = ChromeUtils.importESModule(
  "resource:///modules/MailServices.sys.mjs");
const server = MailServices.accounts.allServers.find(s => s.type == "pop3");
const inbox = server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
MailServices.pop3.GetNewMail(null, {
  OnStartRunningUrl() {},
  OnStopRunningUrl(url, status) {
    done([status, [...inbox.messages].map(m => m.mime2DecodedSubject)]);
  },
}, inbox, server);
"""

# As the key Del does, and the trash is emptied.
DELETE = """
const [subject, done] = arguments;
const { MailServices } = ChromeUtils.importESModule(
  "resource:///modules/MailServices.sys.mjs");
const server = MailServices.accounts.allServers.find(s => s.type == "pop3");
const inbox = server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
const one = [...inbox.messages].find(m => m.mime2DecodedSubject == subject);
inbox.deleteMessages([one], null, true, false, {
  onStartCopy() {}, onProgress() {}, setMessageKey() {},
  getMessageId() { return null; }, onStopCopy(status) { done(status); },
}, false);
"""

# The password of the outgoing server is what would be asked for now.
SEND = """
const [to, subject, user, password, done] = arguments;
const { MailServices } = ChromeUtils.importESModule(
  "resource:///modules/MailServices.sys.mjs");
const identity = MailServices.accounts.defaultAccount.defaultIdentity;
const server = MailServices.outgoingServer.getServerByIdentity(identity);
const uri = "smtp://" + server.serverURI.host;
const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(
  Ci.nsILoginInfo);
login.init(uri, null, uri, user, password, "", "");
const fields = Cc["@mozilla.org/messengercompose/composefields;1"]
  .createInstance(Ci.nsIMsgCompFields);
fields.to = to;
fields.from = identity.email;
fields.subject = subject;
const send = Cc["@mozilla.org/messengercompose/send;1"].createInstance(
  Ci.nsIMsgSend);
Services.logins.searchLoginsAsync({ origin: uri }).then(old => {
  for (const x of old)
    Services.logins.removeLogin(x);
  return Services.logins.addLoginAsync(login);
}).then(() => send.createAndSendMessage(null, identity, "", fields, false,
  false, Ci.nsIMsgSend.nsMsgDeliverNow, null, "text/plain", "Olá.\\r\\n",
  null, null, {
    onStartSending() {}, onProgress() {}, onStatus() {}, onGetDraftFolderURI() {},
    onSendNotPerformed() { done("not performed"); },
    onTransportSecurityError() {},
    onStopSending(id, status) { done(status); },
  }, "", "", Ci.nsIMsgCompType.New)).catch(e => done(String(e)));
"""


class Hub(Thunderbird):
    def __init__(self, home, language="en-US"):
        self.start(home, {**ALONE, "intl.locale.requested": language})

    def script(self, text, *args):
        return self.say("WebDriver:ExecuteScript", {
            "script": text, "args": list(args)})["value"]

    def wait_for(self, text, *args):
        return self.say("WebDriver:ExecuteAsyncScript", {
            "script": text, "args": list(args)})["value"]

    def open(self):
        self.wait_for(OPEN)

    def see(self, words):
        wait_until(lambda: self.script(SEES, words), 30, 0.1)

    def click(self, words):
        """As soon as that can be pressed."""
        wait_until(lambda: self.script(CLICK, words), 30, 0.1)

    def type(self, label, value):
        self.see(label)
        said = self.script(TYPE, label, value)
        assert said == "", (label, value, said)

    def get_messages(self):
        """Whether all went well, and the subjects in the inbox."""
        status, subjects = self.wait_for(GET)
        return status == 0, sorted(subjects)

    def delete(self, subject):
        assert self.wait_for(DELETE, subject) == 0

    def send(self, to, subject, user, password):
        return self.wait_for(SEND, to, subject, user, password)
