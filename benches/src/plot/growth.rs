//! One measure at every concurrency: a line a contestant, both axes logarithmic.

use plotters::{
    chart::{ChartBuilder, SeriesLabelPosition},
    prelude::{Circle, IntoLogRange as _, PathElement},
    series::LineSeries,
    style::{Color as _, IntoFont as _, WHITE},
};

use super::{Canvas, draw_on, palette};
use crate::{contestant::Result, report::Report};

/// A plot of growth.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    /// How the ids of the measures end that it shows.
    measures: &'static str,
    /// The name of its file, without the ending.
    pub file: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// What is on the vertical axis.
    axis: &'static str,
}

/// All of them.
pub const GROWTHS: &[Growth] = &[
    Growth {
        measures: "-rate",
        file: "concurrency-rate",
        title: "calls of 64 B per second, by concurrent calls",
        axis: "calls/s",
    },
    Growth {
        measures: "-p99",
        file: "concurrency-p99",
        title: "latency of a call of 64 B, p99, by concurrent calls",
        axis: "µs",
    },
];

/// A contestant's name, and its median at each concurrency.
type Line<'a> = (&'a str, Vec<(f64, f64)>);

impl Growth {
    /// Draws it; `None` where a report has nothing of it.
    pub(super) fn draw(self, report: &Report) -> Result<Option<String>> {
        let lines: Vec<_> = self.lines(report).collect();
        let points = || lines.iter().flat_map(|(_, points)| points);
        let (Some(x), Some(y)) = (range(points().map(|point| point.0)), range(points().map(|point| point.1)))
        else {
            return Ok(None);
        };
        Ok(Some(draw_on((860, 520), |canvas| self.chart(canvas, &lines, x, y))?))
    }

    fn lines(self, report: &Report) -> impl Iterator<Item = Line<'_>> {
        report.contestants.iter().map(move |contestant| {
            let measures = report.measures.iter().filter(|measure| measure.id.ends_with(self.measures));
            let points = measures.filter_map(|measure| {
                let entry = report.entries(measure).find(|entry| entry.contestant == *contestant)?;
                Some((measure.concurrency? as f64, entry.spread?.median))
            });
            (contestant.as_str(), points.collect())
        })
    }

    fn chart(self, canvas: &Canvas<'_>, lines: &[Line<'_>], x: (f64, f64), y: (f64, f64)) -> Result<()> {
        let mut chart = ChartBuilder::on(canvas)
            .caption(self.title, ("sans-serif", 17).into_font().color(&palette::INK))
            .margin(12)
            .margin_right(230)
            .x_label_area_size(40)
            .y_label_area_size(70)
            .build_cartesian_2d((x.0..x.1 * 1.2).log_scale(), (y.0 * 0.8..y.1 * 1.2).log_scale())?;
        chart.configure_mesh().x_desc("concurrent calls").y_desc(self.axis).draw()?;
        for (place, (name, points)) in lines.iter().enumerate() {
            let colour = palette::colour(place);
            let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2));
            chart
                .draw_series(line)?
                .label(*name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
            chart.draw_series(points.iter().map(|&point| Circle::new(point, 3, colour.filled())))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE)
            .border_style(palette::INK)
            .draw()?;
        Ok(())
    }
}

fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values
        .filter(|value| *value > 0.0)
        .map(|value| (value, value))
        .reduce(|range, value| (range.0.min(value.0), range.1.max(value.1)))
}
