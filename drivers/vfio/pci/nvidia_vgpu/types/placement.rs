// SPDX-License-Identifier: GPL-2.0

//! Which type a VF may choose while others have theirs: the homogeneous rule.
//!
//! ```text
//!   selections on the PF      a VF without a type may choose    a VF with one may change to
//!   none                      any                               -
//!   only this VF's            -                                 any
//!   n of type T, others too   T while n < max_instance          T (no-op), nothing else
//! ```
//!
//! What is counted is selections, not opened devices. A change is one step: it happens, or nothing
//! has changed. Source: R13 and `vfio_sysfs.c` of the NVIDIA vGPU VFIO RFC v2, without its double
//! count of a repeated selection.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

/// What the rule needs to know of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Type id, not 0.
    pub(crate) id: u32,
    /// Selections that a PF can carry, not 0.
    pub(crate) max_instance: u32,
}

/// Why a selection was refused; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Another VF has a different type.
    OtherType,
    /// The type has no instance left.
    Full,
}

/// The selections of one PF.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Homogeneous {
    /// Type of all selections; meaningless while there are none.
    id: u32,
    count: u32,
}

impl Homogeneous {
    /// No selections.
    pub(crate) const fn new() -> Self {
        Self { id: 0, count: 0 }
    }

    /// Number of VFs that have a type.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Could a VF without a type choose `candidate` now?
    pub(crate) fn can_add(&self, candidate: Candidate) -> Result<(), Refusal> {
        if self.count == 0 {
            Ok(())
        } else if self.id != candidate.id {
            Err(Refusal::OtherType)
        } else if self.count >= candidate.max_instance {
            Err(Refusal::Full)
        } else {
            Ok(())
        }
    }

    /// Moves one VF from its type `old` (0: none) to `new` (`None`: none).
    ///
    /// # Errors
    /// See [`Refusal`]; the VF keeps `old`.
    pub(crate) fn change(&mut self, old: u32, new: Option<Candidate>) -> Result<(), Refusal> {
        if new.is_some_and(|c| c.id == old) {
            return Ok(());
        }
        let mut next = *self;
        if old != 0 {
            next.count = next.count.saturating_sub(1);
        }
        if let Some(candidate) = new {
            next.can_add(candidate)?;
            next.id = candidate.id;
            next.count += 1;
        }
        *self = next;
        Ok(())
    }
}
