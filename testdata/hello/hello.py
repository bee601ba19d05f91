#!/usr/bin/env vpython
# /// script
# requires-python = ">=3.8"
# dependencies = ["greeting>=1.0", "shouting==2.*"]
# ///
"""Greets whoever is named, loudly. Its two dependencies are taken from `wheels/` beside it."""
import sys

from greeting import greet
from shouting import shout

print(shout(greet(" ".join(sys.argv[1:]) or "world")))
