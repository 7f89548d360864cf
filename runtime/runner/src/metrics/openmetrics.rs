use std::fmt::{self, Write};

use prometheus::proto::{Histogram, Metric, MetricFamily, MetricType, Summary};

/// The base units that a name may end in, as recommended by the specification.
const UNITS: &[&str] = &["seconds", "bytes", "ratio"];

/// [OpenMetrics 1.0](https://prometheus.io/docs/specs/om/open_metrics_spec/) text.
///
/// It differs from the Prometheus format: the family name of a counter lacks `_total`, quotes are escaped in help too,
/// timestamps are in seconds, and a marker ends the text.
pub(super) fn encode(families: &[MetricFamily]) -> String {
    let mut out = String::new();
    for family in families {
        write_family(&mut out, family).expect("a String takes everything");
    }
    out.push_str("# EOF\n");
    out
}

fn write_family(out: &mut String, family: &MetricFamily) -> fmt::Result {
    let (kind, name) = match family.get_field_type() {
        MetricType::COUNTER => ("counter", family.name().strip_suffix("_total").unwrap_or(family.name())),
        MetricType::GAUGE => ("gauge", family.name()),
        MetricType::HISTOGRAM => ("histogram", family.name()),
        MetricType::SUMMARY => ("summary", family.name()),
        MetricType::UNTYPED => return Ok(()),
    };
    writeln!(out, "# TYPE {name} {kind}")?;
    if let Some(unit) = unit(name) {
        writeln!(out, "# UNIT {name} {unit}")?;
    }
    if !family.help().is_empty() {
        writeln!(out, "# HELP {name} {}", Escaped(family.help()))?;
    }
    for metric in family.get_metric() {
        let mut samples = Samples { out, name, metric };
        match family.get_field_type() {
            MetricType::COUNTER => samples.number("_total", metric.get_counter().get_value())?,
            MetricType::GAUGE => samples.number("", metric.get_gauge().get_value())?,
            MetricType::HISTOGRAM => samples.histogram(metric.get_histogram())?,
            MetricType::SUMMARY => samples.summary(metric.get_summary())?,
            MetricType::UNTYPED => {}
        }
    }
    Ok(())
}

fn unit(name: &str) -> Option<&str> {
    let (_, last) = name.rsplit_once('_')?;
    UNITS.contains(&last).then_some(last)
}

/// Writes the samples of one metric of a family.
struct Samples<'a> {
    out: &'a mut String,
    name: &'a str,
    metric: &'a Metric,
}

impl Samples<'_> {
    fn number(&mut self, suffix: &str, value: f64) -> fmt::Result {
        self.sample(suffix, None, Number(value))
    }

    fn histogram(&mut self, histogram: &Histogram) -> fmt::Result {
        let count = histogram.get_sample_count();
        for bucket in histogram.get_bucket().iter().filter(|bucket| bucket.upper_bound() < f64::INFINITY) {
            self.sample("_bucket", Some(("le", bucket.upper_bound())), bucket.cumulative_count())?;
        }
        self.sample("_bucket", Some(("le", f64::INFINITY)), count)?;
        self.sample("_count", None, count)?;
        self.number("_sum", histogram.get_sample_sum())
    }

    fn summary(&mut self, summary: &Summary) -> fmt::Result {
        for quantile in summary.get_quantile() {
            self.sample("", Some(("quantile", quantile.quantile())), Number(quantile.value()))?;
        }
        self.sample("_count", None, summary.sample_count())?;
        self.number("_sum", summary.sample_sum())
    }

    fn sample(&mut self, suffix: &str, extra: Option<(&str, f64)>, value: impl fmt::Display) -> fmt::Result {
        write!(self.out, "{}{suffix}", self.name)?;
        self.labels(extra)?;
        write!(self.out, " {value}")?;
        match self.metric.timestamp_ms() {
            0 => writeln!(self.out),
            ms => writeln!(self.out, " {}.{:03}", ms.div_euclid(1_000), ms.rem_euclid(1_000)),
        }
    }

    fn labels(&mut self, extra: Option<(&str, f64)>) -> fmt::Result {
        let mut opening = '{';
        for pair in self.metric.get_label() {
            write!(self.out, "{opening}{}=\"{}\"", pair.name(), Escaped(pair.value()))?;
            opening = ',';
        }
        if let Some((name, bound)) = extra {
            write!(self.out, "{opening}{name}=\"{}\"", Number(bound))?;
            opening = ',';
        }
        if opening == ',' {
            self.out.push('}');
        }
        Ok(())
    }
}

/// A number in the specification's canonical form, which is recognizable as a floating point number.
struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            value => write!(f, "{value:?}"),
        }
    }
}

/// Text with backslash, line feed and double quote escaped.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '"' => f.write_str("\\\"")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prometheus::core::Collector;
    use prometheus::{Counter, Gauge, GaugeVec, Histogram, HistogramOpts, Opts};

    use super::*;

    #[test]
    fn a_counter_family_goes_without_its_suffix() {
        let counter = Counter::new("jobs_total", "Jobs.").unwrap();
        counter.inc();
        let expected = "# TYPE jobs counter\n# HELP jobs Jobs.\njobs_total 1.0\n# EOF\n";
        assert_eq!(encode(&counter.collect()), expected);
    }

    #[test]
    fn a_unit_is_told_where_the_name_ends_in_one() {
        let gauge = Gauge::new("memory_bytes", "Memory.").unwrap();
        assert!(encode(&gauge.collect()).contains("# UNIT memory_bytes bytes\n"));
        let gauge = Gauge::new("bytes_in_memory", "Memory.").unwrap();
        assert!(!encode(&gauge.collect()).contains("# UNIT"));
    }

    #[test]
    fn help_and_labels_are_escaped() {
        let gauges = GaugeVec::new(Opts::new("g", "a \"b\"\nc \\"), &["l"]).unwrap();
        gauges.with_label_values(&["x\"y\\z\n"]).set(f64::NEG_INFINITY);
        let expected = "# TYPE g gauge\n# HELP g a \\\"b\\\"\\nc \\\\\ng{l=\"x\\\"y\\\\z\\n\"} -Inf\n# EOF\n";
        assert_eq!(encode(&gauges.collect()), expected);
    }

    #[test]
    fn a_histogram_ends_with_everything() {
        let options = HistogramOpts::new("h_seconds", "H.").buckets(vec![0.0001, 1.0]);
        let histogram = Histogram::with_opts(options).unwrap();
        histogram.observe(0.5);
        histogram.observe(7.0);
        let text = encode(&histogram.collect());
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                "h_seconds_bucket{le=\"0.0001\"} 0",
                "h_seconds_bucket{le=\"1.0\"} 1",
                "h_seconds_bucket{le=\"+Inf\"} 2",
                "h_seconds_count 2",
                "h_seconds_sum 7.5",
            ]
        );
    }
}
