"""The domain letters, which kills itself at a step of its first transaction:

    python dying.py begun|before_offsets|before_commit|committed

Its producer is one that passes that step as it is and then ends the process with SIGKILL."""

import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import letters  # noqa: E402

POINT = sys.argv.pop(1)


class Dying(letters.Producer):
    def at(self, point):
        if point == POINT:
            # What was produced is on the broker, as it may be in any case.
            self.flush(30)
            os.kill(os.getpid(), signal.SIGKILL)

    def begin_transaction(self):
        super().begin_transaction()
        self.at("begun")

    def send_offsets_to_transaction(self, *arguments):
        self.at("before_offsets")
        super().send_offsets_to_transaction(*arguments)

    def commit_transaction(self, *arguments):
        self.at("before_commit")
        super().commit_transaction(*arguments)
        self.at("committed")


letters.Producer = Dying
sys.exit(letters.main())
