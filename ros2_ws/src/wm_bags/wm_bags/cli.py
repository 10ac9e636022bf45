"""`python -m wm_bags.cli VERB`: everything `./wm` does with bags."""

import argparse
import sys

from wm_bags import bag_cli, record_cli, replay_cli

VERBS = (bag_cli, record_cli, replay_cli)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="wm", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for module in VERBS:
        module.add_parser(verbs)
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except ValueError as error:
        print(f"wm: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
