"""A read or a write that nobody waits for any more comes to its end all the same, and is only begun once."""

import asyncio

import pytest

from diffava_server.rpc.whole_operations import WholeOperations


class Context:
    """Operations that end when told to, as those of gRPC do when their call ends."""

    def __init__(self):
        self.may_end = asyncio.Event()
        self.ended = []

    async def read(self):
        await self.may_end.wait()
        self.ended.append("read")
        return b"a message"

    async def write(self, message):
        await self.may_end.wait()
        self.ended.append(message)
        raise RuntimeError("the call has ended")

    def peer(self):
        return "ipv4:127.0.0.1:1"


def test_what_is_read_and_what_fails_is_passed_on():
    async def scenario():
        context = Context()
        whole = WholeOperations(context)
        context.may_end.set()
        assert await whole.read() == b"a message"
        with pytest.raises(RuntimeError, match="the call has ended"):
            await whole.write("audio")
        assert whole.peer() == "ipv4:127.0.0.1:1"

    asyncio.run(scenario())


@pytest.mark.parametrize(("name", "arguments", "ended"), [("read", (), ["read"]), ("write", ("audio",), ["audio"])])
def test_one_that_is_left_comes_to_its_end_without_a_complaint(name, arguments, ended):
    complaints = []

    async def scenario():
        asyncio.get_running_loop().set_exception_handler(lambda loop, told: complaints.append(told))
        context = Context()
        waiting = asyncio.create_task(getattr(WholeOperations(context), name)(*arguments))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert context.ended == []
        context.may_end.set()
        for _ in range(3):
            await asyncio.sleep(0)
        assert context.ended == ended

    asyncio.run(scenario())
    assert complaints == []


def test_a_read_that_times_out_is_left_too():
    async def scenario():
        context = Context()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await WholeOperations(context).read()
        context.may_end.set()
        for _ in range(3):
            await asyncio.sleep(0)
        assert context.ended == ["read"]

    asyncio.run(scenario())
