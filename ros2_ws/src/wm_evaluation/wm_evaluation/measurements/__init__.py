"""Each module measures one property of bundles and returns a Section."""
