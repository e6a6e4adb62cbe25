// SPDX-License-Identifier: GPL-2.0

//! The readable table: TOML text to fully resolved vGPU types.
//!
//! A board lists what is its own (ids); everything that follows from arithmetic is computed here:
//!
//! ```text
//!   max_instance = min(32, board_fb / class)
//!   gsp_heap     = max(gsp_heap_min, gsp_heap_whole / max_instance rounded up to a power of two)
//!   fb_length    = align_down(min(class, usable_fb / max_instance - gsp_heap - fb_reservation),
//!                             vmmu_segment)
//!   bar1_length  = small_bar1 up to small_bar1_max_class, else class rounded up to a power of two
//! ```
//!
//! NVIDIA publishes neither fb_length, heap nor BAR1 length of most types, therefore a rule and
//! not a list; real files carry their own values.

use serde::Deserialize;
use std::collections::HashSet;

use crate::vgpu_info::{MAX_INSTANCES, MAX_TYPES};

const MIB: u64 = 1 << 20;

/// A table, as written.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub struct Table {
    pub metadata: Release,
    pub defaults: Defaults,
    #[serde(default)]
    pub series: Vec<Series>,
    #[serde(default)]
    pub board: Vec<Board>,
}

/// What the file header says.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub struct Release {
    pub vgpu_major: u64,
    pub vgpu_minor: u64,
    pub gsp_build_version: String,
}

/// Inputs of the arithmetic that all boards share.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    pub vmmu_segment_mib: u64,
    /// Heap of a type that has all of the board.
    pub gsp_heap_whole_mib: u64,
    /// Heap of the smallest types.
    pub gsp_heap_min_mib: u64,
    pub fb_reservation_mib: u64,
    pub small_bar1_mib: u64,
    /// Largest class in GiB that still gets `small_bar1_mib`.
    pub small_bar1_max_class_gib: u64,
    pub mappable_video_mib: u64,
    pub encoder_capacity: u32,
}

/// What the types of one letter have in common on every board.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// Q, B, A or C.
    pub suffix: String,
    pub class: String,
    pub license: String,
    pub num_heads: u32,
    pub max_resolution: [u32; 2],
    pub max_pixels: u32,
    /// Frames per second; 0 switches the limiter off.
    pub frl: u32,
    pub cuda: bool,
    pub ecc: bool,
}

/// One physical board.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Goes into the type names.
    pub name: String,
    pub device_id: u16,
    pub fb_mib: u64,
    /// What is left of `fb_mib` for vGPUs and their heaps.
    pub usable_fb_mib: u64,
    #[serde(default)]
    pub types: Vec<TypeRow>,
}

/// One type of a board.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub struct TypeRow {
    pub series: String,
    /// Framebuffer class.
    pub gib: u64,
    /// `None` if it is not published, see [`TypeRow::id`].
    id: Option<u32>,
    pub subsystem: u16,
}

/// Provisional type ids begin here; NVIDIA's are far below.
const PROVISIONAL: u32 = 1 << 16;

impl TypeRow {
    /// A row with an id.
    pub fn new(series: &str, gib: u64, id: u32, subsystem: u16) -> Self {
        Self {
            series: series.into(),
            gib,
            id: Some(id),
            subsystem,
        }
    }

    /// The type id, or one that stands for it as long as it is not published.
    pub fn id(&self) -> u32 {
        self.id.unwrap_or(PROVISIONAL + u32::from(self.subsystem))
    }
}

/// A type with every number known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VgpuType {
    pub id: u32,
    pub name: String,
    pub class: String,
    pub license: String,
    pub board_name: String,
    pub device_id: u16,
    pub subsystem: u16,
    /// Framebuffer class in bytes.
    pub profile_size: u64,
    pub fb_length: u64,
    pub gsp_heap_size: u64,
    pub fb_reservation: u64,
    pub mappable_video_size: u64,
    pub bar1_length_mib: u64,
    pub max_instance: u32,
    pub num_heads: u32,
    pub max_resolution: [u32; 2],
    pub max_pixels: u32,
    pub frl: u32,
    pub cuda: bool,
    pub ecc: bool,
    pub encoder_capacity: u32,
}

impl Table {
    /// Parses TOML text.
    ///
    /// # Errors
    /// The message of the TOML parser, with line and column.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|e| e.to_string())
    }

    /// All types of all boards, board by board in the order of the table.
    ///
    /// # Errors
    /// One line that names the board, the type and the field.
    pub fn resolve(&self) -> Result<Vec<(u16, Vec<VgpuType>)>, String> {
        let mut boards = Vec::new();
        let mut devices = HashSet::new();
        for board in &self.board {
            let at = |e: String| format!("board {}: {e}", board.name);
            if board.device_id == 0 || !devices.insert(board.device_id) {
                return Err(at(format!(
                    "device_id {:#06x} is zero or listed twice",
                    board.device_id
                )));
            }
            if board.types.is_empty() || board.types.len() > MAX_TYPES {
                return Err(at(format!(
                    "types: {} listed, 1 to {MAX_TYPES} allowed",
                    board.types.len()
                )));
            }
            let mut ids = HashSet::new();
            let mut types = Vec::new();
            for row in &board.types {
                if row.id() == 0 || !ids.insert(row.id()) {
                    return Err(at(format!("type id {} is zero or listed twice", row.id())));
                }
                types.push(self.resolve_row(board, row).map_err(at)?);
            }
            boards.push((board.device_id, types));
        }
        if boards.is_empty() {
            return Err("board: none listed".into());
        }
        Ok(boards)
    }

    fn resolve_row(&self, board: &Board, row: &TypeRow) -> Result<VgpuType, String> {
        let d = &self.defaults;
        let series = self
            .series
            .iter()
            .find(|s| s.suffix == row.series)
            .ok_or_else(|| format!("type {}: series {} is not defined", row.id(), row.series))?;
        let name = format!("NVIDIA {}-{}{}", board.name, row.gib, series.suffix);
        let at = |e: &str| format!("type {} ({name}): {e}", row.id());

        let class_mib = row
            .gib
            .checked_mul(1024)
            .filter(|c| *c > 0 && *c <= board.fb_mib)
            .ok_or_else(|| at("gib: is zero or exceeds the board"))?;
        let max_instance =
            u32::try_from(board.fb_mib / class_mib).map_or(MAX_INSTANCES, |n| n.min(MAX_INSTANCES));
        let heap_mib = (d.gsp_heap_whole_mib / u64::from(max_instance.next_power_of_two()))
            .max(d.gsp_heap_min_mib);
        if !d.vmmu_segment_mib.is_power_of_two() {
            return Err(at("vmmu_segment_mib: is not a power of two"));
        }
        let fb_mib = (board.usable_fb_mib / u64::from(max_instance))
            .checked_sub(heap_mib)
            .and_then(|l| l.checked_sub(d.fb_reservation_mib))
            .map(|l| l.min(class_mib) & !(d.vmmu_segment_mib - 1))
            .filter(|l| *l > 0)
            .ok_or_else(|| at("fb_length: nothing is left of the board"))?;
        let bar1_length_mib = if row.gib <= d.small_bar1_max_class_gib {
            d.small_bar1_mib
        } else {
            class_mib.next_power_of_two()
        };

        Ok(VgpuType {
            id: row.id(),
            class: series.class.clone(),
            license: series.license.clone(),
            board_name: board.name.clone(),
            device_id: board.device_id,
            subsystem: row.subsystem,
            profile_size: class_mib * MIB,
            fb_length: fb_mib * MIB,
            gsp_heap_size: heap_mib * MIB,
            fb_reservation: d.fb_reservation_mib * MIB,
            mappable_video_size: d.mappable_video_mib * MIB,
            bar1_length_mib,
            max_instance,
            num_heads: series.num_heads,
            max_resolution: series.max_resolution,
            max_pixels: series.max_pixels,
            frl: series.frl,
            cuda: series.cuda,
            ecc: series.ecc,
            encoder_capacity: d.encoder_capacity,
            name,
        })
    }
}
