//! One measure: a bar a contestant up to the median, with a line from the lowest round to the highest.

use plotters::{
    prelude::{PathElement, Rectangle, Text},
    style::{Color as _, text_anchor::HPos},
};

use super::{Canvas, draw_on, ink, palette};
use crate::{
    contestant::Result,
    measure::{Better, Measure},
    report::{Entry, Report, figure},
    spread::Spread,
};

const WIDTH: i32 = 760;
const NAMES: i32 = 210;
const FIGURES: i32 = 90;
const TITLE: i32 = 40;
const ROW: i32 = 26;
const BAR: i32 = 16;

pub(super) fn draw(report: &Report, measure: &Measure) -> Result<String> {
    let entries: Vec<_> = report.entries(measure).collect();
    let largest = entries.iter().filter_map(|entry| entry.spread).map(|spread| spread.max);
    let scale = Scale { largest: largest.fold(0.0, f64::max) };
    let height = TITLE + ROW * entries.len() as i32 + 10;
    draw_on((WIDTH as u32, height as u32), |canvas| {
        let better = match measure.better {
            Better::Lower => "less is better",
            Better::Higher => "more is better",
        };
        let title = format!("{} ({}, {better})", measure.title, measure.unit);
        text(canvas, &title, (10, TITLE / 2), 15, HPos::Left)?;
        for (place, entry) in entries.iter().enumerate() {
            row(canvas, entry, TITLE + ROW * place as i32 + ROW / 2, &scale)?;
        }
        Ok(())
    })
}

struct Scale {
    largest: f64,
}

impl Scale {
    /// Where a value is, in pixels from the left.
    fn x(&self, value: f64) -> i32 {
        let width = f64::from(WIDTH - NAMES - FIGURES);
        NAMES + if self.largest > 0.0 { (value / self.largest * width) as i32 } else { 0 }
    }
}

fn row(canvas: &Canvas<'_>, entry: &Entry, y: i32, scale: &Scale) -> Result<()> {
    text(canvas, &entry.contestant, (NAMES - 10, y), 13, HPos::Right)?;
    let Some(Spread { median, min, max }) = entry.spread else {
        let reason = entry.absent.as_deref().unwrap_or_default();
        return text(canvas, &format!("– {reason}"), (NAMES, y), 13, HPos::Left);
    };
    let ours = entry.contestant.starts_with("polywire");
    let colour = if ours { palette::OURS } else { palette::THEIRS };
    canvas.draw(&Rectangle::new([(NAMES, y - BAR / 2), (scale.x(median), y + BAR / 2)], colour.filled()))?;
    canvas.draw(&PathElement::new(vec![(scale.x(min), y), (scale.x(max), y)], palette::INK))?;
    text(canvas, &figure(median), (scale.x(max) + 8, y), 13, HPos::Left)
}

fn text(canvas: &Canvas<'_>, text: &str, at: (i32, i32), size: i32, horizontal: HPos) -> Result<()> {
    Ok(canvas.draw(&Text::new(text, at, ink(size, horizontal)))?)
}
