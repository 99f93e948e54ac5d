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
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        _blame(path, error)
        raise


def _blame(path, error):
    """What the system says of a temporary name, or of none, is of `path`."""
    if isinstance(error, OSError):
        error.filename = str(path)


def write_folder(folder, files):
    """`files`: {name: text or bytes}. A new folder appears with all of them or not at all; in one that
    exists each file is replaced."""
    if folder.is_dir():
        for name, data in files.items():
            write(folder / name, data)
        return
    staging = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = type(folder)(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        staging.chmod(0o755)
        write_folder(staging, files)
        staging.rename(folder)
    except BaseException as error:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
        _blame(folder, error)
        raise
