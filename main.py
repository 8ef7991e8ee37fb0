"""The front door: compile every environment's charts and publish them as deploy/.

`cdk8s synth` runs it; it says on standard error what it did, because the cdk8s CLI swallows standard output.
Exit codes: 0 done, 1 the definition or the tree is wrong, 3 something that it needs is missing or failed.
"""

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path

from synth import ROOT
from synth.explain import explained
from synth.node import end, leave, start


def main(root: Path = ROOT, when_compiled: Callable[[], None] = lambda: None) -> int:
    """Compile the charts that can be imported and publish them below `root`; the exit code."""
    gc.disable()  # The process ends before there is anything to collect.
    try:
        start()
        from charts.compose import compile_platform
        from synth.publish import publish, summary

        tree = compile_platform(dist=os.environ.get("CDK8S_OUTDIR"))
        when_compiled()
        print(summary(tree, publish(tree, root)), file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if (known := explained(error, root)) is None:
            raise
        print(known, file=sys.stderr)
        return known.exit_code
    return 0


if __name__ == "__main__":
    leave(main(when_compiled=end))
