"""What every store promises. A store's tests subclass this and supply the fixture `store`."""

from __future__ import annotations

from tests.store.added_triggers_contract import TriggersOfPeople
from tests.store.attempts_contract import AttemptsContract
from tests.store.cancelling_contract import CancellingContract
from tests.store.claiming_contract import Claiming
from tests.store.creating_contract import Creating
from tests.store.deleting_contract import DeletingContract
from tests.store.events_contract import EventsContract
from tests.store.finding_contract import Finding
from tests.store.forgetting_contract import ForgettingContract
from tests.store.line_search_contract import LineSearch
from tests.store.listening_contract import Listening
from tests.store.logging_contract import Logging
from tests.store.loss_contract import LossContract
from tests.store.moving_contract import Moving
from tests.store.nesting_contract import NestingContract
from tests.store.paging_contract import PagingContract
from tests.store.presence_contract import Presence
from tests.store.promoting_contract import PromotingContract
from tests.store.pruning_contract import PruningContract
from tests.store.registering_contract import Registering
from tests.store.rerunning_contract import Rerunning
from tests.store.scheduling_contract import Scheduling
from tests.store.sessions_contract import SessionsContract
from tests.store.source_contract import SourceStoreContract
from tests.store.tokens_contract import TokensContract
from tests.store.triggering_contract import TriggeringContract
from tests.store.turns_contract import TurnsContract
from tests.store.waiting_contract import WaitingContract


class StoreContract(
    Registering,
    Presence,
    Creating,
    Claiming,
    Moving,
    Finding,
    Logging,
    LineSearch,
    Listening,
    PromotingContract,
    AttemptsContract,
    CancellingContract,
    NestingContract,
    LossContract,
    TurnsContract,
    EventsContract,
    Scheduling,
    PagingContract,
    PruningContract,
    ForgettingContract,
    DeletingContract,
    TriggeringContract,
    TriggersOfPeople,
    WaitingContract,
    TokensContract,
    SessionsContract,
    SourceStoreContract,
    Rerunning,
):
    """All of it."""
