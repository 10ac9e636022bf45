"""A trained model as a bundle: graphs, weights, bundle.yaml."""
