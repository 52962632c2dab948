"""What may be done with a token: decided before the store is asked, and for a runner over its answer as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowsource.errors import NotAllowed, NotFound
from flowsource.store.http.rules import Rule, rule_of, thing_of, things_in
from flowsource.store.protocol import Store
from flowsource.store.values import Things
from flowsource.tokens import Token


async def permitted(store: Store, token: Token, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with which the method `name` is to be called for who has `token`; raises NotAllowed."""
    rule = rule_of(name)
    given = dict(arguments)
    if rule.stamped and not token.may("admin"):
        # Whatever was sent in its place: nobody registers in the name of another.
        given["owner"] = token.name
    if token.may(rule.people):
        return given
    if rule.theirs is None or not token.may("runner"):
        raise NotAllowed(
            f"the token {token.name!r} ({', '.join(token.scopes)}) is not for {name.replace('_', ' ')!r}; "
            f"that needs the scope {rule.people}. `flowsource server token create` makes another."
        )
    await _require_own(store, token.name, things_in(given, rule.theirs))
    if rule.timed:
        # Or the leases of all others would be over whenever it says so.
        given["now"] = min(given["now"], store.now())
    return given


async def visible(store: Store, token: Token, name: str, answer: Any) -> Any:
    """What of `answer` who has `token` may see; raises NotFound for a single thing of somebody else."""
    rule = rule_of(name)
    if rule.answers is None or token.may(rule.people):
        return answer
    is_single = not isinstance(answer, list | set)
    items = [answer] if is_single else list(answer)
    own = await _own(store, token.name, rule, items)
    if not is_single:
        return type(answer)(own)
    if not own:
        raise NotFound("there is no such thing among those of the token.")
    return answer


async def _require_own(store: Store, owner: str, things: Things) -> None:
    if things == Things():
        return
    others = await store.not_owned(owner, things)
    if others != Things():
        what = next(name for name in ("runners", "deployments", "runs", "sources") if getattr(others, name))
        raise NotAllowed(f"among the {what} are some that do not belong to the token {owner!r}.")


async def _own(store: Store, owner: str, rule: Rule, items: list[Any]) -> list[Any]:
    assert rule.answers is not None
    path, belonging = rule.answers
    ids = [thing_of(item, path) for item in items]
    others = getattr(await store.not_owned(owner, Things(**{belonging: tuple(dict.fromkeys(ids))})), belonging)
    return [item for item, one in zip(items, ids, strict=True) if one not in others]
