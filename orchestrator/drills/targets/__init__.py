"""Plants that can be drilled, a module each, named as `--target` names it.

Each has `open_target(options: TargetOptions) -> Target`. It is imported when it is asked for: ssh and the lab are no
part of what every installation needs.
"""
