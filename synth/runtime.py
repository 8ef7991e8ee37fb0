"""The former place of `synth.node` and `synth.explain`."""

from synth.explain import explained
from synth.node import end, leave, start, use_pinned_node

__all__ = ["end", "explained", "leave", "start", "use_pinned_node"]
