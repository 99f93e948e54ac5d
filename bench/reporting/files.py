"""Writing files so that no reader finds half of one."""

import os


def write(path, data):
    """`data`, text or bytes, appears under `path` complete or not at all."""
    if isinstance(data, str):
        data = data.encode()
    temporary = path.with_name(f".{path.name}.part")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
