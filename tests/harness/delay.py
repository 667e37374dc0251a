"""A line with latency between a client and a server, that counts turns.

A turn is the client speaking after it was spoken to: what a round trip costs.
"""
import asyncio
import threading

from server import free_port


class Delay:
    """each_way: seconds in each direction.  cut: the line breaks after so many
    octets from the server; None: it does not."""

    def __init__(self, target, each_way=0.0, cut=None):
        self.target, self.each_way, self.cut = target, each_way, cut
        self.port = free_port()
        self.turns = self.connections = 0
        self.octets = {"client": 0, "server": 0}
        self.loop = asyncio.new_event_loop()
        self.server = self.loop.run_until_complete(
            asyncio.start_server(self._accept, "127.0.0.1", self.port))
        self.thread = threading.Thread(target=self.loop.run_forever,
                                       daemon=True)
        self.thread.start()

    def stop(self):
        def end():
            self.server.close()
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.call_later(0.05, self.loop.stop)
        self.loop.call_soon_threadsafe(end)
        self.thread.join(10)
        self.loop.close()

    def reset(self):
        self.turns = self.connections = 0
        self.octets = {"client": 0, "server": 0}

    async def _accept(self, reader, writer):
        self.connections += 1
        try:
            there = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        last = ["server"]
        ways = [asyncio.create_task(self._carry(*way, last)) for way in (
            ("client", reader, there[1]), ("server", there[0], writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_EXCEPTION)
        except asyncio.CancelledError:
            pass
        for task in ways:
            task.cancel()
        for end in (writer, there[1]):
            end.close()

    async def _carry(self, who, reader, writer, last):
        """Goes on reading while what was read before is still on its way."""
        queue = asyncio.Queue()
        writing = asyncio.create_task(self._deliver(queue, writer))
        try:
            while True:
                octets = await reader.read(65536)
                if octets and who == "client" and last[0] == "server":
                    self.turns += 1
                last[0] = who
                self.octets[who] += len(octets)
                over = self.cut is not None and who == "server" and \
                    self.octets[who] >= self.cut
                if over:
                    keep = len(octets) - (self.octets[who] - self.cut)
                    octets = octets[:max(0, keep)]
                due = self.loop.time() + self.each_way
                queue.put_nowait((due, octets))
                if over:
                    queue.put_nowait((due, b""))
                if over or not octets:
                    await writing
                    if over:
                        raise ConnectionResetError
                    return
        finally:
            writing.cancel()

    async def _deliver(self, queue, writer):
        while True:
            due, octets = await queue.get()
            await asyncio.sleep(max(0, due - self.loop.time()))
            if not octets:
                if writer.can_write_eof():
                    writer.write_eof()
                return
            writer.write(octets)
            await writer.drain()
