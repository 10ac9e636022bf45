"""The data loop as one command: record, check, fine-tune, judge, promote, swap while the arm works; with a report."""
