"""The real spice-gtk client without a screen, telling what it does.

Prints one JSON object per line; "event" says of what kind, "t" when (in seconds):
  connect          ok                      the session started to connect
  channel-new      channel                 e.g. "display:0"
  channel          channel, what, error    what: "opened", "closed", "error-link", ...
  channel-gone     channel
  migration-state  state, host, port       state: "none", "connecting", "migrating", ...
  address          host, port              where the session now belongs
  disconnected                             the session has ended (not told if a
                                           channel error is all that happened)
  quit                                     standard input said "quit" or ended
"""
import argparse
import json
import os
import sys
import threading
import time

# Standard output is for the events alone. GLib logs there too: let it use stderr.
events = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import gi  # noqa: E402

gi.require_version("SpiceClientGLib", "2.0")
from gi.repository import GLib, GObject, SpiceClientGLib  # noqa: E402

# Sessions and channels have a method connect() of their own, which hides this one.
on = GObject.Object.connect

MAIN = 1
NAMES = {MAIN: "main", 2: "display", 3: "inputs", 4: "cursor", 5: "playback", 6: "record",
         8: "smartcard", 9: "usbredir", 10: "port", 11: "webdav"}

started = time.monotonic()


def tell(event, **members):
    members.update(event=event, t=round(time.monotonic() - started, 3))
    print(json.dumps(members), file=events, flush=True)


def label(channel):
    kind = channel.get_property("channel-type")
    return "%s:%d" % (NAMES.get(kind, kind), channel.get_property("channel-id"))


def address(session):
    return {"host": session.get_property("host"), "port": session.get_property("port")}


def main():
    parser = argparse.ArgumentParser(prog="spice_gtk.py")
    parser.add_argument("host")
    parser.add_argument("port")
    parser.add_argument("--password")
    parser.add_argument("--main-only", action="store_true", help="connect no other channel")
    parser.add_argument("--seconds", type=int, default=300, help="longest time to run")
    options = parser.parse_args()

    session = SpiceClientGLib.Session()
    session.set_property("host", options.host)
    session.set_property("port", options.port)
    if options.password is not None:
        session.set_property("password", options.password)
    loop = GLib.MainLoop()
    quitting = False

    known = address(session)

    def look():
        """A migration changes the address without a signal: compare."""
        nonlocal known
        now = address(session)
        if now != known:
            known = now
            tell("address", **now)
        return True

    def channel_event(channel, what):
        look()
        error = channel.get_error()
        tell("channel", channel=label(channel), what=what.value_nick,
             error=error.message if error else None)

    def channel_new(_session, channel):
        tell("channel-new", channel=label(channel))
        on(channel, "channel-event", channel_event)
        # The session connects its main channel by itself.
        if channel.get_property("channel-type") != MAIN and not options.main_only:
            channel.connect()

    def migration_state(session, _property):
        look()
        state = session.get_property("migration-state").value_nick
        tell("migration-state", state=state, **address(session))

    def disconnected(_session):
        tell("disconnected")
        if quitting:
            loop.quit()

    on(session, "channel-new", channel_new)
    on(session, "channel-destroy", lambda _, channel: tell("channel-gone", channel=label(channel)))
    on(session, "disconnected", disconnected)
    on(session, "notify::migration-state", migration_state)
    GLib.timeout_add(20, look)

    def finish():
        nonlocal quitting
        quitting = True
        tell("quit")
        GLib.timeout_add(1000, loop.quit)  # in case "disconnected" does not come
        session.disconnect()

    def commands():
        for line in sys.stdin:
            if line.strip() == "quit":
                break
        GLib.idle_add(finish)

    threading.Thread(target=commands, daemon=True).start()
    GLib.timeout_add_seconds(options.seconds, loop.quit)
    tell("connect", ok=session.connect())
    loop.run()


main()
