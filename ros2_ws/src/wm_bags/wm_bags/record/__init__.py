"""The recorder: subscriptions, a queue that never blocks, the last seconds in memory."""
