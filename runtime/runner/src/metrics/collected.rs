use std::collections::BTreeMap;

use polywire_core::observer::{Collect, Sample, SampleKind};
use prometheus::{
    CounterVec, GaugeVec, Opts,
    core::{Collector, Desc},
    proto::MetricFamily,
};

/// Samples of another source, read at every scrape.
pub(super) struct Collected {
    samples: Box<dyn Collect>,
    descriptions: Vec<Desc>,
}

impl Collected {
    /// # Errors
    /// If a name or a label is malformed.
    pub(super) fn new(samples: Box<dyn Collect>) -> Result<Self, prometheus::Error> {
        let families = families(samples.samples())?;
        let descriptions = families.iter().flat_map(|family| family.desc()).cloned().collect();
        Ok(Self { samples, descriptions })
    }
}

/// The samples as families by name.
fn families(samples: Vec<Sample>) -> Result<Vec<Box<dyn Collector>>, prometheus::Error> {
    let mut by_name = BTreeMap::<String, Vec<Sample>>::new();
    for sample in samples {
        by_name.entry(sample.name.clone()).or_default().push(sample);
    }
    by_name.into_values().map(|samples| family(&samples)).collect()
}

fn family(samples: &[Sample]) -> Result<Box<dyn Collector>, prometheus::Error> {
    let [first, ..] = samples else {
        return Err(prometheus::Error::Msg("a family has no sample".to_owned()));
    };
    let opts = Opts::new(&first.name, &first.help);
    let labels = Vec::from_iter(first.labels.iter().map(|(label, _)| *label));
    let values = |sample: &Sample| Vec::from_iter(sample.labels.iter().map(|(_, value)| value.clone()));
    match first.kind {
        SampleKind::Counter => {
            let counter = CounterVec::new(opts, &labels)?;
            for sample in samples {
                counter.get_metric_with_label_values(&values(sample))?.inc_by(sample.value);
            }
            Ok(Box::new(counter))
        }
        SampleKind::Gauge => {
            let gauge = GaugeVec::new(opts, &labels)?;
            for sample in samples {
                gauge.get_metric_with_label_values(&values(sample))?.set(sample.value);
            }
            Ok(Box::new(gauge))
        }
    }
}

impl Collector for Collected {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // The names are checked when they are described.
        let families = families(self.samples.samples()).unwrap_or_default();
        families.iter().flat_map(|family| family.collect()).collect()
    }
}
