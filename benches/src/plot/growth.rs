//! One measure at every concurrency: a line a contestant, both axes logarithmic.

use plotters::{
    chart::ChartBuilder,
    prelude::{Circle, IntoLogRange as _, PathElement, Text},
    series::LineSeries,
    style::{Color as _, IntoFont as _, WHITE, text_anchor::HPos},
};

use super::{Canvas, draw_on, ink, palette};
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

/// In pixels: the sheet, how much of its width the chart has, and where the legend beside it begins.
const SHEET: (u32, u32) = (860, 480);
const CHART: i32 = 640;
const LEGEND: i32 = 60;
const ROW: i32 = 22;

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
        Ok(Some(draw_on(SHEET, |canvas| self.chart(canvas, &lines, x, y))?))
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
        let (left, right) = canvas.split_horizontally(CHART);
        let mut chart = ChartBuilder::on(&left)
            .caption(self.title, ("sans-serif", 17).into_font().color(&palette::INK))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(70)
            .build_cartesian_2d((x.0..x.1 * 1.2).log_scale(), (y.0 * 0.8..y.1 * 1.2).log_scale())?;
        chart
            .configure_mesh()
            .light_line_style(WHITE.mix(0.0))
            .x_desc("concurrent calls")
            .y_desc(self.axis)
            .x_label_formatter(&|value| format!("{value:.0}"))
            .y_label_formatter(&|value| format!("{value:.0}"))
            .draw()?;
        for (place, (name, points)) in lines.iter().enumerate() {
            let colour = palette::colour(place);
            // What this is about is drawn thicker.
            let style = colour.stroke_width(if name.starts_with("polywire") { 3 } else { 1 });
            chart.draw_series(LineSeries::new(points.iter().copied(), style))?;
            chart.draw_series(points.iter().map(|&point| Circle::new(point, 3, colour.filled())))?;
            let row = LEGEND + ROW * place as i32;
            right.draw(&PathElement::new([(0, row), (20, row)], style))?;
            right.draw(&Text::new(*name, (28, row), ink(13, HPos::Left)))?;
        }
        Ok(())
    }
}

fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values
        .filter(|value| *value > 0.0)
        .map(|value| (value, value))
        .reduce(|range, value| (range.0.min(value.0), range.1.max(value.1)))
}
