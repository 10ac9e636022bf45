"""The parameters of wm_recorder."""

from wm_msgs.msg import Intervention

from wm_bags.storage.mcap_file import COMPRESSIONS
from wm_core.params import Param

CONTINUOUS, SNAPSHOT = "continuous", "snapshot"
DRIFT, SERVICE = "drift", "service"
INTERVENTIONS = {
    "limited": Intervention.LIMITED,
    "hold": Intervention.HOLD,
    "e_stop": Intervention.E_STOP,
    "person": Intervention.PERSON,
}

PARAMETERS = (
    Param("folder", "", "New folder for the bag; with mode snapshot, the folder of the bags"),
    Param("beside", False, "When the folder is there: record into a new one beside it, as a restarted recorder must"),
    Param("mode", CONTINUOUS, "snapshot: keep the last seconds in memory, write them on a trigger", choices=(CONTINUOUS, SNAPSHOT)),
    Param("rig", "two_cameras", "Camera rig whose cameras belong to a complete recording"),
    Param("colour_topic", "", "Colour topic of a camera, as {camera}/color/image_raw; empty: as wm_perception has it"),
    Param("depth_topic", "", "Depth topic of a camera; empty: as wm_perception has it"),
    Param("info_topic", "", "camera_info topic of a camera; empty: as wm_perception has it"),
    Param("all", False, "Record every topic that is not hidden"),
    Param("regex", "", "Record topics in whose names this is found"),
    Param("exclude", "", "Do not record topics in whose names this is found"),
    Param("compression", "none", "Of each chunk", choices=COMPRESSIONS),
    Param("max_bag_bytes", 0, "Begin another file at this size; 0: never", 0),
    Param("max_bag_seconds", 0.0, "[s] Begin another file after this time; 0: never", 0.0),
    Param("min_free_bytes", 1_000_000_000, "Stop before the disk has less left than this", 0),
    Param("max_waiting_bytes", 256_000_000, "Kept in memory for the disk at most; what comes beyond is dropped", 1_000_000),
    Param("before", 10.0, "[s] Snapshot: kept in memory, and written from before a trigger", 0.1, 3600.0),
    Param("after", 5.0, "[s] Snapshot: recorded on after the last trigger", 0.0, 3600.0),
    Param("max_ring_bytes", 512_000_000, "Snapshot: kept in memory at most", 1_000_000),
)  # fmt: skip
TRIGGERS = (DRIFT, "hold", "e_stop", "person")
