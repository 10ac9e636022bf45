"""Publishing a recording again, and comparing what nodes computed with what was recorded."""
