//! What happened, a panel a scenario: the weather as lines, and as an area the share of calls over Iroh.

use std::error::Error;

use plotters::{
    chart::ChartBuilder,
    coord::Shift,
    prelude::{DrawingArea, IntoDrawingArea as _, PathElement, Polygon, Rectangle, SVGBackend, Text},
    style::{
        Color as _, IntoFont as _, RGBColor, TextStyle, WHITE,
        text_anchor::{HPos, Pos, VPos},
    },
};

use crate::{Run, Weather};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;
type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// In pixels: the sheet's width, a panel's height, the legend's above them.
const WIDTH: u32 = 860;
const PANEL: u32 = 150;
const LEGEND: i32 = 30;

/// After Paul Tol's muted scheme (<https://personal.sron.nl/~pault/#sec:qualitative>).
const IROH: RGBColor = RGBColor(51, 34, 136);
const GRPC: RGBColor = RGBColor(204, 102, 119);
const SHARE: RGBColor = RGBColor(136, 204, 238);
const INK: RGBColor = RGBColor(40, 40, 40);

/// The plot of these runs, in SVG.
///
/// # Errors
/// When it cannot be drawn.
pub fn plot(runs: &[Run]) -> Result<String> {
    let mut svg = String::new();
    {
        let height = LEGEND as u32 + PANEL * runs.len() as u32;
        let canvas = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        canvas.fill(&WHITE)?;
        let (top, panels) = canvas.split_vertically(LEGEND);
        legend(&top)?;
        for (run, panel) in runs.iter().zip(panels.split_evenly((runs.len(), 1))) {
            draw(run, &panel)?;
        }
        canvas.present()?;
    }
    Ok(svg)
}

fn legend(canvas: &Canvas<'_>) -> Result<()> {
    let y = LEGEND / 2;
    canvas.draw(&Rectangle::new([(60, y - 6), (80, y + 6)], SHARE.filled()))?;
    canvas.draw(&Text::new("share of calls over Iroh", (86, y), ink(13)))?;
    for (x, colour, name) in [(290, IROH, "latency of Iroh"), (450, GRPC, "latency of gRPC")] {
        canvas.draw(&PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2)))?;
        canvas.draw(&Text::new(name, (x + 26, y), ink(13)))?;
    }
    Ok(())
}

fn draw(run: &Run, panel: &Canvas<'_>) -> Result<()> {
    let length = run.scenario.length.as_secs();
    let weathers = [run.scenario.iroh, run.scenario.grpc];
    let at = |weather: fn(_) -> Weather, second| weather(std::time::Duration::from_secs(second));
    let latency = |weather: Weather| (!weather.refuses).then_some(weather.latency.as_secs_f64() * 1e3);
    let latencies = weathers.map(|weather| (0..length).map(|second| latency(at(weather, second))).collect());
    let highest =
        latencies.iter().flat_map(|one: &Vec<Option<f64>>| one).flatten().fold(0.0, |a: f64, b| a.max(*b));

    let mut chart = ChartBuilder::on(panel)
        .caption(run.scenario.title, ("sans-serif", 14).into_font().color(&INK))
        .margin(6)
        .margin_right(50)
        .x_label_area_size(22)
        .y_label_area_size(50)
        .build_cartesian_2d(0.0..length as f64, 0.0..highest * 1.2)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE.mix(0.0))
        .disable_x_mesh()
        .y_labels(4)
        .x_labels(11)
        .x_label_formatter(&|second| format!("{second:.0} s"))
        .y_label_formatter(&|ms| format!("{ms:.0} ms"))
        .draw()?;
    let full = highest * 1.2;
    let shares = (0..length).map(|second| run.share(second as f64..(second + 1) as f64));
    // To a twentieth: what merely explores cannot be seen anyway, and would make most of the file.
    let shares = shares.map(|share| Some(full * (share * 20.0).round() / 20.0));
    let mut area = steps(shares).concat();
    area.extend([(length as f64, 0.0), (0.0, 0.0)]);
    chart.draw_series([Polygon::new(area, SHARE.mix(0.6).filled())])?;
    for (latencies, colour) in latencies.into_iter().zip([IROH, GRPC]) {
        let lines = steps(latencies.into_iter());
        chart.draw_series(lines.into_iter().map(|line| PathElement::new(line, colour.stroke_width(2))))?;
    }
    Ok(())
}

/// Values of a second each as lines, which end where there is none.
fn steps(values: impl Iterator<Item = Option<f64>>) -> Vec<Vec<(f64, f64)>> {
    let mut lines: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut last = None;
    for (second, value) in values.enumerate() {
        let (from, to) = (second as f64, (second + 1) as f64);
        match (value, last, lines.last_mut()) {
            (Some(value), Some(before), Some(line)) if value == before => {
                line.pop();
                line.push((to, value));
            }
            (Some(value), Some(_), Some(line)) => line.extend([(from, value), (to, value)]),
            (Some(value), ..) => lines.push(vec![(from, value), (to, value)]),
            (None, ..) => {}
        }
        last = value;
    }
    lines
}

/// Text of this size in pixels, whose middle is at the height of where it is put.
fn ink(size: i32) -> TextStyle<'static> {
    TextStyle::from(("sans-serif", size).into_font()).color(&INK).pos(Pos::new(HPos::Left, VPos::Center))
}
