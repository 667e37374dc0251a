"""Let's Encrypt on a machine (machine.py) that has no other network: Debian's
pebble.  It looks at port 80 of names that all are this machine's, as a server for
names (pebble-challtestsrv) says; and certbot asks it, where no other is named.
It is not to refuse one of twenty questions by chance, as it does to try clients.
"""
import json

from server import wait_until

SETTINGS = {"pebble": {
    "listenAddress": "127.0.0.1:14000",
    "managementListenAddress": "127.0.0.1:15000",
    "certificate": "/root/acme/cert.pem", "privateKey": "/root/acme/key.pem",
    "httpPort": 80, "tlsPort": 443, "ocspResponderURL": "",
    "externalAccountBindingRequired": False}}
ADDRESS = "https://127.0.0.1:14000/dir"
BEGIN = """cd /root/acme
    openssl req -x509 -newkey rsa:2048 -nodes -days 5 -subj /CN=pebble \
        -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem
    cp cert.pem /usr/local/share/ca-certificates/acme.crt
    update-ca-certificates
    systemd-run --unit names pebble-challtestsrv -defaultIPv4 $1 \
        -defaultIPv6 '' -http01 '' -https01 '' -tlsalpn01 '' \
        -dns01 127.0.0.1:53 -management 127.0.0.1:8055
    systemd-run --unit pebble --setenv=PEBBLE_VA_NOSLEEP=1 \
        --setenv=PEBBLE_WFE_NONCEREJECT=0 \
        pebble -config /root/acme/pebble.json -dnsserver 127.0.0.1:53
    mkdir -p /root/.config/letsencrypt
    echo 'server = %s' >/root/.config/letsencrypt/cli.ini
""" % ADDRESS


def start(host, address="127.0.0.1"):
    """address: that of all names."""
    host.run("mkdir /root/acme")
    host.write("/root/acme/pebble.json", json.dumps(SETTINGS))
    host.run("set -- %s\n%s" % (address, BEGIN))
    wait_until(lambda: host.run("exec 3<>/dev/tcp/127.0.0.1/14000",
                                check=False).returncode == 0, 30)


def trust(host):
    """All programs of the machine know whom it signs for."""
    host.run("curl -sS https://127.0.0.1:15000/roots/0 "
             ">/usr/local/share/ca-certificates/root.crt; "
             "update-ca-certificates")


def stop(host):
    host.run("systemctl stop pebble names; "
             "rm -r /root/acme /root/.config/letsencrypt "
             "/usr/local/share/ca-certificates/acme.crt; "
             "update-ca-certificates")
