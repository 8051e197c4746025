"""Does to the chart what `helm` would do, by Helm's own engine. tests/it/deploy/chart.rs asks it.

chart.py lint CHART         values as JSON on standard input; a report as JSON
chart.py render CHART       the same; the rendered documents by the paths of their templates
chart.py package CHART OUT  the path of an archive in the folder OUT
"""

import json
import sys

import helm_python as helm


def main(task, chart, *rest):
    if task == "package":
        return helm.package(chart, destination=rest[0])
    values = json.load(sys.stdin)
    if task == "lint":
        return helm.lint(chart, values, strict=True)
    with helm.Chart.load(chart) as loaded:
        loaded.validate_schema(values)
        return loaded.render(values, name="test", namespace="monitoring")


try:
    json.dump(main(*sys.argv[1:]), sys.stdout)
except helm.HelmError as error:
    sys.exit(f"{error}")
