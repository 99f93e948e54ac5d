"""Signals as a terminal gives them."""

import signal


def hear_all():
    """What tests are run by may ignore signals, as nohup and "&" do; the programs that they call do not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
