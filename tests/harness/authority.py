"""An authority that signs certificates of clients."""
import os
import subprocess

import pop3


class Authority:
    """Certificates for people, by the openssl program."""

    def __init__(self, folder, name="ca"):
        self.folder = os.path.join(folder, name)
        os.mkdir(self.folder)
        os.chmod(self.folder, 0o755)
        self.file("index", "")
        self.file("crlnumber", "01\n")
        self.file("cnf", "[ca]\ndefault_ca=x\n[x]\ndatabase=%s/index\n"
                  "crlnumber=%s/crlnumber\ndefault_md=sha256\n"
                  "default_crl_days=30\n[req]\ndistinguished_name=d\n[d]\n"
                  % (self.folder, self.folder))
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                     "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key",
                     "-out", "ca.pem", "-subj", "/CN=" + name, "-days", "30",
                     "-config", "cnf", "-addext",
                     "basicConstraints=critical,CA:TRUE", "-addext",
                     "keyUsage=critical,keyCertSign,cRLSign")
        os.chmod(self.path("ca.pem"), 0o644)

    def path(self, name):
        return os.path.join(self.folder, name)

    def file(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)

    def openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.folder, check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def make(self, name, subject, extension="", days=30, usage="clientAuth"):
        """A context that shows the certificate."""
        self.file(name + ".ext", "extendedKeyUsage=%s\n%s\n"
                  % (usage, extension))
        self.openssl("req", "-new", "-newkey", "ec", "-pkeyopt",
                     "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                     name + ".key", "-out", name + ".csr", "-subj", subject,
                     "-config", "cnf")
        self.openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem",
                     "-CAkey", "ca.key", "-CAcreateserial", "-out",
                     name + ".pem", "-days", str(days), "-extfile",
                     name + ".ext")
        return self.context(name)

    def context(self, name, **more):
        tls = pop3.context(**more)
        tls.load_cert_chain(self.path(name + ".pem"), self.path(name + ".key"))
        return tls

    def revoke(self, *names):
        for name in names:
            self.openssl("ca", "-config", "cnf", "-revoke", name + ".pem",
                         "-keyfile", "ca.key", "-cert", "ca.pem")
        self.openssl("ca", "-config", "cnf", "-gencrl", "-out", "crl.pem",
                     "-keyfile", "ca.key", "-cert", "ca.pem")
        os.chmod(self.path("crl.pem"), 0o644)
