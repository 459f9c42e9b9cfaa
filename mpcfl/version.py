"""The version of mpcfl, which all parties of a run must have in common."""

VERSION = "0.1.0"
