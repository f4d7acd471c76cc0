//! The chart: rate, its caps and its average above, the skew below. Colours for light and dark backgrounds.

use std::fmt::Write as _;

use anyhow::Result;

use super::path::WHOLE;
use super::run::{Hour, Run};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 640.0;
/// Left and right ends of both panels.
const LEFT: f64 = 74.0;
const RIGHT: f64 = 940.0;
/// A basis point an hour.
const BP: f64 = 100_000_000.0;

const STYLE: &str = "\
  <style>
    svg { --paper: #ffffff; --ink: #1f2328; --faint: #d0d7de; --rate: #0550ae; --soft: #bc4c00; --hard: #cf222e; --mean: #116329; --skew: #6639ba }
    @media (prefers-color-scheme: dark) {
      svg { --paper: #0d1117; --ink: #e6edf3; --faint: #3d444d; --rate: #79c0ff; --soft: #ffa657; --hard: #ff7b72; --mean: #7ee787; --skew: #d2a8ff }
    }
    text { font: 13px system-ui, sans-serif; fill: var(--ink) }
    .title { font-size: 16px; font-weight: 600 }
    .axis { stroke: var(--ink); fill: none }
    .grid { stroke: var(--faint); fill: none }
    .rate, .soft, .hard, .mean, .skew { fill: none; stroke-width: 1.6; stroke-linejoin: round }
    .rate { stroke: var(--rate); stroke-width: 2 }
    .soft { stroke: var(--soft) }
    .hard { stroke: var(--hard); stroke-dasharray: 7 4 }
    .mean { stroke: var(--mean); stroke-dasharray: 2 3; stroke-width: 2 }
    .skew { stroke: var(--skew) }
    .level { stroke: var(--ink); stroke-dasharray: 3 4; fill: none }
  </style>
";

/// One of the two panels: what its values are drawn between.
struct Panel {
    top: f64,
    bottom: f64,
    most: f64,
}

impl Panel {
    fn y(&self, value: f64) -> f64 {
        let share = (value.clamp(-self.most, self.most) + self.most) / (2.0 * self.most);
        self.bottom - share * (self.bottom - self.top)
    }
}

const RATES: Panel = Panel { top: 66.0, bottom: 376.0, most: 15.0 };
const SKEWS: Panel = Panel { top: 424.0, bottom: 574.0, most: 100.0 };

/// Draws it.
pub(super) fn draw(run: &Run, source: &str) -> Result<String> {
    let hours = run.hours.len().max(1);
    let x = |hour: f64| LEFT + (RIGHT - LEFT) * hour / hours as f64;
    let days = hours.div_ceil(24);
    let mut svg = String::new();
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"t d\">"
    )?;
    writeln!(svg, "  <title id=\"t\">Funding over {days} days</title>")?;
    writeln!(
        svg,
        "  <desc id=\"d\">Above: the funding rate within its soft and hard caps, and its 30-day average. Below: the skew. Made by \
         the engine on {source}.</desc>"
    )?;
    svg.push_str(STYLE);
    writeln!(svg, "  <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" style=\"fill: var(--paper)\"/>")?;
    writeln!(svg, "  <text class=\"title\" x=\"{LEFT}\" y=\"26\">Funding over {days} days</text>")?;
    legend(&mut svg)?;
    grid(&mut svg, &RATES, &[-12.0, -8.0, -4.0, 0.0, 4.0, 8.0, 12.0], "", "rate, basis points an hour")?;
    grid(&mut svg, &SKEWS, &[-100.0, -50.0, 0.0, 50.0, 100.0], " %", "skew, share of K′")?;
    for day in (0..=days).step_by(5) {
        let x = x(day as f64 * 24.0);
        writeln!(svg, "  <path class=\"axis\" d=\"M{x:.1} {:.1}v5\"/>", SKEWS.bottom)?;
        writeln!(svg, "  <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{day}</text>", SKEWS.bottom + 20.0)?;
    }
    writeln!(
        svg,
        "  <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">day</text>",
        f64::midpoint(LEFT, RIGHT),
        HEIGHT - 12.0
    )?;
    for (number, phase) in (1..).zip(&run.phases) {
        let (start, end) = (phase.start as f64 / 60.0, (phase.start + phase.minutes) as f64 / 60.0);
        writeln!(svg, "  <path class=\"grid\" d=\"M{:.1} {:.1}V{:.1}\"/>", x(start), RATES.top, SKEWS.bottom)?;
        let middle = x(f64::midpoint(start, end));
        writeln!(
            svg,
            "  <text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{number}</text>",
            RATES.bottom + 30.0
        )?;
    }
    let threshold = run.threshold as f64 * 100.0 / WHOLE as f64;
    for level in [threshold, -threshold] {
        writeln!(svg, "  <path class=\"level\" d=\"M{LEFT} {:.1}H{RIGHT}\"/>", SKEWS.y(level))?;
    }
    for hard in [run.hard, -run.hard] {
        writeln!(svg, "  <path class=\"hard\" d=\"M{LEFT} {:.1}H{RIGHT}\"/>", RATES.y(hard as f64 / BP))?;
    }
    let rate = |value: i64| RATES.y(value as f64 / BP);
    steps(&mut svg, "soft", &run.hours, &x, |hour| rate(hour.bound))?;
    steps(&mut svg, "soft", &run.hours, &x, |hour| rate(-hour.bound))?;
    line(&mut svg, "mean", &run.hours, &x, |hour| rate(hour.average))?;
    line(&mut svg, "rate", &run.hours, &x, |hour| rate(hour.rate))?;
    line(&mut svg, "skew", &run.hours, &x, |hour| SKEWS.y(hour.skew as f64 * 100.0 / WHOLE as f64))?;
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn legend(svg: &mut String) -> Result<()> {
    let entries = [
        ("rate", "rate"),
        ("soft", "soft cap"),
        ("hard", "hard cap"),
        ("mean", "30-day average of its size"),
        ("skew", "skew"),
        ("level", "threshold"),
    ];
    let mut x = LEFT;
    for (class, text) in entries {
        writeln!(svg, "  <path class=\"{class}\" d=\"M{x:.1} 46h26\"/>")?;
        writeln!(svg, "  <text x=\"{:.1}\" y=\"50\">{text}</text>", x + 32.0)?;
        x += 66.0 + 7.0 * text.len() as f64;
    }
    Ok(())
}

fn grid(svg: &mut String, panel: &Panel, values: &[f64], unit: &str, name: &str) -> Result<()> {
    for value in values {
        let y = panel.y(*value);
        writeln!(svg, "  <path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>")?;
        writeln!(svg, "  <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value}{unit}</text>", LEFT - 8.0, y + 4.5)?;
    }
    let middle = f64::midpoint(panel.top, panel.bottom);
    writeln!(svg, "  <text transform=\"translate(16 {middle:.1}) rotate(-90)\" text-anchor=\"middle\">{name}</text>")?;
    writeln!(svg, "  <path class=\"axis\" d=\"M{LEFT} {:.1}V{:.1}H{RIGHT}\"/>", panel.top, panel.bottom)?;
    Ok(())
}

/// A line through the hours' ends.
fn line(
    svg: &mut String,
    class: &str,
    hours: &[Hour],
    x: &impl Fn(f64) -> f64,
    y: impl Fn(&Hour) -> f64,
) -> Result<()> {
    write!(svg, "  <path class=\"{class}\" d=\"")?;
    for (at, hour) in hours.iter().enumerate() {
        write!(svg, "{}{:.1} {:.1}", if at == 0 { "M" } else { "L" }, x(at as f64 + 1.0), y(hour))?;
    }
    writeln!(svg, "\"/>")?;
    Ok(())
}

/// Steps: what holds from the end of one hour to that of the next.
fn steps(
    svg: &mut String,
    class: &str,
    hours: &[Hour],
    x: &impl Fn(f64) -> f64,
    y: impl Fn(&Hour) -> f64,
) -> Result<()> {
    write!(svg, "  <path class=\"{class}\" d=\"")?;
    let mut level = String::new();
    for (at, hour) in hours.iter().enumerate() {
        let next = format!("{:.1}", y(hour));
        if at == 0 {
            write!(svg, "M{LEFT} {next}")?;
        } else if next != level {
            write!(svg, "H{:.1}V{next}", x(at as f64 + 1.0))?;
        }
        level = next;
    }
    writeln!(svg, "H{RIGHT}\"/>")?;
    Ok(())
}
