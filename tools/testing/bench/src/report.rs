// SPDX-License-Identifier: GPL-2.0

//! The rows as a table, as CSV and as a chart.

use crate::row::{Bound, Row};
use comfy_table::{presets, CellAlignment, Table};
use plotters::prelude::*;
use serde::Serialize;
use std::error::Error;
use std::path::Path;

/// A number as people read it: three significant digits and more for large ones.
fn short(n: f64) -> String {
    match n {
        n if n >= 100.0 || n == n.trunc() => format!("{n:.0}"),
        n if n >= 10.0 => format!("{n:.1}"),
        n => format!("{n:.2}"),
    }
}

/// The table for the screen.
pub fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header([
        "row", "what", "measured", "unit", "against", "peer", "ratio", "must be", "",
    ]);
    for row in rows {
        table.add_row([
            row.name.clone(),
            row.what.clone(),
            short(row.measured),
            row.unit.clone(),
            row.against.clone(),
            short(row.peer),
            format!("{:.2}", row.ratio()),
            format!("{} {}", row.bound, row.limit),
            (if row.is_short() { "SHORT" } else { "ok" }).to_owned(),
        ]);
    }
    for figures in [2, 5, 6] {
        if let Some(column) = table.column_mut(figures) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

/// One line of the CSV file.
#[derive(Serialize)]
struct Record<'a> {
    name: &'a str,
    what: &'a str,
    measured: f64,
    unit: &'a str,
    against: &'a str,
    peer: f64,
    ratio: f64,
    bound: String,
    limit: f64,
    short: bool,
}

/// Writes the CSV file.
pub fn csv(rows: &[Row], path: &Path) -> Result<(), Box<dyn Error>> {
    let mut out = csv::Writer::from_path(path)?;
    for row in rows {
        out.serialize(Record {
            name: &row.name,
            what: &row.what,
            measured: row.measured,
            unit: &row.unit,
            against: &row.against,
            peer: row.peer,
            ratio: row.ratio(),
            bound: row.bound.to_string(),
            limit: row.limit,
            short: row.is_short(),
        })?;
    }
    Ok(out.flush()?)
}

/// How far a row is from its limit: 1 is just good enough, below it is better.
fn use_of_limit(row: &Row) -> f64 {
    match row.bound {
        Bound::AtMost => row.ratio() / row.limit,
        Bound::AtLeast => row.limit / row.ratio(),
    }
}

const WIDTH: u32 = 900;
const HEAD: u32 = 50;
const BAR: u32 = 28;
/// Where the bars begin, and how long one at the limit is.
const LEFT: i32 = 230;
const FULL: f64 = 400.0;
/// A bar longer than this is cut: the figure beside it says more.
const CUT: f64 = 1.5;

/// Writes the chart: for each row how much of its limit is used up.
pub fn chart(rows: &[Row], path: &Path) -> Result<(), Box<dyn Error>> {
    let height = HEAD + BAR * rows.len() as u32 + BAR;
    let root = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let text = |size: u32, color: &RGBColor| ("sans-serif", size).into_font().color(color);
    root.draw(&Text::new(
        "share of the limit that is used (the line is the limit; shorter is better)",
        (10, 14),
        text(15, &BLACK),
    ))?;
    for (i, row) in rows.iter().enumerate() {
        let top = (HEAD + BAR * i as u32) as i32;
        let used = use_of_limit(row);
        let length = (used.min(CUT) * FULL) as i32;
        let color = if row.is_short() {
            RGBColor(200, 60, 50)
        } else {
            RGBColor(70, 130, 90)
        };
        root.draw(&Text::new(
            row.name.clone(),
            (10, top + 3),
            text(14, &BLACK),
        ))?;
        root.draw(&Rectangle::new(
            [(LEFT, top), (LEFT + length.max(1), top + BAR as i32 - 8)],
            color.filled(),
        ))?;
        root.draw(&Text::new(
            format!("{:.2} ({} {})", row.ratio(), row.bound, row.limit),
            (LEFT + length + 8, top + 3),
            text(13, &color),
        ))?;
    }
    let limit = LEFT + FULL as i32;
    root.draw(&PathElement::new(
        [(limit, HEAD as i32 - 8), (limit, height as i32 - 12)],
        BLACK.stroke_width(1),
    ))?;
    Ok(root.present()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        [
            "bench: a | quick | 5 us | 10 slow | <= 1",
            "bench: b | lame | 3 calls/s | 1 serial | >= 4",
        ]
        .iter()
        .map(|line| Row::parse(line).unwrap().unwrap())
        .collect()
    }

    #[test]
    fn the_table_shows_what_is_short() {
        let text = table(&rows());
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[2].contains("0.50") && lines[2].contains("ok"));
        assert!(lines[3].contains("3.00") && lines[3].contains("SHORT"));
    }

    #[test]
    fn files_hold_every_row() {
        let dir = std::env::temp_dir().join(format!("vgpu-bench-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        csv(&rows(), &dir.join("b.csv")).unwrap();
        let text = std::fs::read_to_string(dir.join("b.csv")).unwrap();
        assert_eq!(text.lines().count(), 3);
        assert!(text.lines().nth(2).unwrap().ends_with(",3.0,>=,4.0,true"));
        chart(&rows(), &dir.join("b.svg")).unwrap();
        let svg = std::fs::read_to_string(dir.join("b.svg")).unwrap();
        assert!(svg.contains("0.50 (") && svg.contains("3.00 ("));
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn the_limit_is_one_for_both_bounds() {
        let used: Vec<f64> = rows().iter().map(use_of_limit).collect();
        assert_eq!(used[0], 0.5);
        assert!(used[1] > 1.0);
    }
}
