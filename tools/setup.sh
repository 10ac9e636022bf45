# Sourced by ./wm: what is set up on first use. Each step leaves a stamp with a digest of its inputs once it is done, so
# an interrupted step is done again and a finished one is not.
# shellcheck shell=bash

WORKSPACE="$ROOT/ros2_ws"
if ros_is_sourced; then # beside what was set up for the wheels, so that both kinds of shell can be used in turn
    STATE="$ROOT/.wm/$ROS_DISTRO"
    BUILT="$STATE"
else
    STATE="$ROOT/.wm"
    BUILT="$WORKSPACE"
fi
VENV="$STATE/venv"

say() { printf '%s\n' "$*" >&2; }
warn() { say "warning: $*"; }
die() {
    say "error: $*"
    exit 1
}

# --- stamps and steps ------------------------------------------------------------------------------------------------

fresh() { # NAME INPUTS: whether the step was done with these inputs
    local path="$STATE/stamps/$1"
    [[ -f "$path" && "$(<"$path")" == "$2" ]]
}

write_stamp() { # NAME INPUTS
    mkdir -p "$STATE/stamps"
    printf '%s' "$2" >"$STATE/stamps/$1.new"
    mv "$STATE/stamps/$1.new" "$STATE/stamps/$1"
}

# A program that is killed half way may leave a folder that looks finished: the mark tells the next attempt.
begin() { mkdir -p "$STATE/stamps" && : >"$STATE/stamps/$1.begun"; }
ended() { rm -f "$STATE/stamps/$1.begun"; }
was_killed() { [[ -e "$STATE/stamps/$1.begun" ]]; }

step() { # NUMBER TITLE COMMAND...: runs COMMAND with its output in a log and says how long it took
    local label="[$1/5] $2" log="$STATE/log/step-$1.log" start=$SECONDS status=0 ticker=
    shift 2
    mkdir -p "$STATE/log"
    printf '%s ... ' "$label" >&2
    if [[ -t 2 ]]; then
        (while sleep 1 && kill -0 $$ 2>/dev/null; do printf '\r%s ... %s s ' "$label" $((SECONDS - start)) >&2; done) &
        ticker=$!
        # shellcheck disable=SC2064 # expanded now: this ticker
        trap "kill $ticker 2>/dev/null" EXIT
    fi
    "$@" >"$log" 2>&1 || status=$?
    if [[ -n "$ticker" ]]; then
        kill "$ticker" 2>/dev/null
        trap - EXIT
        printf '\r%s ... ' "$label" >&2
    fi
    if [[ $status != 0 ]]; then
        say "failed after $((SECONDS - start)) s; the end of $log:"
        tail -n 25 "$log" >&2
        return 1
    fi
    say "$((SECONDS - start)) s"
}

# --- 1: the machine and its Debian packages --------------------------------------------------------------------------

check_machine() {
    [[ "$(uname -s)-$(uname -m)" == Linux-x86_64 ]] || { [[ "$(uname -s)" == Linux ]] && ros_is_sourced; } ||
        die "wm runs on Linux x86-64, this is $(uname -s) $(uname -m); where ROS 2 is installed for it, source that first"
    local version
    version=$(getconf GNU_LIBC_VERSION 2>/dev/null) || die "wm needs the GNU C library (glibc) 2.28 or later; this system has another one (musl?): use Debian 12 or Ubuntu"
    version=${version#glibc }
    [[ "$(printf '%s\n' 2.28 "$version" | sort -V | head -n 1)" == 2.28 ]] || die "wm needs glibc 2.28 or later, this is $version"
}

system_packages() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$ROOT/packages.apt" | cut -d' ' -f1; }

missing_packages() {
    local installed package
    installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' 2>/dev/null)
    while read -r package; do
        grep -qx "$package installed" <<<"$installed" || printf '%s\n' "$package"
    done < <(system_packages)
}

install_packages() { # PREFIX... (empty or sudo): asks apt-get for what is missing
    local missing
    mapfile -t missing < <(missing_packages)
    "$@" apt-get update &&
        "$@" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
}

ensure_packages() {
    local missing prefix=()
    check_machine
    if ! command -v dpkg-query >/dev/null; then
        warn "this is not Debian or Ubuntu; wm needs what these packages hold: $(system_packages | paste -sd' ')"
        write_stamp packages "$1"
        return
    fi
    mapfile -t missing < <(missing_packages)
    if [[ ${#missing[@]} != 0 ]]; then
        if [[ "$(id -u)" != 0 ]]; then
            sudo -n true 2>/dev/null || {
                say "These Debian packages are missing: ${missing[*]}"
                say "Installing them needs root. Run this, then ./wm again:"
                say "    sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
                return 1
            }
            prefix=(sudo -n)
        fi
        step 1 "installing Debian packages: ${missing[*]}" install_packages "${prefix[@]}" || return
    fi
    write_stamp packages "$1"
}

# --- 2: the virtual environment --------------------------------------------------------------------------------------

# Prints the first Python that can be used: 3.10 to 3.13, with venv and C headers; with a sourced ROS 2, its rclpy.
find_python() {
    local candidate needed="ensurepip, venv, sysconfig, os, sys"
    local candidates=(python3 python3.12 python3.11 python3.13 python3.10 /usr/bin/python3)
    ros_is_sourced && needed+=", rclpy" && candidates=(/usr/bin/python3 "${candidates[@]}")
    for candidate in "${candidates[@]}"; do
        if "$candidate" -c "import $needed
assert (3, 10) <= sys.version_info < (3, 14)
assert os.path.exists(sysconfig.get_path('include') + '/Python.h')" >/dev/null 2>&1; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    return 1
}

venv_inputs() { printf '%s %s' "$ROOT" "$(readlink -f "$VENV/bin/python" || true)"; }

make_venv() { # what was built over the last one goes with it
    local options=()
    ros_is_sourced && options=(--system-site-packages)
    rm -rf "$VENV" "$STATE"/stamps/{package-*,requirements,development,benchmarks,pip.begun}
    rm -rf "$BUILT"/{build,install}
    "$1" -m venv "${options[@]}" "$VENV" && write_stamp venv "$(venv_inputs)"
}

ensure_venv() {
    local python
    python=$(find_python) || die "no Python 3.10 to 3.13 with venv and C headers found; install python3 python3-venv python3-dev"
    step 2 "creating ${VENV#"$ROOT/"} with $("$python" --version)" make_venv "$python"
}

# --- 3 and 5: Python packages ----------------------------------------------------------------------------------------

requirement_files() { # [development | benchmarks]
    if [[ "${1:-}" == development ]]; then
        printf '%s\n' requirements-dev.txt
    elif [[ "${1:-}" == benchmarks ]]; then
        printf '%s\n' requirements-bench.txt
    else
        printf '%s\n' requirements.txt requirements-colcon.txt
        ros_is_sourced || printf '%s\n' requirements-ros.txt
    fi
}

requirements_inputs() { # [development | benchmarks]
    local files
    mapfile -t files < <(requirement_files "${1:-}")
    (cd "$ROOT" && sha256sum "${files[@]}" constraints.txt)
}

# pybullet has no wheel for Python 3.12 and later. What is compiled here stays in WHEELS, for every virtual environment
# of this checkout that is made anew.
WHEELS="$ROOT/.wm/wheels"

no_pybullet() { # whether the virtual environment needs one that is compiled
    "$VENV/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' &&
        ! "$VENV/bin/python" -c 'import pybullet' 2>/dev/null
}

pybullet_wheel() { # prints the wheel of the pinned version for this Python; fails where there is none yet
    local version tag
    version=$(sed -n 's/^pybullet==//p' "$ROOT/constraints.txt")
    tag=$("$VENV/bin/python" -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
    compgen -G "$WHEELS/pybullet-$version-$tag-*.whl"
}

announce_compiling() {
    no_pybullet && ! pybullet_wheel >/dev/null || return 0
    say "$("$VENV/bin/python" --version) has no ready-made pybullet, so the next step compiles it: about 11 minutes of CPU time, only once."
    say "The result is kept in ${WHEELS#"$ROOT/"}. Python 3.10 and 3.11 need no compiling."
}

compile_pybullet() {
    no_pybullet || return 0
    local wheel made="$WHEELS.new"
    if ! wheel=$(pybullet_wheel); then
        rm -rf "$made"
        mkdir -p "$WHEELS" "$made"
        pip_install numpy setuptools || return # without numpy in sight it would hand out images as tuples
        # without debug information; gcc 14 refuses what earlier ones took
        CFLAGS="-O2 -g0 -Wno-error=incompatible-pointer-types" \
            pip_do wheel --no-build-isolation --no-cache-dir --no-deps --wheel-dir "$made" pybullet || return
        mv "$made"/pybullet-*.whl "$WHEELS" && rm -rf "$made" # never half a wheel in WHEELS
        wheel=$(pybullet_wheel) || return
    fi
    pip_install --no-deps "$wheel"
}

pip_do() { # COMMAND [arguments]
    local command=$1
    shift
    python -m pip "$command" --disable-pip-version-check --no-input -c constraints.txt "$@"
}
pip_install() { pip_do install "$@"; }

install_requirements() { # STAMP INPUTS [development | benchmarks]
    local file options=() status=0
    while read -r file; do options+=(-r "$file"); done < <(requirement_files "${3:-}")
    begin pip
    rm -f "$STATE/stamps/$1" # from here on the environment is neither what it was nor what it shall be
    (
        enter_venv
        cd "$ROOT" || return
        compile_pybullet && pip_install "${options[@]}" || return
        ros_is_sourced || python tools/mend_wheels.py
    ) || status=$?
    [[ $status -gt 128 ]] || ended pip # above: a signal
    [[ $status == 0 ]] || return
    write_stamp "$1" "$2"
}

# --- 4: the overlay --------------------------------------------------------------------------------------------------

# Fills the array `inputs` (package -> text) with what a rebuild depends on: the contents of the build files and
# interfaces, and the names of all other files but Python's (the build links files, so their contents may change).
read_build_inputs() {
    local digest path
    inputs=()
    while read -r digest path; do
        path=${path#./}
        inputs[${path%%/*}]+="$digest $path;"
    done < <(
        cd "$WORKSPACE/src" || exit
        find . -mindepth 2 \( -name '.*' -o -name __pycache__ -o -name '*.egg-info' \) -prune -o -type f \
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
        fresh "package-$package" "${inputs[$package]}" || printf '%s\n' "$package"
    done
}

build_packages() { # PACKAGE...: builds them all, also when one fails
    local -A inputs
    local package failed=()
    read_build_inputs # before the build: a file edited while it runs makes the package stale again
    for package in "$@"; do
        was_killed build && rm -rf "$BUILT/build/$package" "$BUILT/install/$package"
        rm -f "$BUILT/build/$package/colcon_build.rc"
    done
    begin build
    (
        enter_venv
        cd "$WORKSPACE" || return
        # colcon of this Python: the installed programs then start with it too, also where a ROS 2 distribution is sourced
        python -m colcon --log-base "$BUILT/log" --log-level error build --build-base "$BUILT/build" \
            --install-base "$BUILT/install" --symlink-install --continue-on-error --packages-select "$@" \
            --cmake-args -DBUILD_TESTING=OFF
    )
    ended build
    for package in "$@"; do
        if [[ "$(cat "$BUILT/build/$package/colcon_build.rc" 2>/dev/null)" == 0 ]]; then
            write_stamp "package-$package" "${inputs[$package]}"
        else
            failed+=("$package")
        fi
    done
    [[ ${#failed[@]} == 0 ]] || {
        echo "these packages did not build: ${failed[*]}"
        return 1
    }
}

# --- all of it -------------------------------------------------------------------------------------------------------

steps() { # [development | benchmarks]: does what is not done yet
    local inputs stale
    inputs=$(sha256sum "$ROOT/packages.apt")
    fresh packages "$inputs" || ensure_packages "$inputs" || return
    ! was_killed pip && fresh venv "$(venv_inputs)" || ensure_venv || return
    inputs=$(requirements_inputs)
    fresh requirements "$inputs" || {
        announce_compiling
        step 3 "installing Python packages (some minutes the first time)" install_requirements requirements "$inputs" || return
    }
    mapfile -t stale < <(stale_packages)
    [[ ${#stale[@]} == 0 ]] || step 4 "building ${stale[*]} (some minutes the first time, later only what changed)" build_packages "${stale[@]}" || return
    [[ -n "${1:-}" ]] || return 0
    inputs=$(requirements_inputs development)
    fresh development "$inputs" ||
        step 5 "installing the packages for tests and training" install_requirements development "$inputs" development || return
    [[ "$1" == benchmarks ]] || return 0
    inputs=$(requirements_inputs benchmarks)
    fresh benchmarks "$inputs" ||
        step 5 "installing what benchmarks compare with" install_requirements benchmarks "$inputs" benchmarks
}

is_set_up() { # [development | benchmarks]
    fresh packages "$(sha256sum "$ROOT/packages.apt")" && ! was_killed pip && fresh venv "$(venv_inputs)" &&
        fresh requirements "$(requirements_inputs)" && [[ -z "$(stale_packages)" ]] &&
        { [[ -z "${1:-}" ]] || fresh development "$(requirements_inputs development)"; } &&
        { [[ "${1:-}" != benchmarks ]] || fresh benchmarks "$(requirements_inputs benchmarks)"; }
}

set_up() { # [development | benchmarks]
    is_set_up "${1:-}" && return
    mkdir -p "$STATE"
    ( # one ./wm at a time; what another one did meanwhile is not done again
        exec 9>"$STATE/lock"
        flock -n 9 || { say "waiting for another ./wm to finish its setup" && flock 9; }
        steps "${1:-}"
    )
}
