"""Runs the client's coroutines where there is no event loop.

Decision: the client's logic is written once, as coroutines over a `Sender`. With a BlockingSender
nothing in them suspends, so one step runs each to its end. Price: whatever waits in the client must
wait through its Sender; a test runs every method both ways. Rejected: generated twin sources.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")


def run(work: Awaitable[T]) -> T:
    """What `work` answers; it must not wait for an event loop."""
    steps = work.__await__()
    try:
        next(steps)
    except StopIteration as done:
        return cast(T, done.value)
    raise AssertionError("a coroutine over a BlockingSender was suspended")


def iterate(items: AsyncIterator[T]) -> Iterator[T]:
    """The items as they come; pages behind them are fetched as they are needed."""
    try:
        while True:
            try:
                item = run(anext(items))
            except StopAsyncIteration:
                return
            yield item
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            run(close())


class Twin(Protocol):
    """Something whose methods are those of `core`, without await."""

    @property
    def core(self) -> Any: ...


class Blocking(Generic[P, T]):
    """`place = Blocking(Orders.place)`: the same method, its signature and types, without await."""

    def __init__(self, method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]) -> None:
        self.method = method
        self.__doc__ = method.__doc__

    def __get__(self, twin: Twin, _: type) -> Callable[P, T]:
        @wraps(self.method)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            return run(self.method(twin.core, *args, **kwargs))

        return cast("Callable[P, T]", call)


class Listing(Generic[P, T]):
    """The same of a method that answers an asynchronous iterator."""

    def __init__(self, method: Callable[Concatenate[Any, P], AsyncIterator[T]]) -> None:
        self.method = method
        self.__doc__ = method.__doc__

    def __get__(self, twin: Twin, _: type) -> Callable[P, Iterator[T]]:
        @wraps(self.method)
        def call(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
            return iterate(self.method(twin.core, *args, **kwargs))

        return cast("Callable[P, Iterator[T]]", call)
