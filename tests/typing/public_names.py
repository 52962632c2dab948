"""The package has the names it says, and a type checker sees a misspelt one."""

# pyright: strict
from __future__ import annotations

from typing import assert_type

import flowsource
from flowsource import FlowsourceError, GitCredentials

assert_type(flowsource.__version__, str)
assert_type(GitCredentials(access_token_env="REPO_TOKEN"), GitCredentials)
assert issubclass(FlowsourceError, Exception)

print(flowsource.Flwo)  # wrong
