"""What wakes a loop."""

from kit.alarm import Alarm

FAR_SECONDS = 3_600.0


async def test_it_rings_at_once_or_within_the_patience_it_was_given() -> None:
    for patience in (0.0, 0.01):
        alarm = Alarm()
        alarm.ring(patience)
        assert await alarm.wait(30)


async def test_without_a_ring_the_wait_ends_by_itself() -> None:
    assert not await Alarm().wait(0.01)


async def test_the_less_patient_ring_counts() -> None:
    alarm = Alarm()
    alarm.ring(FAR_SECONDS)
    alarm.ring(0.01)
    alarm.ring(FAR_SECONDS)

    assert await alarm.wait(30)


async def test_it_rings_patiently_again_and_again() -> None:
    alarm = Alarm()
    for _ in range(3):
        alarm.ring(0.01)
        assert await alarm.wait(30)
        alarm.clear()


async def test_what_is_answered_does_not_ring_later() -> None:
    alarm = Alarm()
    alarm.ring(0.01)
    alarm.clear()

    assert not await alarm.wait(0.1)
