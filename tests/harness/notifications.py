#!/usr/bin/python3
"""A desktop that is notified: the service org.freedesktop.Notifications of the
session bus, as its specification has it.  Needs python3-gi.

    notifications.py FILE      appends a line of JSON for each notice
"""
import json
import sys

from gi.repository import Gio, GLib

NAME = "org.freedesktop.Notifications"
XML = """<node><interface name="%s">
<method name="GetCapabilities"><arg type="as" direction="out"/></method>
<method name="GetServerInformation"><arg type="s" direction="out"/>
<arg type="s" direction="out"/><arg type="s" direction="out"/>
<arg type="s" direction="out"/></method>
<method name="Notify"><arg type="s" direction="in"/>
<arg type="u" direction="in"/><arg type="s" direction="in"/>
<arg type="s" direction="in"/><arg type="s" direction="in"/>
<arg type="as" direction="in"/><arg type="a{sv}" direction="in"/>
<arg type="i" direction="in"/><arg type="u" direction="out"/></method>
<signal name="NotificationClosed"><arg type="u"/><arg type="u"/></signal>
</interface></node>""" % NAME


def called(_bus, _sender, _path, _interface, method, args, invocation):
    answers = {
        "GetCapabilities": ("(as)", (["body", "body-markup"],)),
        "GetServerInformation": ("(ssss)", ("test", "test", "1", "1.2")),
        "Notify": ("(u)", (1,))}
    if method == "Notify":
        app, _, _, title, body, *_ = args.unpack()
        with open(sys.argv[1], "a") as f:
            f.write(json.dumps([app, title, body]) + "\n")
    invocation.return_value(GLib.Variant(*answers[method]))


def acquired(bus, _name):
    node = Gio.DBusNodeInfo.new_for_xml(XML)
    bus.register_object("/org/freedesktop/Notifications",
                        node.interfaces[0], called, None, None)


Gio.bus_own_name(Gio.BusType.SESSION, NAME, Gio.BusNameOwnerFlags.NONE,
                 acquired, None, None)
GLib.MainLoop().run()
