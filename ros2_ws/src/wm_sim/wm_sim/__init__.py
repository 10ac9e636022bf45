"""The simulated arm: PyBullet worlds as a ROS node and as Gymnasium environments."""
