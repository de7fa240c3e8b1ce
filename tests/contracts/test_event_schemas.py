"""What is said over Kafka stays readable: every event has a topic, every version its bytes."""

from collections.abc import Mapping

import pytest
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from kit.service import Service
from onebox.services import SERVICES
from tests.contracts.events import event_candidates, event_classes, topic_of
from tests.contracts.golden import Golden, as_content, goldens, newest, sample
from tests.contracts.services import built_services

GOLDENS = list(goldens())
CLASSES: Mapping[str, type[Message]] = {it.DESCRIPTOR.full_name: it for it in event_classes()}


@pytest.fixture(scope="module")
async def services(tmp_path_factory):
    async with built_services(tmp_path_factory.mktemp("services")) as services:
        yield services


def test_every_event_message_says_its_topic():
    without = [message.full_name for message in event_candidates() if not topic_of(message)]

    assert without == []


def test_a_topic_is_named_after_the_service_whose_package_it_is_in():
    names = {service.package: service.name for service in SERVICES}
    for message_class in CLASSES.values():
        _, package, *_ = message_class.DESCRIPTOR.full_name.split(".")
        assert topic_of(message_class.DESCRIPTOR).startswith(f"lockstock.{names[package]}.")


@pytest.mark.parametrize("golden", GOLDENS, ids=lambda golden: f"{golden.event}.{golden.version}")
def test_the_bytes_of_each_version_are_still_understood(golden: Golden):
    message = CLASSES[golden.event].FromString(golden.payload)

    assert as_content(message) == golden.content
    assert len(UnknownFieldSet(message)) == 0


def test_every_event_has_golden_bytes_of_what_it_is_now():
    behind = [
        event
        for event, message_class in CLASSES.items()
        if event not in newest() or newest()[event].content != as_content(sample(message_class))
    ]

    assert behind == [], "run `python -m tests.contracts.golden` (part of `make proto`)"


def test_no_event_that_was_ever_written_is_gone():
    assert {golden.event for golden in GOLDENS} - set(CLASSES) == set()


def test_what_a_service_handles_is_an_event_of_the_schemas(services: Mapping[str, Service]):
    unknown = [
        (name, handler.type)
        for name, service in services.items()
        for handler in service.handlers
        if handler.type not in CLASSES
    ]

    assert unknown == []


def test_a_service_publishes_only_events_of_its_own_package(services: Mapping[str, Service]):
    foreign = [
        (name, message_class.DESCRIPTOR.full_name)
        for name, service in services.items()
        for message_class in service.publishes
        if not message_class.DESCRIPTOR.full_name.startswith(f"lockstock.{service.package}.")
    ]

    assert foreign == []


def test_every_topic_is_made_by_the_service_that_owns_it(services: Mapping[str, Service]):
    made = {
        topic_of(message_class.DESCRIPTOR)
        for service in services.values()
        for message_class in service.publishes
    }

    assert made == {topic_of(message_class.DESCRIPTOR) for message_class in CLASSES.values()}


def test_every_service_but_the_owner_keeps_the_api_keys(services: Mapping[str, Service]):
    keeping = {
        name
        for name, service in services.items()
        if "lockstock.order.v1.ApiKeyChanged" in {handler.type for handler in service.handlers}
    }

    assert keeping == set(services) - {"order"}
