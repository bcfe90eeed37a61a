"""What functions of an application do on their way that others of the same loop, thread, task or
context could tell: they wait, start tasks, cancel, call from one thread into another."""

from fuzz_compiled.values import Dice

# What is named in the source of applications.
PRELUDE = '''
import anyio, anyio.from_thread, anyio.to_thread, threading
from fastapi.concurrency import run_in_threadpool

lock = asyncio.Lock()

async def forever(word):
    try:
        await asyncio.Event().wait()
    finally:
        say("over", word)
'''

IN_COROUTINES = (
    *("await asyncio.sleep(0)", "await asyncio.sleep(0.002)", "await asyncio.shield(later('shielded'))"),
    "await asyncio.wait_for(later('in time'), 0.5)",
    "async with asyncio.timeout(0.001): await asyncio.sleep(0.5)",
    "async with lock: await asyncio.sleep(0)",
    "async with asyncio.TaskGroup() as group: group.create_task(later('grouped'))",
    "async with anyio.create_task_group() as group: group.start_soon(later, 'started')",
    "asyncio.get_running_loop().call_soon(say, 'soon'); await asyncio.sleep(0)",
    "say(await anyio.to_thread.run_sync(var.get))",
    "await run_in_threadpool(say, 'pool', var.get())",
    "say(asyncio.current_task().cancelling(), asyncio.current_task().uncancel())",
    "say(len(asyncio.all_tasks()) > 0, asyncio.current_task() in asyncio.all_tasks())",
    "asyncio.current_task().cancel(); await asyncio.sleep(0)",
    "asyncio.current_task().cancel('later')",
    "token = var.set('own'); await asyncio.sleep(0); var.reset(token)",
)
# Of several lines each.
BLOCKS = (
    ("with anyio.move_on_after(0.001) as scope:", "    await forever('moved on')", "say(scope.cancelled_caught)"),
    ("with anyio.CancelScope() as scope:", "    scope.cancel()", "    await asyncio.sleep(0)", "say(scope.cancel_called)"),
    ("with anyio.fail_after(0.001):", "    await anyio.sleep(0.5)"),
    ("asyncio.current_task().cancel()", "try:", "    await asyncio.sleep(0)", "except asyncio.CancelledError:",
     "    say('cancelled', asyncio.current_task().uncancel())"),
    # Whoever is cancelled meanwhile leaves no task to the garbage collector, which has its own time.
    ("task = asyncio.create_task(forever('task'))", "try:", "    await asyncio.sleep(0)", "finally:",
     "    task.cancel()", "await asyncio.wait([task])"),
    ("try:", "    async with asyncio.TaskGroup() as group:", "        group.create_task(forever('group'))",
     "        await asyncio.sleep(0)", "        raise Known('in group')", "except* Known as caught:", "    say(repr(caught))"),
)  # fmt: skip
# No timers: time passes only when no thread works.
IN_THREADS = (
    *("anyio.from_thread.run(later, 'from thread')", "say(anyio.from_thread.run_sync(var.get))"),
    *("anyio.from_thread.check_cancelled()", "say(threading.current_thread().name, var.get())"),
)


def lines(dice: Dice, word: str) -> list[str]:
    """Of a function that begins with `word`. Threads take their time."""
    if not dice.chance(0.07):
        return []
    if "async" not in word:
        return [dice.choice(IN_THREADS)]
    return list(dice.choice(BLOCKS)) if dice.chance(0.3) else [dice.choice(IN_COROUTINES)]
