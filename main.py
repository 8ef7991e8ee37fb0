"""The front door: compile every environment's charts and publish them as deploy/.

`cdk8s synth` runs it; it says on standard error what it did, because the cdk8s CLI swallows standard output.
Exit codes: 0 done, 1 the definition or the tree is wrong, 3 something that it needs is missing or failed.
"""

import gc
import os
import sys
from pathlib import Path

from synth import ROOT
from synth.unchanged import Look, unchanged_files


def main(root: Path = ROOT) -> int:
    """Make deploy/ below `root` what the charts give, say what changed, and remember it; the exit code."""
    output = os.environ.get("CDK8S_OUTDIR")
    look = Look(root, output)
    if look.files is not None:
        print(unchanged_files(look.files), file=sys.stderr)
        return 0
    code, said = compiled(root, output, look)
    print(said, file=sys.stderr)
    return code


def compiled(root: Path, output: str | None = None, look: Look | None = None) -> tuple[int, str]:
    """Compile the charts that can be imported and publish them below `root`: the exit code, and what to say.

    With a `look` at what there was before, this is remembered for the next run, and Node ends.
    """
    from synth.explain import explained
    from synth.node import end, start

    try:
        start()
        from charts.compose import compile_platform
        from synth.publish import publish, remember, summary

        tree = compile_platform(dist=output)
        if look:
            end()
        differences = publish(tree, root)
        if look:
            remember(look, tree, root, differences)
    except KeyboardInterrupt:
        return 130, "interrupted"
    except (Exception, SystemExit) as error:
        if (known := explained(error, root)) is None:
            raise
        return known.exit_code, str(known)
    return 0, summary(tree, differences)


if __name__ == "__main__":
    gc.disable()  # The process ends before there is anything to collect.
    code = main()
    if "synth.node" not in sys.modules:
        sys.exit(code)
    from synth.node import leave

    leave(code)
