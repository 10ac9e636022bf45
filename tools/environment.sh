# Sourced by ./wm: the environment in which everything of the workspace runs.
# shellcheck shell=bash

# True where a ROS 2 distribution is sourced; the wheels are used otherwise.
ros_is_sourced() {
    [[ -n "${ROS_DISTRO:-}" && -n "${AMENT_PREFIX_PATH:-}" ]] && command -v ros2 >/dev/null
}

# The virtual environment and, without a sourced ROS 2, the ROS wheels in it.
enter_venv() {
    export VIRTUAL_ENV="$VENV" PATH="$VENV/bin:$PATH"
    unset PYTHONHOME
    if ! ros_is_sourced; then
        export AMENT_PREFIX_PATH="$VENV" CMAKE_PREFIX_PATH="$VENV"
        # What the wheels' own .pth file would do at each start of Python, by executing it a second time.
        local libraries="$VENV/lib" folder
        for folder in "$VENV"/lib/python3.*/site-packages/ros_*.libs; do
            [[ -d "$folder" ]] && libraries+=":$folder"
        done
        export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
        export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
    fi
}

# What a distribution or a shell puts on PYTHONPATH comes ahead of a virtual environment's own: its pinocchio or numpy would be
# imported in place of the pinned one, and fail or differ. Those of the environment go first; what only PYTHONPATH has is still found.
own_packages_first() {
    [[ -n "${PYTHONPATH:-}" ]] || return 0
    local folder own=""
    for folder in "$VENV"/lib/python3.*/site-packages{,/cmeel.prefix/lib/python3.*/site-packages}; do
        [[ ! -d "$folder" ]] || own+="$folder:"
    done
    [[ "$PYTHONPATH:" == "$own"* ]] || export PYTHONPATH="$own$PYTHONPATH"
}

# The virtual environment, the built overlay, the Fast DDS profile, and one thread a process unless set otherwise.
enter_workspace() {
    enter_venv
    own_packages_first
    if [[ -f "$BUILT/install/local_setup.bash" ]]; then
        set +u
        # shellcheck source=/dev/null
        source "$BUILT/install/local_setup.bash"
        set -u
    fi
    local profile="$WORKSPACE/src/wm_bringup/config/fastdds.xml"
    if [[ -f "$profile" ]]; then # the first name is read by Jazzy, the second by later distributions
        export FASTRTPS_DEFAULT_PROFILES_FILE="${FASTRTPS_DEFAULT_PROFILES_FILE:-$profile}"
        export FASTDDS_DEFAULT_PROFILES_FILE="${FASTDDS_DEFAULT_PROFILES_FILE:-$profile}"
    fi
    export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
}
