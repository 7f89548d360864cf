"""/metrics, by Prometheus's own parsers."""

import unittest
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

import target

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def get(accept):
    request = urllib.request.Request(target.METRICS, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=target.PATIENCE) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def labels(sample):
    """OpenMetrics writes the bound of a bucket as 1.0, the older text as 1."""
    return tuple(sorted((key, float(value) if key == "le" else value) for key, value in sample.labels.items()))


class Metrics(unittest.TestCase):
    def test_both_formats_parse_and_say_the_same(self):
        text_type, text = get("text/plain")
        open_type, openmetrics = get(OPENMETRICS)
        self.assertTrue(text_type.startswith("text/plain; version=0.0.4"), text_type)
        self.assertTrue(open_type.startswith("application/openmetrics-text; version=1.0.0"), open_type)
        names = []
        for parse, page in [(parse_text, text), (parse_openmetrics, openmetrics)]:
            samples = {
                (sample.name, labels(sample))
                for family in parse(page)
                for sample in family.samples
                if sample.name.startswith("polywire_server") and not sample.name.endswith("_created")
            }
            names.append(samples)
        self.assertGreater(len(names[0]), 10)
        self.assertEqual(names[0], names[1])


if __name__ == "__main__":
    unittest.main()
