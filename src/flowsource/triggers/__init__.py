"""What events make a deployment run: triggers as values, and pure functions that say when they fire."""

from __future__ import annotations

from flowsource.triggers.keeping import trigger_from_json, trigger_key, trigger_to_json
from flowsource.triggers.values import CompoundTrigger, EventTrigger, SequenceTrigger, Trigger

# As they are called in Prefect.
DeploymentEventTrigger = EventTrigger
DeploymentCompoundTrigger = CompoundTrigger
DeploymentSequenceTrigger = SequenceTrigger

__all__ = [
    "CompoundTrigger",
    "DeploymentCompoundTrigger",
    "DeploymentEventTrigger",
    "DeploymentSequenceTrigger",
    "EventTrigger",
    "SequenceTrigger",
    "Trigger",
    "trigger_from_json",
    "trigger_key",
    "trigger_to_json",
]
