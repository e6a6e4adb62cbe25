// SPDX-License-Identifier: GPL-2.0

//! `vgpu-bench`: reads what the benchmarks print, and shows it as a table, a CSV
//! file and a chart.
//!
//! The last line is `bench: N rows, M short`. Exit status: 0 when no row is short,
//! 1 when one is or there is none, 2 when the input or a file is no good.

mod report;
mod row;

use clap::Parser;
use row::Row;
use std::error::Error;
use std::io::{self, BufRead};
use std::path::PathBuf;
use std::process::ExitCode;

/// Shows the rows that the benchmarks print on standard input.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Write the rows to this CSV file.
    #[arg(long)]
    csv: Option<PathBuf>,
    /// Write the chart to this SVG file.
    #[arg(long)]
    svg: Option<PathBuf>,
}

/// Rows of `input`, in their order. A name that comes twice is an error.
fn read(input: impl BufRead) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut rows: Vec<Row> = Vec::new();
    for line in input.lines() {
        if let Some(row) = Row::parse(&line?) {
            let row = row?;
            if rows.iter().any(|r| r.name == row.name) {
                return Err(format!("row '{}' comes twice", row.name).into());
            }
            rows.push(row);
        }
    }
    Ok(rows)
}

fn run(cli: &Cli) -> Result<bool, Box<dyn Error>> {
    let rows = read(io::stdin().lock())?;
    let short = rows.iter().filter(|r| r.is_short()).count();
    if let Some(path) = &cli.csv {
        report::csv(&rows, path)?;
    }
    if let Some(path) = &cli.svg {
        report::chart(&rows, path)?;
    }
    println!("{}", report::table(&rows));
    println!("bench: {} rows, {short} short", rows.len());
    Ok(short == 0 && !rows.is_empty())
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("vgpu-bench: {why}");
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_between_other_lines() {
        let text = "# boot\nbench: a | x | 1 us | 2 y | <= 1\nnoise\n";
        assert_eq!(read(text.as_bytes()).unwrap().len(), 1);
        let twice = format!("{text}{text}");
        assert!(read(twice.as_bytes()).is_err());
    }
}
