"""A corner of this machine in which an administrator's commands are typed as they
stand in a page: what they change in /etc, /usr, /var, /srv, /home and /root is
kept in memory, and the loopback interface is the only network.  As root only.

There is no systemd: a program called systemctl starts and ends maloted and the
mail servers there, as the units of their packages do."""
import signal
import subprocess

from server import CTL, MALOTED, PATIENCE, TOP, wait_until

OVERLAID = "/etc /usr /var /srv /home /root".split()
BEGIN = r"""
mount -t tmpfs -o mode=755 memory /mnt
for folder in %s; do
	mkdir -p "/mnt/upper$folder" "/mnt/work$folder"
	mount -t overlay -o "lowerdir=$folder,upperdir=/mnt/upper$folder,workdir=/mnt/work$folder" \
		overlay "$folder"
done
mount -t tmpfs -o mode=755 run /run
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t proc proc /proc
ip link set lo up
hostname mail.example.org
touch /mnt/ready
trap : CHLD
while :; do sleep 3600 & wait; done
""" % " ".join(OVERLAID)

SYSTEMCTL = r"""#!/bin/bash
set -eu
verb=$1
unit=${@: -1}
end() {
	[ -e "$1" ] || return 0
	pid=$(cat "$1")
	kill "$pid" 2>/dev/null || return 0
	while [ -e "/proc/$pid/status" ] &&
		! grep -q '^State:.Z' "/proc/$pid/status"; do sleep 0.05; done
}
if [ "$verb-$unit" = reload-or-restart-maloted ]; then
	verb=restart
	malotectl status >/dev/null 2>&1 && exec malotectl reload
fi
case $verb-$unit in
restart-maloted|start-maloted|enable-maloted)
	end /run/maloted.pid
	mkdir -p /run/malote
	env -i STATE_DIRECTORY=/var/lib/malote setpriv --bounding-set \
		-all,+net_bind_service,+setuid,+setgid,+sys_chroot,+kill,+dac_read_search \
		/usr/sbin/maloted </dev/null >/dev/null 2>>/var/log/maloted &
	pid=$!
	echo $pid >/run/maloted.pid
	for i in $(seq 600); do
		grep -q "ev=ready pid=$pid " /var/log/maloted && exit 0
		sleep 0.05
	done
	cat /var/log/maloted
	exit 1;;
stop-maloted|disable-maloted) end /run/maloted.pid;;
enable-dovecot) mkdir -p /run/dovecot; exec dovecot </dev/null >/dev/null 2>&1;;
disable-dovecot)
	pid=$(cat /run/dovecot/master.pid)
	doveadm stop
	while [ -e "/proc/$pid" ]; do sleep 0.05; done;;
reload-postfix) postfix status 2>/dev/null && postfix reload || postfix start;;
restart-exim4|start-exim4)
	end /run/exim4/exim.pid
	mkdir -p /run/exim4
	chown Debian-exim: /run/exim4
	exec /usr/sbin/exim4 -bd -q30m -oP /run/exim4/exim.pid;;
esac
"""

# mail.example.org has a certificate, which all here trust.
CERTIFICATE = r"""
live=/etc/letsencrypt/live/mail.example.org
mkdir -p $live
openssl req -x509 -newkey rsa:2048 -nodes -days 30 \
	-subj /CN=mail.example.org -keyout $live/privkey.pem \
	-addext subjectAltName=DNS:mail.example.org -out $live/fullchain.pem
cp $live/fullchain.pem /usr/local/share/ca-certificates/test.crt
update-ca-certificates
echo '127.0.0.1 mail.example.org localhost' >/etc/hosts
"""


class Corner:
    def __init__(self):
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--net", "--uts", "--pid", "--fork",
             "--kill-child", "bash", "-ec", BEGIN],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        wait_until(lambda: self.run("test -e /mnt/ready",
                                    check=False).returncode == 0, 30)
        self.write("/usr/local/bin/systemctl", SYSTEMCTL, 0o755)
        # Where packages start something, they are told not to.
        self.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
        self.run("ln -sf %s /usr/sbin/maloted; ln -sf %s /usr/bin/malotectl; "
                 "systemd-sysusers %s/packaging/malote.sysusers.conf"
                 % (MALOTED, CTL, TOP))

    def first(self):
        """The id, here, of its first process."""
        path = "/proc/%d/task/%d/children" % ((self.process.pid,) * 2)
        with open(path) as f:
            return f.read().split()[0]

    def run(self, script, check=True, timeout=60, **more):
        """A shell of root in it; what it says is both outputs together."""
        try:
            inside = ["nsenter", "--target", self.first(), "--mount", "--net",
                      "--uts", "--pid"]
        except IndexError:
            inside = ["false"]
        done = subprocess.run(
            [*inside, "env", "-i", "HOME=/root", "LC_ALL=C.UTF-8",
             "DEBIAN_FRONTEND=noninteractive",
             "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
             "bash", "-ec", script], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=timeout * PATIENCE,
            check=False, **more)
        assert not check or done.returncode == 0, (script, done.stdout)
        return done

    def write(self, path, text, mode=0o644):
        self.run("cat >%s && chmod %o %s" % (path, mode, path), input=text)

    def off(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
