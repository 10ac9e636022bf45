"""This machine: processor, memory, shared memory, clock."""

from collections.abc import Iterator

from wm_bringup.doctor.finding import ERROR, WARNING, Finding
from wm_bringup.doctor.observed import Machine, Observed

LOAD = 1.5  # processes that want to run, a core
SHM_WANTED, SHM_NEEDED = 500e6, 100e6  # [bytes] as ./wm doctor has it
MEMORY = 0.05  # share that is free
SUBJECT = "this machine"


def overloaded(machine: Machine) -> bool:
    return machine.load > LOAD * machine.cores


def processor(observed: Observed) -> Iterator[Finding]:
    machine = observed.machine
    if overloaded(machine):
        found = f"{machine.load:.1f} processes on {machine.cores} cores"
        remedy = "end what else runs, use more cores, smaller images or fewer cameras: late cycles hold the arm"
        yield Finding(WARNING, "load", SUBJECT, f"a load below {LOAD:g} a core", found, remedy)
    if "powersave" in machine.governors:
        remedy = "sudo cpupower frequency-set -g performance: clocking up costs milliseconds a cycle"
        yield Finding(WARNING, "governor", SUBJECT, "CPU governor performance", "powersave", remedy)


def memory(observed: Observed) -> Iterator[Finding]:
    machine = observed.machine
    if machine.shm_free < SHM_WANTED:
        yield Finding(
            ERROR if machine.shm_free < SHM_NEEDED else WARNING,
            "shared_memory",
            "/dev/shm",
            f"{SHM_WANTED / 1e6:.0f} MB free: images pass through it",
            f"{machine.shm_free / 1e6:.0f} MB",
            "end programs that were left over and remove their /dev/shm/fastrtps_*; in Docker: --shm-size=1g; else mount -o"
            " remount,size=1g /dev/shm",
        )
    if machine.memory_free < MEMORY:
        remedy = "end what else runs: swapping stops the arm"
        wanted, found = f"{100 * MEMORY:.0f} % of the memory free", f"{100 * machine.memory_free:.1f} %"
        yield Finding(WARNING, "memory", SUBJECT, wanted, found, remedy)


def clock(observed: Observed) -> Iterator[Finding]:
    if observed.machine.synchronised is False:
        remedy = "sudo apt-get install chrony (or timedatectl set-ntp true); needless only where all drivers run here"
        yield Finding(WARNING, "ntp", SUBJECT, "a clock that is synchronised", "the kernel says it is not", remedy)
