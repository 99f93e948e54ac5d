"""What the programs that run for long share: how they end early, and what they say of the time left."""

import argparse
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

INTERRUPTED = 130  # the exit code
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def escaped(error):
    """What an error says, in one line that a terminal shows as it is, whatever names of files are in it."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(error))


class Words(argparse.ArgumentParser):
    """Of a program whose docstring is its help. What is wrong is told in one line, as `escaped` has it."""

    def __init__(self, text):
        super().__init__(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message):
        super().error(escaped(message))


def end_no_more():
    """From here on no signal disturbs what is written."""
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)


def _end_once(*_):
    end_no_more()
    raise KeyboardInterrupt


def end_as_interrupted():
    """The first signal that asks to end raises KeyboardInterrupt; no other one disturbs what is written
    then. What the program was started to ignore, as by nohup, it goes on to ignore."""
    for each in ENDING:
        if signal.getsignal(each) != signal.SIG_IGN:
            signal.signal(each, _end_once)


def _say_no_more():
    """What standard output did not take is not tried again as Python ends, which would tell of it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def exit_with(main, name):
    """Ends the program `name` with main's exit code, or with a line of what it could not do."""
    try:
        code = main()
        print(end="", flush=True)
        sys.exit(code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        _say_no_more()
        sys.exit(1)  # the reader has seen enough, and not all
    except subprocess.CalledProcessError as error:
        sys.exit(escaped(f"{name}: {Path(error.cmd[0]).name} failed; its line above says why"))
    except OSError as error:
        if error.filename is None:
            _say_no_more()
        sys.exit(escaped(f"{name}: {error.filename or 'standard output'}: {error.strerror}"))


class Progress:
    """How much of `total` is done, and the time left: a guess from what is done."""

    def __init__(self, total, clock=time.monotonic):
        self.total, self.done, self.clock, self.begin = total, 0, clock, clock()

    def next(self):
        """"[3/115, 4 min left]", as the next piece begins."""
        left = "?"
        if self.done > 0:
            seconds = (self.clock() - self.begin) / self.done * (self.total - self.done)
            left = f"{seconds:.0f} s" if seconds < 90 else f"{math.ceil(seconds / 60)} min"
        self.done += 1
        return f"[{self.done}/{self.total}, {left} left]"
