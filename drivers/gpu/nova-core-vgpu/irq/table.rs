// SPDX-License-Identifier: GPL-2.0

//! Which engine has which vector, as GSP-RM says.
//!
//! ```text
//!   MC_ENGINE_IDX  -->  stall vector       errors, requests for service
//!                  -->  non-stall vector   notifications
//! ```

use kernel::{
    device,
    prelude::*, //
};

use crate::gsp::fw::r570_144::intr::{
    Entry,
    ENGINE_GSP, //
};

use super::Vector;

/// Vector of GSP's messages on every chip from Turing on, as far as published headers tell: what to
/// expect, and what to use if the table does not say.
const GSP_VECTOR: u32 = 155;

struct Row {
    engine: u16,
    stall: Option<Vector>,
    nonstall: Option<Vector>,
}

/// The table.
pub(crate) struct Table {
    rows: KVec<Row>,
}

impl Table {
    /// A table without engines.
    pub(crate) fn empty() -> Self {
        Self { rows: KVec::new() }
    }

    /// Adds an engine.
    ///
    /// # Errors
    ///
    /// `EPROTO` when the tree has no such vector, `ENOMEM`.
    pub(crate) fn add(&mut self, entry: &Entry) -> Result {
        let vector = |number: Option<u32>| {
            number
                .map(|number| Vector::new(number).ok_or(EPROTO))
                .transpose()
        };
        let row = Row {
            engine: entry.engine,
            stall: vector(entry.stall)?,
            nonstall: vector(entry.nonstall)?,
        };

        Ok(self.rows.push(row, GFP_KERNEL)?)
    }

    /// Vector of GSP's messages.
    pub(crate) fn gsp(&self, dev: &device::Device) -> Result<Vector> {
        let expected = Vector::new(GSP_VECTOR).ok_or(EINVAL)?;
        let vector = self.stall(ENGINE_GSP);

        match vector {
            Some(vector) if vector != expected => dev_warn!(
                dev,
                "interrupt: GSP has vector {}, not {} as on other chips\n",
                vector.number(),
                GSP_VECTOR
            ),
            Some(_) => (),
            None => dev_warn!(
                dev,
                "interrupt: GSP does not tell its own vector, {} is used\n",
                GSP_VECTOR
            ),
        }
        Ok(vector.unwrap_or(expected))
    }

    fn find(&self, pick: impl Fn(&Row) -> Option<Vector>) -> Option<Vector> {
        self.rows.iter().find_map(pick)
    }

    /// The engines (`MC_ENGINE_IDX`) in the order of firmware.
    pub(crate) fn engines(&self) -> impl Iterator<Item = u16> + use<'_> {
        self.rows.iter().map(|row| row.engine)
    }

    /// Vector of errors and requests of an engine (`MC_ENGINE_IDX`).
    pub(crate) fn stall(&self, engine: u16) -> Option<Vector> {
        self.find(|row| row.stall.filter(|_| row.engine == engine))
    }

    /// Vector of notifications of an engine (`MC_ENGINE_IDX`).
    pub(crate) fn nonstall(&self, engine: u16) -> Option<Vector> {
        self.find(|row| row.nonstall.filter(|_| row.engine == engine))
    }
}
