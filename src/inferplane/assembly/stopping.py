"""How a process of ours is asked to stop."""

import asyncio
import signal


def stop_on_signals() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; the second one kills, as its sender expects. For the running event loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stopped(number: int) -> None:
        stop.set()
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped, number)
    return stop
