# Sourced by ./wm: what is set up on first use, each step only when its inputs changed.
# shellcheck shell=bash

STATE="$ROOT/.wm"
VENV="$STATE/venv"
WORKSPACE="$ROOT/ros2_ws"

say() { printf '%s\n' "$*" >&2; }
warn() { say "warning: $*"; }
die() {
    say "error: $*"
    exit 1
}

# --- the overlay -----------------------------------------------------------------------------------------------------

# Fills the array `inputs` (package -> text) with what a rebuild depends on: the contents of the build files and
# interfaces, and the names of all other files but Python's (the build links files, so their contents may change).
read_build_inputs() {
    local digest path
    inputs=()
    while read -r digest path; do
        path=${path#./}
        inputs[${path%%/*}]+="$digest $path;"
    done < <(
        cd "$WORKSPACE/src"
        find . \( -name '.*' -o -name __pycache__ -o -name '*.egg-info' \) ! -name . -prune -o -type f \
            ! -name '*.py' ! -name '*.pyc' -printf 'name %p\n' | LC_ALL=C sort
        find . -mindepth 2 -type f \( -name package.xml -o -name setup.py -o -name setup.cfg -o -name CMakeLists.txt \
            -o -name '*.msg' -o -name '*.srv' -o -name '*.action' \) -print0 | LC_ALL=C sort -z | xargs -0r sha256sum
    )
}

# Prints the packages of ros2_ws/src whose inputs are not those of their last successful build.
stale_packages() {
    local -A inputs
    local package
    read_build_inputs
    for package in "${!inputs[@]}"; do
        [[ -f "$WORKSPACE/src/$package/package.xml" ]] || continue
        [[ "$(cat "$STATE/stamps/package-$package" 2>/dev/null)" == "${inputs[$package]}" ]] || printf '%s\n' "$package"
    done
}

build_overlay() {
    local -A inputs
    local package failed=()
    read_build_inputs # before the build: a file edited while it runs makes the package stale again
    ( # colcon's own settings would leak into the caller
        enter_venv
        cd "$WORKSPACE"
        colcon --log-level error build --symlink-install --continue-on-error --packages-select "$@" \
            --cmake-args -DBUILD_TESTING=OFF
    ) || true
    for package in "$@"; do
        if [[ "$(cat "$WORKSPACE/build/$package/colcon_build.rc" 2>/dev/null)" == 0 ]]; then
            write_stamp "package-$package" "${inputs[$package]}"
        else
            failed+=("$package")
        fi
    done
    [[ ${#failed[@]} == 0 ]] || { say "these packages did not build: ${failed[*]}"; return 1; }
}

write_stamp() {
    mkdir -p "$STATE/stamps"
    printf '%s' "$2" >"$STATE/stamps/$1.new"
    mv "$STATE/stamps/$1.new" "$STATE/stamps/$1"
}

set_up() {
    local stale
    mapfile -t stale < <(stale_packages)
    [[ ${#stale[@]} == 0 ]] && return
    ( # one ./wm at a time; what the other one did needs no second time
        mkdir -p "$STATE"
        exec 9>"$STATE/lock"
        flock -n 9 || { say "waiting for another ./wm to finish its setup"; flock 9; }
        mapfile -t stale < <(stale_packages)
        [[ ${#stale[@]} == 0 ]] || build_overlay "${stale[@]}" 9>&-
    )
}
