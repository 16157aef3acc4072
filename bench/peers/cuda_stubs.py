#!/usr/bin/env python3
"""Makes stand-ins for the CUDA libraries that a torch from the package index links.

usage: cuda_stubs.py SITE_PACKAGES

torch for Linux links the CUDA libraries even where it only ever computes on the CPU; without them
it does not load, and with them it takes 3 GB more. Each stand-in carries the name, the symbol version
and the symbols that torch's libraries look for; calling one ends the program. Only code for a GPU
calls them. Where the real library is installed, nothing is made.
"""

import pathlib
import subprocess
import sys

# Name of the library -> (symbol version, None where it has none; how its unversioned names begin).
LIBRARIES = {
    "libcublas.so.13": ("libcublas.so.13", None),
    "libcublasLt.so.13": ("libcublasLt.so.13", None),
    "libcudnn.so.9": ("libcudnn.so.9", None),
    "libnvrtc.so.13": ("libnvrtc.so.13", None),
    "libcusparse.so.12": ("libcusparse.so.12", None),
    "libcusparseLt.so.0": (None, ("cusparseLt",)),
    "libcufft.so.12": ("libcufft.so.12", None),
    "libnccl.so.2": (None, ("nccl", "pnccl")),
    "libnvshmem_host.so.3": ("NVSHMEM", None),
}


def undefined_symbols(folder: pathlib.Path) -> set[tuple[str, str]]:
    """(name, version or "") of what the libraries in `folder` look for elsewhere."""
    found = set()
    for library in folder.glob("libtorch*.so"):
        listing = subprocess.run(["nm", "-D", "--undefined-only", library], check=True,
                                 capture_output=True, text=True).stdout
        for line in listing.splitlines():
            name, _, version = line.split()[-1].partition("@")
            found.add((name, version))
    return found


def make_stub(path: pathlib.Path, symbols: list[str], version: str | None):
    code = "".join(f"void {name}(void) {{ __builtin_trap(); }}\n" for name in symbols)
    command = ["gcc", "-shared", "-fPIC", "-w", "-x", "c", "-", f"-Wl,-soname,{path.name}",
               "-o", path]
    if version:
        script = path.with_suffix(".map")
        script.write_text(f"{version} {{ global: *; }};\n")
        command.append(f"-Wl,--version-script={script}")
    subprocess.run(command, input=code, text=True, check=True)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: cuda_stubs.py SITE_PACKAGES")
    packages = pathlib.Path(sys.argv[1])
    folder = packages / "torch" / "lib"
    if not folder.is_dir():
        sys.exit(f"cuda_stubs.py: {folder}: not there; install torch first")
    wanted = undefined_symbols(folder)
    for name, (version, prefixes) in LIBRARIES.items():
        if any(packages.glob(f"nvidia/*/lib/{name}")) or (folder / name).exists():
            continue
        symbols = sorted(
            symbol for symbol, of in wanted
            if (of == version if version else not of and symbol.startswith(prefixes))
        )
        make_stub(folder / name, symbols, version)


if __name__ == "__main__":
    main()
