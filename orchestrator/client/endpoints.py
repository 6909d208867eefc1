"""Endpoints described once, and typed for the client that waits and for the one that is awaited.

class Variables(Noun[M]):
    @endpoint("GET", "/v1/variables/{name}")
    def get(self, name: str, **read: Unpack[ReadOptions]) -> Call[Variable]:
        return Call(Variable, {"name": name}, query=read)

Client(…).variables.get        (name: str, **read) -> Variable
AsyncClient(…).variables.get   (name: str, **read) -> Coroutine[Any, Any, Variable]
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

from orchestrator.client.addresses import Addresses
from orchestrator.client.attempts import Tries
from orchestrator.client.calls import Call
from orchestrator.client.exchanging import Step, Told

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Sync:
    """Marks a client whose calls return what came."""


class Async:
    """Marks a client whose calls are awaited."""


M = TypeVar("M", bound=Sync | Async)
Program = Generator[Step, Told, T]


class Acting(Protocol):
    """What carries calls out, for one of the two clients."""

    @property
    def addresses(self) -> Addresses: ...

    @property
    def tries(self) -> Tries: ...

    def run(self, call: Call[Any]) -> Any: ...

    def work(self, program: Callable[[float], Program[Any]]) -> Any: ...

    def iterate(self, program: Callable[[float], Program[Any]]) -> Any: ...


class Noun(Generic[M]):
    """Calls that belong together."""

    def __init__(self, acting: Acting) -> None:
        self.acting = acting


class Endpoint(Generic[P, T]):
    """A method that is described once and typed for both clients."""

    def __init__(self, method: str, template: str, describe: Callable[Concatenate[Any, P], Call[T]]) -> None:
        self.method, self.template = method, template
        self._describe = describe
        self.__doc__ = describe.__doc__

    def call(self, noun: Any, *args: P.args, **kwargs: P.kwargs) -> Call[T]:
        return self._describe(noun, *args, **kwargs).bound(self.method, self.template)

    @overload
    def __get__(self, noun: None, owner: Any) -> "Endpoint[P, T]": ...
    @overload
    def __get__(self, noun: Noun[Sync], owner: Any) -> Callable[P, T]: ...
    @overload
    def __get__(self, noun: Noun[Async], owner: Any) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, noun: Any, owner: Any) -> Any:
        if noun is None:
            return self

        def calling(*args: P.args, **kwargs: P.kwargs) -> Any:
            return noun.acting.run(self.call(noun, *args, **kwargs))

        calling.__doc__, calling.__name__ = self.__doc__, self._describe.__name__
        calling.__wrapped__ = self._describe.__get__(noun)  # type: ignore[attr-defined]  # for inspect.signature
        return calling


class endpoint:  # noqa: N801 - a decorator
    """One operation of the API."""

    def __init__(self, method: str, template: str) -> None:
        self._method, self._template = method, template

    def __call__(self, describe: Callable[Concatenate[Any, P], Call[T]]) -> Endpoint[P, T]:
        return Endpoint(self._method, self._template, describe)


class Each(Generic[P, T]):
    """A method that iterates: its program emits the items. `operations`: those of the API that it asks."""

    def __init__(self, describe: Callable[Concatenate[Any, P], "Emitting[T]"], operations: tuple[str, ...]) -> None:
        self._describe = describe
        self.operations = operations
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, noun: None, owner: Any) -> "Each[P, T]": ...
    @overload
    def __get__(self, noun: Noun[Sync], owner: Any) -> Callable[P, Generator[T, None, None]]: ...
    @overload
    def __get__(self, noun: Noun[Async], owner: Any) -> Callable[P, AsyncGenerator[T, None]]: ...
    def __get__(self, noun: Any, owner: Any) -> Any:
        if noun is None:
            return self

        def iterating(*args: P.args, **kwargs: P.kwargs) -> Any:
            return noun.acting.iterate(self._describe(noun, *args, **kwargs).program)

        iterating.__doc__ = self.__doc__
        iterating.__wrapped__ = self._describe.__get__(noun)  # type: ignore[attr-defined]
        return iterating


class Emitting(Generic[T_co]):
    """A program that emits items of one type; it is told the time at which it begins."""

    def __init__(self, program: Callable[[float], Program[None]]) -> None:
        self.program = program


def each(*operations: str) -> Callable[[Callable[Concatenate[Any, P], Emitting[T]]], Each[P, T]]:
    """A method that iterates, over these operations: `GET /v1/watch`."""

    def of(describe: Callable[Concatenate[Any, P], Emitting[T]]) -> Each[P, T]:
        return Each(describe, operations)

    return of


class Worked(Generic[P, T]):
    """A method that takes several requests: a program with a value."""

    def __init__(self, describe: Callable[Concatenate[Any, P], "Working[T]"]) -> None:
        self._describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, noun: None, owner: Any) -> "Worked[P, T]": ...
    @overload
    def __get__(self, noun: Noun[Sync], owner: Any) -> Callable[P, T]: ...
    @overload
    def __get__(self, noun: Noun[Async], owner: Any) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, noun: Any, owner: Any) -> Any:
        if noun is None:
            return self

        def working(*args: P.args, **kwargs: P.kwargs) -> Any:
            return noun.acting.work(self._describe(noun, *args, **kwargs).program)

        working.__doc__ = self.__doc__
        working.__wrapped__ = self._describe.__get__(noun)  # type: ignore[attr-defined]
        return working


class Working(Generic[T_co]):
    """A program with a value of one type."""

    def __init__(self, program: Callable[[float], Program[T_co]]) -> None:
        self.program = program


def worked(describe: Callable[Concatenate[Any, P], Working[T]]) -> Worked[P, T]:
    """A method that takes several requests."""
    return Worked(describe)
