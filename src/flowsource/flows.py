"""`@flow`: a Python function that can be called, loaded from where its code lives, and served."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypedDict, TypeVar, overload

from flowsource.calling.calls import call_flow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Unpack

    from flowsource.deployments import DeploymentOptions
    from flowsource.retries import RetryPolicy
    from flowsource.runner.serving import RunnerDeployment
    from flowsource.sources import Source

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
Q = ParamSpec("Q")
Hook = Callable[[Any, Any, Any], Any]
HookT = TypeVar("HookT", bound=Hook)


class FlowOptions(TypedDict, total=False):
    """What `flow`, `Flow` and `with_options` take by keyword; all may be left out, and None means the default.

    `name` is by default the function's, with dashes; `description` its docstring; `version` the revision it is from.
    `flow_run_name` names its runs: a template over the parameters such as `"load-{day}"`, or a function without
    parameters. With `validate_parameters` (the default) arguments are coerced to the annotated types, and refused when
    they do not fit. With `log_prints` what the flow prints becomes log records; left out, that is as in the flow that
    calls it.

    A flow that fails is executed again up to `retries` times, after `retry_delay_seconds`: a number, a list with one
    for each retry (the last one holds for those beyond), or a function that returns such a list, given the number of
    retries. Each delay grows by up to `retry_jitter_factor` times itself, by chance. `retry_on` says what is worth
    it: one or more types of exceptions, or a function that is asked `(flow, flow_run, state)` after each failure
    (`state.error` is the exception). A flow that took too long is executed again as one that raised TimeoutError; the
    function is not asked, since nobody is there to ask it.

    `timeout_seconds` is how long an attempt may take from its first line on. A run that is served is ended from
    outside, whatever it does. Called directly, an async flow is cancelled and raises TimeoutError; any other cannot be
    interrupted in one's own process, and is left alone.

    `on_running`, `on_completion`, `on_failure`, `on_cancellation` and `on_crashed` are lists of functions that are
    called with `(flow, flow_run, state)` on that occasion; what they raise is logged and changes nothing.
    """

    name: str | None
    description: str | None
    version: str | None
    flow_run_name: str | Callable[[], str] | None
    retries: int | None
    retry_delay_seconds: float | Sequence[float] | Callable[[int], Sequence[float]] | None
    retry_jitter_factor: float | None
    retry_on: type[BaseException] | Sequence[type[BaseException]] | Hook | None
    timeout_seconds: float | None
    validate_parameters: bool | None
    log_prints: bool | None
    on_running: Sequence[Hook] | None
    on_completion: Sequence[Hook] | None
    on_failure: Sequence[Hook] | None
    on_cancellation: Sequence[Hook] | None
    on_crashed: Sequence[Hook] | None


class Flow(Generic[P, R]):
    """A function with a name, a description and validated parameters.

    Calling it is a function call: it returns what the function returns, raises what it raises, and needs no store, no
    network and no thread. A flow of an `async` function gives a coroutine, any other does not. `bound_to` is the
    instance (or class) whose method it is; None for a function.
    """

    bound_to: object | None = None

    def __init__(self, fn: Callable[P, R], **options: Unpack[FlowOptions]) -> None:
        """Make a flow of `fn`; the options are those of `FlowOptions`.

        Raises InvalidInput for an option that cannot be used, and for a callable of which Python does not know the
        parameters.
        """
        if not callable(fn) and not isinstance(fn, classmethod):
            raise TypeError(f"a flow is made of a function or another callable, not of {fn!r}")
        function: Any = fn.__func__ if isinstance(fn, classmethod | staticmethod) else fn
        if not isinstance(function, FunctionType):
            _check_signature(function)
        if options:
            from flowsource.flow_options import check_flow_options

            check_flow_options(options, FlowOptions.__annotations__)
        self._fn: Callable[P, R] = function
        self._way_to_bind: type[Any] | None = type(fn) if fn is not function else None
        self._options: FlowOptions = options
        self._hooks: dict[str, tuple[Hook, ...]] = _hooks_in(options) if options else {}
        for attribute in ("__module__", "__qualname__", "__doc__"):
            if value := getattr(function, attribute, None):
                setattr(self, attribute, value)

    @property
    def _itself(self) -> Flow[P, R]:
        """Where the options and the function are; elsewhere only for a flow that is still to be imported."""
        return self

    @property
    def fn(self) -> Callable[P, R]:
        """The function itself."""
        return self._itself._fn

    @property
    def name(self) -> str:
        """What people call the flow."""
        return self._itself._options.get("name") or _name_of(self.fn)

    @property
    def version(self) -> str | None:
        """What was given; None follows the revision."""
        return self._itself._options.get("version")

    @property
    def flow_run_name(self) -> str | Callable[[], str] | None:
        """What its runs are named by: a template over the parameters, or a function; None for two words by chance."""
        return self._itself._options.get("flow_run_name")

    @property
    def retry_policy(self) -> RetryPolicy | None:
        """When a flow that failed is executed again; None for never."""
        options = self._itself._options
        if not options.get("retries"):
            return None
        from flowsource.retries import retry_policy

        delay, factor = options.get("retry_delay_seconds"), options.get("retry_jitter_factor")
        return retry_policy(options.get("retries"), delay, factor, options.get("retry_on"))

    @property
    def retries(self) -> int:
        """How often a flow that failed is executed again."""
        return self._itself._options.get("retries") or 0

    @property
    def timeout_seconds(self) -> float | None:
        """How long an attempt may take; None for no limit."""
        return self._itself._options.get("timeout_seconds")

    @property
    def should_validate_parameters(self) -> bool:
        """Whether a call coerces its arguments to the annotated types, and refuses those that do not fit."""
        return self._itself._options.get("validate_parameters") is not False

    @property
    def log_prints(self) -> bool:
        """Whether what the flow prints becomes log records."""
        return self._itself._options.get("log_prints") is True

    @property
    def hooks(self) -> Mapping[str, tuple[Hook, ...]]:
        """What is called on which occasion (`running`, `completion`, ...); those with nothing to call are left out."""
        return self._itself._hooks

    @property
    def description(self) -> str | None:
        """What was given, else the docstring without its indentation."""
        given = self._itself._options.get("description")
        if given is not None:
            return given
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
        result: R = call_flow(self, args, kwargs)
        return result

    def _arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """What the function is to be called with; raises InvalidParameters, or TypeError as a call does."""
        # Without arguments there is nothing to do but for defaults that pydantic's `Field` made, if it was imported.
        has_work = args or kwargs or "pydantic" in sys.modules
        if not (self.should_validate_parameters and has_work):
            return args, kwargs
        from flowsource.parameters import bind, parameters_of

        values = bind(self.fn, args, kwargs)
        if values is None:
            return args, kwargs
        return parameters_of(self.fn).arguments(self.validate_parameters(values))

    @property
    def _is_plain(self) -> bool:
        """Whether a call of it is nothing but a call of the function."""
        options: Mapping[str, Any] = self._itself._options
        return not (self.hooks or self._tells_of_calls or (options and any(map(options.get, _WATCHED))))

    @property
    def _tells_of_calls(self) -> bool:
        """Whether a direct call tells that it began and ended even when nothing is logged in between."""
        return self.log_prints

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Flow[P, R]: ...
    @overload
    def __get__(self: Flow[Concatenate[S, Q], R], instance: S, owner: type[Any] | None = None) -> Flow[Q, R]: ...
    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Flow[Any, R]:
        """As a function would be: a flow of the method, bound to the instance, of its own."""
        binds_to = owner if self._way_to_bind is classmethod else instance
        if binds_to is None or self._way_to_bind is staticmethod or not hasattr(self.fn, "__get__"):
            return self
        bound: Flow[Any, R] = self.with_options()
        bound._fn = self.fn.__get__(binds_to, type(binds_to))
        bound.bound_to = binds_to
        return bound

    def with_options(self, **options: Unpack[FlowOptions]) -> Flow[P, R]:
        """A flow of the same function with some things said otherwise; what is not given stays as it is.

        Raises InvalidInput for an option that cannot be used.
        """
        # A copy of whatever it is, so that what a method is bound to stays, and nothing is told of the old one.
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        if options:
            from flowsource.flow_options import check_flow_options

            check_flow_options(options, FlowOptions.__annotations__)
        other._options = {**self._options, **options}
        other._hooks = {
            occasion: hooks for occasion, hooks in self._hooks.items() if f"on_{occasion}" not in options
        } | _hooks_in(options)
        return other

    def on_running(self, hook: HookT) -> HookT:
        """Have `hook(flow, flow_run, state)` called whenever a run of this flow begins. A decorator."""
        return self._hooked("running", hook)

    def on_completion(self, hook: HookT) -> HookT:
        """Have `hook(flow, flow_run, state)` called whenever a run of this flow completes. A decorator."""
        return self._hooked("completion", hook)

    def on_failure(self, hook: HookT) -> HookT:
        """Have `hook(flow, flow_run, state)` called whenever a run of this flow fails, or times out. A decorator."""
        return self._hooked("failure", hook)

    def on_cancellation(self, hook: HookT) -> HookT:
        """Have `hook(flow, flow_run, state)` called whenever a run of this flow is cancelled. A decorator."""
        return self._hooked("cancellation", hook)

    def on_crashed(self, hook: HookT) -> HookT:
        """Have `hook(flow, flow_run, state)` called whenever a run of this flow crashes. A decorator."""
        return self._hooked("crashed", hook)

    def _hooked(self, occasion: str, hook: HookT) -> HookT:
        from flowsource.flow_options import check_hooks

        check_hooks(f"on_{occasion}", [hook])
        self._hooks[occasion] = (*self._hooks.get(occasion, ()), hook)
        return hook

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
        webserver: bool = True,
        log_format: str | None = None,
        store: str | None = None,
        **options: Unpack[DeploymentOptions],
    ) -> None:
        """Serve a deployment of this flow: schedule its runs and execute each in a process of its own, until stopped.

        The options are those of `DeploymentOptions`. With `webserver` there is a dashboard, for this machine alone.
        `log_format` ("text" or "json": how what happens is told on standard error) and `store` (the address of the
        store) win over the settings of these names. Raises InvalidInput, InvalidSettings, SourceError or
        EntrypointError before anything is registered.
        """
        from flowsource.runner.serving import deployment_of, serve

        deployment = deployment_of(self, name, **options)
        serve(
            deployment,
            limit=deployment.declared.limit or "cpus",
            print_starting_message=print_starting_message,
            webserver=webserver,
            log_format=log_format,
            store=store,
        )

    async def aserve(
        self,
        name: str | None = None,
        *,
        print_starting_message: bool = True,
        webserver: bool = True,
        log_format: str | None = None,
        store: str | None = None,
        **options: Unpack[DeploymentOptions],
    ) -> None:
        """As `serve`, for use in a running event loop; cancelling it ends it and the runs that go on at once."""
        from flowsource.runner.serving import aserve, deployment_of

        deployment = deployment_of(self, name, **options)
        await aserve(
            deployment,
            limit=deployment.declared.limit or "cpus",
            print_starting_message=print_starting_message,
            webserver=webserver,
            log_format=log_format,
            store=store,
        )


# The occasions of `flowsource.hooks`, which a flow without hooks does not import.
_OCCASIONS = ("running", "completion", "failure", "cancellation", "crashed")
_WATCHED = ("retries", "timeout_seconds", "flow_run_name")


def _hooks_in(options: Mapping[str, Any]) -> dict[str, tuple[Hook, ...]]:
    given = {occasion: options.get(f"on_{occasion}") for occasion in _OCCASIONS}
    return {occasion: tuple(hooks) for occasion, hooks in given.items() if hooks}


def _name_of(fn: Callable[..., Any]) -> str:
    """What a flow of `fn` is called where nobody said: as the function, or what that was made of, or its class."""
    named: Any = fn
    while not hasattr(named, "__name__") and hasattr(named, "func"):
        named = named.func  # As that of a functools.partial.
    own = getattr(named, "__name__", None) or type(named).__name__
    return "unknown-lambda" if own == "<lambda>" else own.replace("_", "-")


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
        self, fn: None = None, /, **options: Unpack[FlowOptions]
    ) -> Callable[[Callable[P, R]], Flow[P, R]]: ...
    def __call__(self, fn: Callable[..., Any] | None = None, /, **options: Unpack[FlowOptions]) -> Any:
        """Make a flow of the decorated function; the options are those of `FlowOptions`."""

        def decorate(fn: Callable[..., Any]) -> Flow[..., Any]:
            return Flow(fn, **options)

        return decorate if fn is None else decorate(fn)


flow = FlowDecorator()
