"""Methods that are served: each object gives its own results, whichever way it is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowsource.runner.requests import request_run
from tests.support.live import serving

pytestmark = pytest.mark.anyio

SCRIPT = """
from flowsource import flow

class Greeter:
    def __init__(self, word):
        self.word = word

    @flow
    def greet(self, name: str = "you"):
        return f"{self.word} {name}"

if __name__ == "__main__":
    from flowsource import serve
    hello, bye = Greeter("hello"), Greeter("bye")
"""
WAYS = {
    "together": "    serve(hello.greet.to_deployment('hello'), bye.greet.to_deployment('bye'))\n",
    "alone": "    bye.greet.serve('bye')\n",
}


async def test_two_objects_of_one_class_give_two_results(tmp_path: Path) -> None:
    results = {}
    for way, call in WAYS.items():
        script, home = tmp_path / f"{way}.py", tmp_path / way
        script.write_text(SCRIPT + call)
        async with serving(script, home) as server:
            for deployment in await server.store.deployments():
                run = await request_run(server.store, deployment.full_name, {"name": "Ada"})
                results[way, deployment.full_name] = (await server.until_final(run)).result
            await server.stop()
    assert results == {
        ("together", "greet/hello"): "hello Ada",
        ("together", "greet/bye"): "bye Ada",
        ("alone", "greet/bye"): "bye Ada",
    }
