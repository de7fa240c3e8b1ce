import os

from kit.randomness import random_bytes


def test_pieces_have_their_size_and_differ():
    pieces = [random_bytes(size) for size in (0, 1, 12, 16, 4_096) for _ in range(3)]

    assert [len(piece) for piece in pieces] == [0] * 3 + [1] * 3 + [12] * 3 + [16] * 3 + [4_096] * 3
    long = [piece for piece in pieces if len(piece) > 8]
    assert len(set(long)) == len(long)


def test_a_forked_process_gives_out_other_bytes():
    random_bytes(1)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, random_bytes(32))
        os._exit(0)
    own = random_bytes(32)
    os.waitpid(child, 0)

    assert os.read(reading, 64) != own
