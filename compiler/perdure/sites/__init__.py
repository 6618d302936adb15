"""What drives the emitted code of a flow inside a bundle; the standard library and
`perdure.runtime` only.
"""
