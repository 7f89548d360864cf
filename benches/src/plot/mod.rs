//! Plots of a report, in SVG.

mod bars;
mod growth;
mod palette;

use plotters::{
    prelude::{DrawingArea, IntoDrawingArea as _, SVGBackend},
    style::{
        IntoFont as _, TextStyle, WHITE,
        text_anchor::{HPos, Pos, VPos},
    },
};

pub use growth::{GROWTHS, Growth};

use crate::{contestant::Result, report::Report};

/// Every plot: the name of its file, and what is in it.
///
/// # Errors
/// When it cannot be drawn.
pub fn plots(report: &Report) -> Result<Vec<(String, String)>> {
    let mut plots = Vec::new();
    for measure in report.measures.iter().filter(|measure| measure.concurrency.is_none()) {
        plots.push((format!("{}.svg", measure.id), bars::draw(report, measure)?));
    }
    for growth in GROWTHS {
        if let Some(svg) = growth.draw(report)? {
            plots.push((format!("{}.svg", growth.file), svg));
        }
    }
    Ok(plots)
}

type Canvas<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// A white sheet of this size, drawn upon.
fn draw_on(size: (u32, u32), draw: impl FnOnce(&Canvas<'_>) -> Result<()>) -> Result<String> {
    let mut svg = String::new();
    {
        let canvas = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        canvas.fill(&WHITE)?;
        draw(&canvas)?;
        canvas.present()?;
    }
    Ok(svg)
}

/// Text of this size in pixels, whose middle is at the height of where it is put.
fn ink(size: i32, horizontal: HPos) -> TextStyle<'static> {
    TextStyle::from(("sans-serif", size).into_font())
        .color(&palette::INK)
        .pos(Pos::new(horizontal, VPos::Center))
}
