"""Objects of open files on their way to other processes, which open the files again.

h5py and netCDF4 refuse to pickle theirs, since a handle means nothing elsewhere. Files that are
read can be opened again by their name.
"""

from __future__ import annotations

import copyreg
import os
import sys
from typing import Any

_taught: set[str] = set()


def teach_pickle() -> bool:
    """Teach pickle the objects of the libraries that are loaded; whether there are any, so that
    what another thread has just taught it is tried again too."""
    for library, register in (("h5py", _teach_h5py), ("netCDF4", _teach_netcdf4)):
        if library in sys.modules and library not in _taught:
            register(sys.modules[library])
            _taught.add(library)
    return bool(_taught)


def _teach_h5py(h5py: Any) -> None:
    for kind in (h5py.File, h5py.Group, h5py.Dataset):
        copyreg.pickle(kind, _of_hdf5)


def _of_hdf5(obj: Any) -> tuple[Any, ...]:
    """How an HDF5 file, or what is in it, is opened again.

    Raises
    ------
    TypeError
        If the file is open for writing, or is none that has a name.
    """
    file = obj.file
    if file.mode != "r":
        raise TypeError(
            f"objects of the HDF5 file {file.filename!r} cannot be sent to other processes, since "
            f"it is open for writing (mode {file.mode!r}): open it with mode='r'"
        )
    if file.driver in ("core", "fileobj"):
        raise TypeError("an HDF5 file in memory cannot be sent to other processes: use a file")
    return _opened_hdf5, (os.path.abspath(file.filename), None if obj == file else obj.name)


def _opened_hdf5(path: str, name: str | None) -> Any:
    import h5py

    file = h5py.File(path, "r")
    return file if name is None else file[name]


def _teach_netcdf4(netcdf4: Any) -> None:
    for kind in (netcdf4.Dataset, netcdf4.Group, netcdf4.Variable):
        copyreg.pickle(kind, _of_netcdf4)


def _of_netcdf4(obj: Any) -> tuple[Any, ...]:
    """How a netCDF file, or a group or variable in it, is opened again; it is opened to be read."""
    group = obj.group() if hasattr(obj, "group") else obj
    variable = obj.name if group is not obj else None
    return _opened_netcdf4, (os.path.abspath(group.filepath()), group.path, variable)


def _opened_netcdf4(path: str, group: str, variable: str | None) -> Any:
    import netCDF4

    found = netCDF4.Dataset(path, "r")
    if group.strip("/"):
        found = found[group]
    return found if variable is None else found.variables[variable]
