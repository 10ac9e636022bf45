#!/usr/bin/env bash
# `wm` in the images: ./wm of the workspace, after the ROS 2 distribution of the base, where it has one.
set -eo pipefail
if [[ -n "${ROS_DISTRO:-}" && -f "/opt/ros/$ROS_DISTRO/setup.bash" ]]; then
    # shellcheck source=/dev/null
    source "/opt/ros/$ROS_DISTRO/setup.bash"
fi
exec "${WM_WORKSPACE:-/opt/wm}/wm" "$@"
