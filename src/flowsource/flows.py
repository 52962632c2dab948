"""`@flow`: a Python function that can be called, loaded from where its code lives, and served."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Unpack

    from flowsource.deployments import DeploymentOptions
    from flowsource.runner.serving import RunnerDeployment
    from flowsource.sources import Source

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
Q = ParamSpec("Q")


class Flow(Generic[P, R]):
    """A function with a name, a description and validated parameters.

    Calling it is a function call: it returns what the function returns, raises what it raises, and needs no store, no
    network and no thread. A flow of an `async` function gives a coroutine, any other does not. `is_bound` says that
    it is the method of an instance.
    """

    is_bound = False

    def __init__(
        self,
        fn: Callable[P, R],
        *,
        name: str | None = None,
        description: str | None = None,
        validate_parameters: bool = True,
        log_prints: bool = False,
    ) -> None:
        """Make a flow of `fn`.

        `name` is by default the function's, with dashes; `description` its docstring. With `log_prints` what the flow
        prints in a served run becomes log records. Raises InvalidInput for a name that cannot be used, and for a
        callable of which Python does not know the parameters.
        """
        if not callable(fn):
            raise TypeError(f"a flow is made of a function or another callable, not of {fn!r}")
        if not isinstance(fn, FunctionType):
            _check_signature(fn)
        if name is not None:
            from flowsource.deployments import check_name

            check_name(name)
        own = getattr(fn, "__name__", None) or type(fn).__name__
        self._fn = fn
        self._name = name or ("unknown-lambda" if own == "<lambda>" else own.replace("_", "-"))
        self._description = description
        self._validates = validate_parameters
        self._log_prints = log_prints
        for attribute in ("__module__", "__qualname__", "__doc__"):
            if value := getattr(fn, attribute, None):
                setattr(self, attribute, value)

    @property
    def fn(self) -> Callable[P, R]:
        """The function itself."""
        return self._fn

    @property
    def name(self) -> str:
        """What people call the flow."""
        return self._name

    @property
    def should_validate_parameters(self) -> bool:
        """Whether a call coerces its arguments to the annotated types, and refuses those that do not fit."""
        return self._validates

    @property
    def log_prints(self) -> bool:
        """Whether what the flow prints in a served run becomes log records."""
        return self._log_prints

    @property
    def description(self) -> str | None:
        """What was given, else the docstring without its indentation."""
        if self._description is not None:
            return self._description
        from inspect import getdoc

        return getdoc(self.fn) if self.fn.__doc__ else None

    @property
    def parameter_schema(self) -> dict[str, Any]:
        """The JSON schema (draft 2020-12) of the parameters, as one object; raises InvalidInput when an annotation
        cannot be used."""
        from flowsource.parameters import parameters_of

        return parameters_of(self.fn).schema()

    def validate_parameters(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """`parameters` by name, coerced to the annotated types; raises InvalidParameters naming each that is wrong."""
        from flowsource.parameters import parameters_of

        return parameters_of(self.fn).validate(self.name, parameters)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function with validated parameters."""
        # Without arguments there is nothing to do but for defaults that pydantic's `Field` made, if it was imported.
        has_work = args or kwargs or "pydantic" in sys.modules
        if not (self.should_validate_parameters and has_work):
            return self.fn(*args, **kwargs)
        from flowsource.parameters import bind, parameters_of

        values = bind(self.fn, args, kwargs)
        if values is None:
            return self.fn(*args, **kwargs)
        positional, named = parameters_of(self.fn).arguments(self.validate_parameters(values))
        function: Callable[..., R] = self.fn  # The names were bound to its very signature.
        return function(*positional, **named)

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Flow[P, R]: ...
    @overload
    def __get__(self: Flow[Concatenate[S, Q], R], instance: S, owner: type[Any] | None = None) -> Flow[Q, R]: ...
    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Flow[Any, R]:
        """As a function would be: a flow of the method, bound to the instance, of its own."""
        if instance is None or not hasattr(self.fn, "__get__"):
            return self
        bound: Flow[Any, R] = self.with_options()
        bound._fn = self.fn.__get__(instance, owner)
        bound.is_bound = True
        return bound

    def with_options(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        validate_parameters: bool | None = None,
        log_prints: bool | None = None,
    ) -> Flow[P, R]:
        """A flow of the same function with some things said otherwise."""
        return Flow(
            self.fn,
            name=name or self.name,
            description=self._description if description is None else description,
            validate_parameters=self.should_validate_parameters if validate_parameters is None else validate_parameters,
            log_prints=self.log_prints if log_prints is None else log_prints,
        )

    def __repr__(self) -> str:
        return f"<Flow {self.name!r}>"

    @staticmethod
    def from_source(source: str | Path | Source, entrypoint: str) -> Flow[..., Any]:
        """The flow that `entrypoint` names in `source`, ready to be called or served.

        `source` is a local directory, the URL of a Git repository, or a source object such as `GitRepository`;
        `entrypoint` is `path/to/file.py:name` or `package.module.name` in it. The newest revision is fetched now
        (with the remote away, the one fetched last); its code is imported when the flow is called, and never by
        serving it. Raises SourceError, EntrypointMalformed or EntrypointFileMissing.
        """
        from flowsource.sourced import from_source

        return from_source(source, entrypoint)

    @staticmethod
    async def afrom_source(source: str | Path | Source, entrypoint: str) -> Flow[..., Any]:
        """As `from_source`, for use in a running event loop."""
        from flowsource.sourced import afrom_source

        return await afrom_source(source, entrypoint)

    def to_deployment(self, name: str | None = None, **options: Unpack[DeploymentOptions]) -> RunnerDeployment:
        """A deployment of this flow, to be given to `serve`. Nothing is registered until then.

        `name` is by default that of the function, with dashes. The options are those of `DeploymentOptions`. Raises
        InvalidInput.
        """
        from flowsource.runner.serving import deployment_of

        return deployment_of(self, name, **options)

    def serve(
        self,
        name: str | None = None,
        *,
        print_starting_message: bool = True,
        **options: Unpack[DeploymentOptions],
    ) -> None:
        """Serve a deployment of this flow: schedule its runs and execute each in a process of its own, until stopped.

        The options are those of `DeploymentOptions`. Raises InvalidInput, SourceError or EntrypointError before
        anything is registered.
        """
        from flowsource.runner.serving import deployment_of, serve

        deployment = deployment_of(self, name, **options)
        serve(deployment, limit=deployment.declared.limit or "cpus", print_starting_message=print_starting_message)

    async def aserve(
        self,
        name: str | None = None,
        *,
        print_starting_message: bool = True,
        **options: Unpack[DeploymentOptions],
    ) -> None:
        """As `serve`, for use in a running event loop; cancelling it ends it and the runs that go on at once."""
        from flowsource.runner.serving import aserve, deployment_of

        deployment = deployment_of(self, name, **options)
        await aserve(
            deployment,
            limit=deployment.declared.limit or "cpus",
            print_starting_message=print_starting_message,
        )


def _check_signature(fn: Callable[..., Any]) -> None:
    """Raise InvalidInput for a callable, such as some that are written in C, that does not tell its parameters."""
    import inspect

    try:
        inspect.signature(fn)
    except (TypeError, ValueError):
        from flowsource.errors import InvalidInput

        raise InvalidInput(
            f"{fn!r} does not tell its parameters, so that it cannot be a flow; make one of a function that calls it."
        ) from None


class FlowDecorator:
    """What `flow` is: a decorator, with or without arguments, that also loads flows from elsewhere."""

    from_source = staticmethod(Flow.from_source)
    afrom_source = staticmethod(Flow.afrom_source)

    @overload
    def __call__(self, fn: Callable[P, R], /) -> Flow[P, R]: ...
    @overload
    def __call__(
        self,
        fn: None = None,
        /,
        *,
        name: str | None = None,
        description: str | None = None,
        validate_parameters: bool = True,
        log_prints: bool = False,
    ) -> Callable[[Callable[P, R]], Flow[P, R]]: ...
    def __call__(
        self,
        fn: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        description: str | None = None,
        validate_parameters: bool = True,
        log_prints: bool = False,
    ) -> Any:
        """Make a flow of the decorated function; the arguments are those of `Flow`."""

        def decorate(fn: Callable[..., Any]) -> Flow[..., Any]:
            return Flow(
                fn, name=name, description=description, validate_parameters=validate_parameters, log_prints=log_prints
            )

        return decorate if fn is None else decorate(fn)


flow = FlowDecorator()
