"""From bags to model bundles: collect, dataset, train, export. The only wm package that imports torch."""
