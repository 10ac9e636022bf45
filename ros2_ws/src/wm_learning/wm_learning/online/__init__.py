"""World models learned online, in any Gymnasium environment of vectors: collect, train, plan."""
