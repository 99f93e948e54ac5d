"""Writing files so that no reader finds half of one."""

import os
import shutil
import tempfile


def write(path, data):
    """`data`, text or bytes, appears under `path` complete or not at all."""
    if isinstance(data, str):
        data = data.encode()
    temporary = path.with_name(f".{path.name}.part")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_folder(folder, files):
    """`files`: {name: text or bytes}. A new folder appears with all of them or not at all; in one that
    exists each file is replaced."""
    if folder.is_dir():
        for name, data in files.items():
            write(folder / name, data)
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = type(folder)(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        staging.chmod(0o755)
        write_folder(staging, files)
        staging.rename(folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
